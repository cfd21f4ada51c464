"""What clinics and agents are called: `display-names.v1` in the table ``display_names``, beside the log."""

from collections.abc import Sequence
from typing import Final
from uuid import UUID

from tool_sync.db import Pool
from tool_sync.intake.table_reader import SESSION_SECONDS, Followed, Forgetting, TableReader
from tool_sync.settings import Settings
from zerotouch_contracts.names import Named, NameSaid, read_name
from zerotouch_contracts.text import searchable
from zerotouch_platform.postgres.leader import Candidate

NAMES_LOCK: Final = 7315
NamesReader = TableReader[NameSaid, Named]
SEARCHED_CHARACTERS_MAX: Final = 200
"""As long as a name may be; folding makes some letters to eighteen, and an index holds no row of 2,700 bytes."""

# A clinic that the log says was deleted is named no more, whatever comes after that: its end does.
_KEEP: Final = """
WITH said AS (
  SELECT * FROM unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::bigint[], $6::uuid[])
    AS s (org_id, agent_id, name, searched, revision, log_id)
), gone AS (
  DELETE FROM display_names d USING said s
   WHERE s.name IS NULL AND d.org_id = s.org_id AND d.agent_id = s.agent_id RETURNING 1
), kept AS (
  INSERT INTO display_names AS d (org_id, agent_id, name, searched, revision, log_id)
  SELECT * FROM said s
   WHERE s.name IS NOT NULL AND NOT EXISTS (SELECT FROM organizations o WHERE o.id = s.org_id AND o.closed)
   ORDER BY org_id, agent_id
  ON CONFLICT (org_id, agent_id) DO UPDATE
    SET name = excluded.name, searched = excluded.searched, revision = excluded.revision, log_id = excluded.log_id
    WHERE (d.name, d.revision, d.log_id) <> (excluded.name, excluded.revision, excluded.log_id)
      AND (d.log_id <> excluded.log_id OR d.revision <= excluded.revision)
  RETURNING 1
)
SELECT (SELECT count(*) FROM gone) + (SELECT count(*) FROM kept)
"""
_PAGE: Final = """
SELECT org_id, agent_id FROM display_names WHERE (org_id, agent_id) > ($1, $2) ORDER BY org_id, agent_id LIMIT $3
"""
_FORGET: Final = """
WITH gone AS (
  DELETE FROM display_names d USING unnest($1::uuid[], $2::text[]) AS u (org_id, agent_id)
   WHERE d.org_id = u.org_id AND d.agent_id = u.agent_id RETURNING 1
)
SELECT count(*) FROM gone
"""


def names_reader(settings: Settings, pool: Pool, *, session_seconds: float = SESSION_SECONDS) -> NamesReader:
    """A name that the topic does not have any more is forgotten."""
    followed: Followed[NameSaid, Named] = Followed(
        topic=settings.display_names_topic,
        lock=NAMES_LOCK,
        name="tool-sync names",
        read=read_name,
        about=lambda said: None if said.message is None else said.named,
        keep=keep,
        forgetting=Forgetting(page, forget),
    )
    return TableReader(settings, pool, followed, session_seconds=session_seconds)


async def keep(leader: Candidate, said: Sequence[NameSaid]) -> int:
    """Take in what is newer than what is kept, and forget who has no name any more; how many rows were written.

    ``said`` names nobody twice. The same again changes nothing.
    """
    names = [None if one.message is None else one.message.name for one in said]
    written = await leader.fetchval(
        _KEEP,
        [one.named.org_id for one in said],
        [one.named.agent_id or "" for one in said],
        names,
        [None if name is None else searchable(name)[:SEARCHED_CHARACTERS_MAX] for name in names],
        [None if one.message is None else one.message.revision for one in said],
        [one.log_id for one in said],
    )
    assert isinstance(written, int)
    return written


async def page(pool: Pool, after: Named | None, limit: int) -> list[Named]:
    """Whose names are kept, after ``after``."""
    place = (UUID(int=0), "") if after is None else (after.org_id, after.agent_id or "")
    return [Named(row["org_id"], row["agent_id"] or None) for row in await pool.fetch(_PAGE, *place, limit)]


async def forget(leader: Candidate, named: Sequence[Named]) -> int:
    """Forget these; how many were there."""
    gone = await leader.fetchval(_FORGET, [one.org_id for one in named], [one.agent_id or "" for one in named])
    assert isinstance(gone, int)
    return gone
