"""What clinics and agents are called, for people: as far as `display-names.v1` has said, else their ids.

Nothing that is decided or proved reads a name: an explanation, an audit and a decision say the same without any.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from tool_sync.db import Connection
from zerotouch_contracts.text import searchable

FOUND_MAX: Final = 100

_NAMES: Final = """
SELECT d.org_id, d.agent_id, d.name FROM display_names d
  JOIN unnest($1::uuid[], $2::text[]) AS u (org_id, agent_id) USING (org_id, agent_id)
"""
# No index finds what stands within a text, so the second part reads the index of clinics to its end where there is
# little to be found. A clinic is looked up only where its name fits.
_OPEN: Final = "(SELECT NOT o.closed FROM organizations o WHERE o.id = d.org_id)"
_FIND: Final = f"""
SELECT f.org_id, d.name
  FROM (
    (SELECT 1 AS part, d.org_id, d.searched FROM display_names d
      WHERE d.agent_id = '' AND d.searched COLLATE "C" >= $1 AND d.searched COLLATE "C" < $2 AND {_OPEN}
      ORDER BY d.searched COLLATE "C", d.org_id LIMIT $3)
    UNION ALL
    (SELECT 2, d.org_id, d.searched FROM display_names d
      WHERE d.agent_id = '' AND strpos(d.searched, $1) > 1 AND {_OPEN}
      ORDER BY d.searched COLLATE "C", d.org_id LIMIT $3)
  ) f JOIN display_names d ON d.org_id = f.org_id AND d.agent_id = ''
 ORDER BY f.part, f.searched COLLATE "C", f.org_id LIMIT $3
"""  # noqa: S608 - constants
# Of all clinics only what begins with the text, as the index finds it; of one clinic what holds it.
_FIND_AGENTS: Final = """
SELECT d.org_id, d.agent_id, d.name FROM display_names d
 WHERE d.agent_id <> '' AND d.searched COLLATE "C" >= $1 AND d.searched COLLATE "C" < $2
 ORDER BY d.searched COLLATE "C", d.org_id, d.agent_id LIMIT $3
"""
_FIND_AGENTS_OF: Final = """
SELECT d.org_id, d.agent_id, d.name FROM display_names d
 WHERE d.org_id = $1 AND d.agent_id <> '' AND strpos(d.searched, $2) > 0
 ORDER BY d.searched COLLATE "C", d.agent_id LIMIT $3
"""
_LAST_CHARACTER: Final = "\U0010ffff"


Names = Mapping[tuple[UUID, str | None], str]
"""By clinic and agent, with None for the clinic itself."""


@dataclass(frozen=True, slots=True)
class FoundOrg:
    """A clinic whose name holds what was looked for."""

    org_id: UUID
    name: str


@dataclass(frozen=True, slots=True)
class FoundAgent:
    """An assistant whose name fits what was looked for."""

    org_id: UUID
    agent_id: str
    name: str


async def name_of(connection: Connection, org_id: UUID, agent_id: str | None = None) -> str:
    """What a clinic, or an agent of it, is called; the id where nobody has said (or this role may not know)."""
    return (await names_of(connection, [(org_id, agent_id)]))[org_id, agent_id]


async def names_of(connection: Connection, many: Collection[tuple[UUID, str | None]]) -> Names:
    """The same of many, clinics and agents."""
    rows = await connection.fetch(_NAMES, [org_id for org_id, _ in many], [agent_id or "" for _, agent_id in many])
    found = {(row["org_id"], row["agent_id"] or None): row["name"] for row in rows}
    return {one: found.get(one, one[1] or str(one[0])) for one in many}


async def find(connection: Connection, text: str, limit: int = FOUND_MAX) -> list[FoundOrg]:
    """Open clinics whose name holds ``text``, in capitals or not; those whose name begins with it come first."""
    wanted = searchable(text).strip()
    return [FoundOrg(**row) for row in await connection.fetch(_FIND, wanted, wanted + _LAST_CHARACTER, limit)]


async def find_agents(
    connection: Connection, text: str, org_id: UUID | None, limit: int = FOUND_MAX
) -> list[FoundAgent]:
    """Assistants whose name begins with ``text``; of one clinic those whose name holds it."""
    wanted = searchable(text).strip()
    if not wanted:
        return []
    if org_id is None:
        rows = await connection.fetch(_FIND_AGENTS, wanted, wanted + _LAST_CHARACTER, limit)
    else:
        rows = await connection.fetch(_FIND_AGENTS_OF, org_id, wanted, limit)
    return [FoundAgent(**dict(row)) for row in rows]
