"""What is due to be looked at off the path of saves: rows of ``vapi_looks``, taken by one process at a time.

A row is written when a look begins, so that no two processes make the same one.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Final
from uuid import UUID

from tool_sync.db import Pool
from tool_sync.sync.rows import split_of

EVERY: Final = timedelta(days=1)
JUST_MADE: Final = timedelta(minutes=1)
"""A tool that was made or changed so short a time ago was seen then."""
_NOBODY: Final = UUID(int=0)

_TAKE: Final = """
INSERT INTO vapi_looks AS l (kind, org_id, agent_id, looked_at)
SELECT $1, org_id, agent_id, clock_timestamp() FROM due ORDER BY org_id, agent_id
ON CONFLICT (kind, org_id, agent_id) DO UPDATE SET looked_at = excluded.looked_at
 WHERE l.looked_at < clock_timestamp() - {again}::interval
RETURNING org_id, agent_id
"""
_SPLITS: Final = f"""
WITH due AS (
    SELECT a.org_id, a.agent_id
      FROM assistants a LEFT JOIN vapi_looks l ON l.kind = $1 AND l.org_id = a.org_id AND l.agent_id = a.agent_id
     WHERE NOT a.removed AND a.assistant_id IS NOT NULL AND a.outcome IS NOT NULL
       AND (l.looked_at IS NULL OR l.looked_at < clock_timestamp() - $3::interval)
       AND NOT EXISTS (SELECT FROM vapi_looks n WHERE n.kind = 'no splits' AND n.org_id = $4 AND n.agent_id = $5
                          AND n.looked_at > clock_timestamp() - $3::interval)
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
SELECT t.org_id, t.tool_name, t.vapi_tool_id, t.definition_hash, t.position FROM taken JOIN org_tools t USING (org_id)
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
    """A tool that is to be looked at, as the row was at ``position``."""

    org_id: UUID
    name: str
    vapi_tool_id: str
    definition_hash: str
    position: int


@dataclass(frozen=True, slots=True)
class Looks:
    """Takes what is due."""

    pool: Pool

    async def due_splits(self, account: str, limit: int) -> list[AssistantLook]:
        """At most ``limit`` assistants that nobody has looked at for a day; none where a 403 ended the day."""
        rows = await self.pool.fetch(_SPLITS, "split", limit, EVERY, _NOBODY, account)
        return [
            AssistantLook(
                row["org_id"], row["agent_id"], row["assistant_id"], split_of(row["split"], row["assistant_id"])
            )
            for row in rows
        ]

    async def due_tools(self, orgs: Sequence[UUID], limit: int) -> list[ToolLook]:
        """The tools of at most ``limit`` of these orgs, but those that were made just now."""
        rows = await self.pool.fetch(_TOOLS, "tools", limit, list(orgs), JUST_MADE)
        return [
            ToolLook(row["org_id"], row["tool_name"], row["vapi_tool_id"], row["definition_hash"], row["position"])
            for row in rows
        ]

    async def is_still(self, tool: ToolLook) -> bool:
        """Whether nothing has happened to the tool since its row was read."""
        return bool(await self.pool.fetchval(_STILL, tool.org_id, tool.name, tool.position))

    async def no_splits_today(self, account: str) -> None:
        """The account's key may not read splits: nobody asks again for a day."""
        await self.pool.execute(_NO_SPLITS, _NOBODY, account)
