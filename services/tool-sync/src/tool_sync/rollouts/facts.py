"""Pages of clinics with what a decision about one tool depends on, as the tables have them: no org's log is read."""

from collections.abc import AsyncIterator, Collection
from typing import Any, Final
from uuid import UUID

from tool_sync.db import Connection, Pool
from tool_sync.domain.fleet import Clinic
from tool_sync.domain.fleet.work import ClinicFacts

PAGE_CLINICS: Final = 2_000

_COLUMNS: Final = """
SELECT o.id, o.tier, o.closed, o.created_at, coalesce(s.enabled, true) AS is_on, t.rollout_id,
       CASE WHEN t.enabled THEN t.definition_hash END AS definition_hash, coalesce(t.position, 0) AS row_position,
       a.count AS assistants, coalesce(t.enabled AND a.unlinked, false) AS unlinked,
       CASE WHEN r.code IS NOT NULL THEN r.definition_hash END AS refused_hash
  FROM organizations o
  LEFT JOIN org_tool_settings s ON s.org_id = o.id AND s.tool_name = $1
  LEFT JOIN org_tools t ON t.org_id = o.id AND t.tool_name = $1
  LEFT JOIN tool_refusals r ON r.org_id = o.id AND r.tool_name = $1
 CROSS JOIN LATERAL (
       SELECT count(*) AS count,
              bool_or(outcome = 'synced' AND NOT synced_tools @> jsonb_build_array(
                  jsonb_build_object('vapi_tool_id', t.vapi_tool_id))) AS unlinked
         FROM assistants WHERE org_id = o.id AND NOT removed) a
"""
_PAGE: Final = f"""{_COLUMNS}
 WHERE NOT o.closed AND ($2::uuid IS NULL OR o.id > $2) ORDER BY o.id LIMIT $3
"""
_OF: Final = f"""{_COLUMNS}
 WHERE o.id = ANY ($2::uuid[])
"""


async def page_of(connection: "Connection | Pool", tool: str, after: UUID | None, limit: int) -> list[ClinicFacts]:
    """At most ``limit`` open clinics whose ids come after one, in the order of their ids."""
    return [_facts(row, tool) for row in await connection.fetch(_PAGE, tool, after, limit)]


async def facts_of(connection: "Connection | Pool", tool: str, org_ids: Collection[UUID]) -> list[ClinicFacts]:
    """These clinics, closed ones included, in no order."""
    return [_facts(row, tool) for row in await connection.fetch(_OF, tool, list(org_ids))] if org_ids else []


async def walk(connection: "Connection | Pool", tool: str) -> AsyncIterator[ClinicFacts]:
    """Every open clinic."""
    after: UUID | None = None
    while page := await page_of(connection, tool, after, PAGE_CLINICS):
        for facts in page:
            yield facts
        after = UUID(page[-1].clinic.org_id)


def _facts(row: Any, tool: str) -> ClinicFacts:
    follows = {} if row["rollout_id"] is None else {tool: row["rollout_id"]}
    disabled = frozenset[str]() if row["is_on"] else frozenset({tool})
    return ClinicFacts(
        Clinic(str(row["id"]), row["tier"], row["closed"], row["created_at"], disabled, follows),
        row["assistants"],
        row["definition_hash"],
        row["unlinked"],
        row["refused_hash"],
        row["row_position"],
    )
