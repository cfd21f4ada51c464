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
from tool_sync.domain.change_window import TIME_ZONE_DEFAULT, ChangeWindow, parse_window, state_of_window
from tool_sync.domain.fleet import Clinic, Order
from tool_sync.domain.fleet.work import ClinicFacts
from tool_sync.domain.toolset import ClinicPin

PAGE_CLINICS: Final = 2_000

# As is_reworded of domain/drift.py.
REWORDED: Final = """coalesce(
    d.is_open AND t.enabled AND d.vapi_tool_id = t.vapi_tool_id AND NOT d.gone AND d.differs <> '[]'
    AND d.differs <@ '["description", "messages"]', false)"""
_COLUMNS: Final = f"""
SELECT o.id, o.tier, o.closed, o.created_at, coalesce(s.enabled, true) AS is_on, t.rollout_id,
       CASE WHEN t.enabled THEN t.definition_hash END AS definition_hash, coalesce(t.position, 0) AS row_position,
       a.count AS assistants, coalesce(t.enabled AND a.unlinked, false) AS unlinked,
       CASE WHEN r.code IS NOT NULL THEN r.definition_hash END AS refused_hash,
       coalesce(p.requested > p.settled, false) AS is_open, NULL AS trouble, NULL AS retired_hash,
       {REWORDED} AS reworded,
       n.version AS pin_version, n.definition_hash AS pin_hash, n.until AS pin_until, n.position AS pin_position,
       w.opens, w.closes, w.time_zone, coalesce(t.kept_hash, '') AS kept_hash,
       w.opens IS NOT NULL
         AND EXISTS (SELECT FROM org_tools x WHERE x.org_id = o.id AND x.kept_hash <> '') AS has_tools,
       t.org_id IS NULL AND a.count > 0 AND a.settled = 0 AS is_new
  FROM organizations o
  LEFT JOIN org_tool_pins n ON n.org_id = o.id AND n.tool_name = $1 AND n.version IS NOT NULL
  LEFT JOIN org_change_windows w ON w.org_id = o.id
  LEFT JOIN org_tool_settings s ON s.org_id = o.id AND s.tool_name = $1
  LEFT JOIN org_tools t ON t.org_id = o.id AND t.tool_name = $1
  LEFT JOIN pending_syncs p ON p.org_id = o.id AND p.agent_id = ''
  LEFT JOIN tool_refusals r ON r.org_id = o.id AND r.tool_name = $1
  LEFT JOIN tool_drifts d ON d.org_id = o.id AND d.tool_name = $1
 CROSS JOIN LATERAL (
       SELECT count(*) AS count, count(outcome) AS settled,
              bool_or(outcome = 'synced' AND NOT synced_tools @> jsonb_build_array(
                  jsonb_build_object('vapi_tool_id', t.vapi_tool_id))) AS unlinked
         FROM assistants WHERE org_id = o.id AND NOT removed) a
"""  # noqa: S608 - made of constants
_PAGE: Final = f"""{_COLUMNS}
 WHERE NOT o.closed AND ($2::uuid IS NULL OR o.id > $2) ORDER BY o.id LIMIT $3
"""
_OF: Final = f"""{_COLUMNS}
 WHERE o.id = ANY ($2::uuid[])
"""


async def page_of(
    connection: "Connection | Pool", tool: str, after: UUID | None, limit: int, now: datetime
) -> list[ClinicFacts]:
    """At most ``limit`` open clinics whose ids come after one, in the order of their ids."""
    return [_facts(row, tool, now) for row in await connection.fetch(_PAGE, tool, after, limit)]


async def facts_of(
    connection: "Connection | Pool", tool: str, org_ids: Collection[UUID], now: datetime
) -> list[ClinicFacts]:
    """These clinics, closed ones included, in no order."""
    return [_facts(row, tool, now) for row in await connection.fetch(_OF, tool, list(org_ids))] if org_ids else []


# Joins over whole tables, whose hashes are to stay in memory. `members` is of no order: a group's own fingerprint.
# `trouble` begins with its place, for a clinic whose assistants have several.
_GROUPS: Final = f"""
SELECT (array_agg(f.id))[1] AS id, f.tier, false AS closed, min(f.created_at) AS created_at, f.is_on, f.rollout_id,
       f.definition_hash, f.unlinked, f.refused_hash, f.retired_hash, 0 AS row_position, false AS is_open, f.reworded,
       max(f.assistants) AS assistants, count(*) AS clinics, sum(f.assistants)::bigint AS all_assistants,
       bit_xor(hashtextextended(f.id::text, 0)) AS members, f.trouble, f.pin_version, f.pin_hash,
       max(f.pin_until) AS pin_until, max(f.pin_position) AS pin_position,
       f.opens, f.closes, f.time_zone, f.kept_hash, f.has_tools, false AS is_new
  FROM (SELECT o.id, o.tier, o.created_at, coalesce(s.enabled, true) AS is_on, t.rollout_id,
               CASE WHEN t.enabled THEN t.definition_hash END AS definition_hash,
               coalesce(a.count, 0) AS assistants, coalesce(t.enabled AND a.unlinked, false) AS unlinked,
               CASE WHEN r.code IS NOT NULL THEN r.definition_hash END AS refused_hash, a.trouble,
               {REWORDED} AS reworded, CASE WHEN t.is_retired THEN t.definition_hash END AS retired_hash,
               n.version AS pin_version, n.definition_hash AS pin_hash, n.until AS pin_until,
               n.position AS pin_position, w.opens, w.closes, w.time_zone,
               CASE WHEN w.opens IS NULL THEN '' ELSE coalesce(t.kept_hash, '') END AS kept_hash,
               w.opens IS NOT NULL AND k2.org_id IS NOT NULL AS has_tools
          FROM organizations o
          LEFT JOIN org_tool_pins n ON n.org_id = o.id AND n.tool_name = $1 AND n.version IS NOT NULL
          LEFT JOIN org_change_windows w ON w.org_id = o.id AND w.opens IS NOT NULL
          LEFT JOIN (SELECT DISTINCT x.org_id FROM org_tools x JOIN org_change_windows y USING (org_id)
                      WHERE x.kept_hash <> '' AND y.opens IS NOT NULL) k2 ON k2.org_id = o.id
          LEFT JOIN org_tool_settings s ON s.org_id = o.id AND s.tool_name = $1
          LEFT JOIN org_tools t ON t.org_id = o.id AND t.tool_name = $1
          LEFT JOIN tool_refusals r ON r.org_id = o.id AND r.tool_name = $1
          LEFT JOIN tool_drifts d ON d.org_id = o.id AND d.tool_name = $1
          LEFT JOIN (SELECT m.org_id, count(*) AS count,
                            bool_or(m.outcome = 'synced' AND NOT m.synced_tools @> jsonb_build_array(
                                jsonb_build_object('vapi_tool_id', k.vapi_tool_id))) AS unlinked,
                            min(CASE WHEN m.outcome <> 'failed' THEN NULL WHEN m.code = 'TS-310' THEN '1 pinned at Vapi'
                                     WHEN m.code = 'TS-311' THEN '2 traffic split'
                                     WHEN m.code LIKE 'TS-2%' THEN '3 key paused'
                                     ELSE '4 last sync failed' END) AS trouble
                       FROM assistants m LEFT JOIN org_tools k ON k.org_id = m.org_id AND k.tool_name = $1
                      WHERE NOT m.removed GROUP BY m.org_id) a ON a.org_id = o.id
         WHERE NOT o.closed) f
 GROUP BY f.tier, f.is_on, f.rollout_id, f.definition_hash, f.unlinked, f.refused_hash, f.retired_hash, f.reworded,
          f.assistants > 0, f.trouble, f.pin_version, f.pin_hash, f.opens, f.closes, f.time_zone, f.kept_hash,
          f.has_tools,
          width_bucket(ring_of(f.id), $2::int[]), width_bucket(f.created_at, $3::timestamptz[]),
          CASE WHEN f.id = ANY ($4::uuid[]) THEN f.id END
"""  # noqa: S608 - made of constants


@dataclass(frozen=True, slots=True)
class ClinicGroup:
    """Clinics for which every decision about the tool is that for ``member``; ``fingerprint`` is of their ids."""

    member: ClinicFacts
    clinics: int
    assistants: int
    fingerprint: int


async def groups_of(connection: Connection, tool: str, orders: Iterable[Order], now: datetime) -> list[ClinicGroup]:
    """All open clinics, grouped by all that these orders of the tool look at. In a transaction, for its memory."""
    orders = tuple(orders)
    stages = [stage for order in orders for stage in order.stages]
    rings = sorted({stage.ring_below for stage in stages} | {0})
    times: Sequence[datetime] = sorted({order.started_at for order in orders})
    named = sorted({UUID(org_id) for stage in stages for org_id in stage.orgs})
    await connection.execute("SET LOCAL work_mem = '128MB'")
    rows = await connection.fetch(_GROUPS, tool, rings, times, named)
    return [ClinicGroup(_facts(row, tool, now), row["clinics"], row["all_assistants"], row["members"]) for row in rows]


def _facts(row: Any, tool: str, now: datetime) -> ClinicFacts:
    follows = {} if row["rollout_id"] is None else {tool: (row["rollout_id"],)}
    disabled = frozenset[str]() if row["is_on"] else frozenset({tool})
    pins = {}
    if row["pin_hash"] is not None:
        pins[tool] = ClinicPin(row["pin_version"], row["pin_hash"], row["pin_until"], row["pin_position"])
    window = None
    known = None if row["opens"] is None else parse_window(f"{row['opens']}-{row['closes']}")
    if isinstance(known, ChangeWindow):
        window = state_of_window(known, row["time_zone"], now)
    return ClinicFacts(
        Clinic(
            str(row["id"]),
            row["tier"],
            row["closed"],
            row["created_at"],
            disabled,
            follows,
            pins,
            None if window is None or window.closes_at is not None else window.opens_at,
            {tool: row["kept_hash"]} if row["kept_hash"] else {},
            # Since when, and what the clinic has chosen since, only its log says; that makes it due without the feeder.
            0 if row["has_tools"] else None,
        ),
        row["assistants"],
        row["definition_hash"],
        row["unlinked"],
        row["refused_hash"],
        row["row_position"],
        row["is_open"],
        row["reworded"],
        None if window is None else window.closes_at,
        row["time_zone"] or TIME_ZONE_DEFAULT,
        row["retired_hash"],
        None if row["trouble"] is None else row["trouble"].partition(" ")[2],
        row["is_new"],
    )
