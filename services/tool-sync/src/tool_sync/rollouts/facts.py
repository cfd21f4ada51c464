"""Clinics with what a decision about one tool depends on, as the tables have them: no org's log is read.

Two forms: pages, for who has to do something about each clinic; and groups of clinics for which every decision is the
same, so that 100,000 of them are counted in one statement, by the same rules, asked of one member of each group.
"""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from tool_sync.db import Connection, Pool
from tool_sync.domain.fleet import Clinic, Order
from tool_sync.domain.fleet.work import ClinicFacts

PAGE_CLINICS: Final = 2_000

_COLUMNS: Final = """
SELECT o.id, o.tier, o.closed, o.created_at, coalesce(s.enabled, true) AS is_on, t.rollout_id,
       CASE WHEN t.enabled THEN t.definition_hash END AS definition_hash, coalesce(t.position, 0) AS row_position,
       a.count AS assistants, coalesce(t.enabled AND a.unlinked, false) AS unlinked,
       CASE WHEN r.code IS NOT NULL THEN r.definition_hash END AS refused_hash,
       coalesce(p.requested > p.settled, false) AS is_open
  FROM organizations o
  LEFT JOIN org_tool_settings s ON s.org_id = o.id AND s.tool_name = $1
  LEFT JOIN org_tools t ON t.org_id = o.id AND t.tool_name = $1
  LEFT JOIN pending_syncs p ON p.org_id = o.id AND p.agent_id = ''
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


# Joins over whole tables, whose hashes are to stay in memory. `members` is of no order: a group's own fingerprint.
_GROUPS: Final = """
SELECT (array_agg(f.id))[1] AS id, f.tier, false AS closed, min(f.created_at) AS created_at, f.is_on, f.rollout_id,
       f.definition_hash, f.unlinked, f.refused_hash, 0 AS row_position, false AS is_open,
       max(f.assistants) AS assistants, count(*) AS clinics, sum(f.assistants)::bigint AS all_assistants,
       bit_xor(hashtextextended(f.id::text, 0)) AS members
  FROM (SELECT o.id, o.tier, o.created_at, coalesce(s.enabled, true) AS is_on, t.rollout_id,
               CASE WHEN t.enabled THEN t.definition_hash END AS definition_hash,
               coalesce(a.count, 0) AS assistants, coalesce(t.enabled AND a.unlinked, false) AS unlinked,
               CASE WHEN r.code IS NOT NULL THEN r.definition_hash END AS refused_hash
          FROM organizations o
          LEFT JOIN org_tool_settings s ON s.org_id = o.id AND s.tool_name = $1
          LEFT JOIN org_tools t ON t.org_id = o.id AND t.tool_name = $1
          LEFT JOIN tool_refusals r ON r.org_id = o.id AND r.tool_name = $1
          LEFT JOIN (SELECT m.org_id, count(*) AS count,
                            bool_or(m.outcome = 'synced' AND NOT m.synced_tools @> jsonb_build_array(
                                jsonb_build_object('vapi_tool_id', k.vapi_tool_id))) AS unlinked
                       FROM assistants m LEFT JOIN org_tools k ON k.org_id = m.org_id AND k.tool_name = $1
                      WHERE NOT m.removed GROUP BY m.org_id) a ON a.org_id = o.id
         WHERE NOT o.closed) f
 GROUP BY f.tier, f.is_on, f.rollout_id, f.definition_hash, f.unlinked, f.refused_hash, f.assistants > 0,
          width_bucket(ring_of(f.id), $2::int[]), width_bucket(f.created_at, $3::timestamptz[]),
          CASE WHEN f.id = ANY ($4::uuid[]) THEN f.id END
"""


@dataclass(frozen=True, slots=True)
class ClinicGroup:
    """Clinics for which every decision about the tool is that for ``member``; ``fingerprint`` is of their ids."""

    member: ClinicFacts
    clinics: int
    assistants: int
    fingerprint: int


async def groups_of(connection: Connection, tool: str, orders: Iterable[Order]) -> list[ClinicGroup]:
    """All open clinics, grouped by all that these orders of the tool look at. In a transaction, for its memory."""
    orders = tuple(orders)
    stages = [stage for order in orders for stage in order.stages]
    rings = sorted({stage.ring_below for stage in stages} | {0})
    times: Sequence[datetime] = sorted({order.started_at for order in orders})
    named = sorted({UUID(org_id) for stage in stages for org_id in stage.orgs})
    await connection.execute("SET LOCAL work_mem = '128MB'")
    rows = await connection.fetch(_GROUPS, tool, rings, times, named)
    return [ClinicGroup(_facts(row, tool), row["clinics"], row["all_assistants"], row["members"]) for row in rows]


def _facts(row: Any, tool: str) -> ClinicFacts:
    follows = {} if row["rollout_id"] is None else {tool: (row["rollout_id"],)}
    disabled = frozenset[str]() if row["is_on"] else frozenset({tool})
    return ClinicFacts(
        Clinic(str(row["id"]), row["tier"], row["closed"], row["created_at"], disabled, follows),
        row["assistants"],
        row["definition_hash"],
        row["unlinked"],
        row["refused_hash"],
        row["row_position"],
        row["is_open"],
    )
