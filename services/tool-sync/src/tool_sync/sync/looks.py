"""What is due to be looked at off the path of saves: rows of ``vapi_looks``, taken by one process at a time.

A row is written when a look begins, so that no two processes make the same one.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Final
from uuid import UUID

import asyncpg

from tool_sync.db import Pool
from tool_sync.domain.events import CustomPart, ToolDriftSeen
from tool_sync.publishing.overlay import Texts, overlay_of_json
from tool_sync.sync.rows import split_of
from tool_sync.sync.texts import TEXTS

EVERY: Final = timedelta(days=1)
JUST_MADE: Final = timedelta(minutes=1)
"""A tool that was made or changed so short a time ago was seen then."""
_NOBODY: Final = UUID(int=0)

DRIFT: Final = """
LEFT JOIN tool_drifts d ON d.org_id = t.org_id AND d.tool_name = t.tool_name AND d.vapi_tool_id = t.vapi_tool_id
                       AND d.is_open"""
LOOK_COLUMNS: Final = f"""
t.org_id, t.tool_name, t.vapi_tool_id, t.definition_hash, t.position, t.account, d.is_open, d.gone, d.differs, d.found,
t.overlay, {TEXTS} AS texts
"""
"""Of ``org_tools t`` with :data:`DRIFT`."""


_TAKE: Final = """
INSERT INTO vapi_looks AS l (kind, org_id, agent_id, looked_at)
SELECT $1, org_id, agent_id, clock_timestamp() FROM due ORDER BY org_id, agent_id
ON CONFLICT (kind, org_id, agent_id) DO UPDATE SET looked_at = excluded.looked_at
 WHERE l.looked_at < clock_timestamp() - {again}::interval
RETURNING org_id, agent_id
"""
# The first condition on accounts is decided once for all rows: mostly no clinic has one of its own.
_SPLITS: Final = f"""
WITH due AS (
    SELECT a.org_id, a.agent_id
      FROM assistants a LEFT JOIN vapi_looks l ON l.kind = $1 AND l.org_id = a.org_id AND l.agent_id = a.agent_id
     WHERE NOT a.removed AND a.assistant_id IS NOT NULL AND a.outcome IS NOT NULL
       AND (l.looked_at IS NULL OR l.looked_at < clock_timestamp() - $3::interval)
       AND (EXISTS (SELECT FROM vapi_accounts WHERE account IS NOT NULL)
            OR NOT EXISTS (SELECT FROM vapi_looks n WHERE n.kind = 'no splits' AND n.org_id = $4 AND n.agent_id = $5
                              AND n.looked_at > clock_timestamp() - $3::interval))
       AND NOT EXISTS (
           SELECT FROM vapi_looks n
            WHERE n.kind = 'no splits' AND n.org_id = $4 AND n.looked_at > clock_timestamp() - $3::interval
              AND n.agent_id = coalesce((SELECT v.account FROM vapi_accounts v WHERE v.org_id = a.org_id), $5))
     LIMIT $2
), taken AS ({_TAKE.format(again="$3")})
SELECT a.org_id, a.agent_id, a.assistant_id, a.split FROM taken JOIN assistants a USING (org_id, agent_id)
"""  # noqa: S608 - made of constants
_TOOLS: Final = f"""
WITH due AS (
    SELECT DISTINCT t.org_id, '' AS agent_id
      FROM org_tools t
     WHERE t.enabled AND t.updated_at < clock_timestamp() - $4::interval
       AND t.org_id = ANY ($3::uuid[])
     LIMIT $2
), taken AS ({_TAKE.format(again="'1 s'")})
SELECT {LOOK_COLUMNS} FROM taken JOIN org_tools t USING (org_id) {DRIFT}
 WHERE t.enabled
"""  # noqa: S608 - made of constants
_STILL: Final = "SELECT EXISTS (SELECT FROM org_tools WHERE org_id = $1 AND tool_name = $2 AND position = $3)"
_NO_SPLITS: Final = """
INSERT INTO vapi_looks (kind, org_id, agent_id, looked_at) VALUES ('no splits', $1, $2, clock_timestamp())
ON CONFLICT (kind, org_id, agent_id) DO UPDATE SET looked_at = excluded.looked_at
"""


@dataclass(frozen=True, slots=True)
class AssistantLook:
    """An assistant whose split is to be looked at; ``split`` is what is known of it."""

    org_id: UUID
    agent_id: str
    assistant_id: str
    split: tuple[str, ...] | None


@dataclass(frozen=True, slots=True)
class ToolLook:
    """A tool that is to be looked at, as the row was at ``position``. ``drift``: what was noted of it, and stands."""

    org_id: UUID
    name: str
    vapi_tool_id: str
    definition_hash: str
    position: int
    drift: ToolDriftSeen | None = None
    overlay: tuple[CustomPart, ...] = ()
    texts: Texts = field(default_factory=dict)


def look_of(row: asyncpg.Record) -> ToolLook:
    """The row as a look."""
    about = (row["account"], row["tool_name"], row["vapi_tool_id"])
    drift = ToolDriftSeen(*about, row["gone"], tuple(row["differs"]), row["found"]) if row["is_open"] else None
    fields = (row["org_id"], row["tool_name"], row["vapi_tool_id"], row["definition_hash"], row["position"])
    return ToolLook(*fields, drift, overlay_of_json(row["overlay"]), row["texts"])


@dataclass(frozen=True, slots=True)
class Looks:
    """Takes what is due."""

    pool: Pool

    async def due_splits(self, platform: str, limit: int) -> list[AssistantLook]:
        """At most ``limit`` assistants that nobody has looked at for a day; none of an account where a 403 ended the
        day. ``platform``: what the account is called of clinics that have none of their own."""
        rows = await self.pool.fetch(_SPLITS, "split", limit, EVERY, _NOBODY, platform)
        return [
            AssistantLook(
                row["org_id"], row["agent_id"], row["assistant_id"], split_of(row["split"], row["assistant_id"])
            )
            for row in rows
        ]

    async def due_tools(self, orgs: Sequence[UUID], limit: int) -> list[ToolLook]:
        """The tools of at most ``limit`` of these orgs, but those that were made just now."""
        rows = await self.pool.fetch(_TOOLS, "tools", limit, list(orgs), JUST_MADE)
        return [look_of(row) for row in rows]

    async def is_still(self, tool: ToolLook) -> bool:
        """Whether nothing has happened to the tool since its row was read."""
        return bool(await self.pool.fetchval(_STILL, tool.org_id, tool.name, tool.position))

    async def no_splits_today(self, account: str) -> None:
        """The account's key may not read splits: nobody asks again for a day."""
        await self.pool.execute(_NO_SPLITS, _NOBODY, account)
