"""The clinics at which a version's handler is tried before a stage opens: a few that the stage adds."""

from dataclasses import replace
from datetime import datetime
from typing import Final
from uuid import UUID

from tool_sync.db import Pool
from tool_sync.domain.fleet import Fleet, Order, decide_tool
from tool_sync.domain.fleet.decide import TIERS, holds, rank
from tool_sync.rollouts.facts import facts_of

CANARIES_MAX: Final = 5
_CANDIDATES_MAX: Final = 200

# The highest rings are those that no stage before this one holds.
_CANDIDATES: Final = """
SELECT o.id FROM organizations o
  LEFT JOIN org_tool_settings s ON s.org_id = o.id AND s.tool_name = $1
 WHERE NOT o.closed AND coalesce(s.enabled, true) AND NOT o.tier = ANY ($5::text[])
   AND (o.id = ANY ($2::uuid[])
        OR (ring_of(o.id) < $3 AND (cardinality($4::text[]) = 0 OR o.tier = ANY ($4::text[]))))
   AND EXISTS (SELECT FROM assistants a WHERE a.org_id = o.id AND NOT a.removed)
 ORDER BY o.id = ANY ($2::uuid[]) DESC, ring_of(o.id) DESC, o.id LIMIT $6
"""


async def canaries_of(pool: Pool, fleet: Fleet, order: Order, now: datetime) -> list[UUID]:
    """Clinics with assistants to which the order's next stage would be the first to give its version."""
    version = order.gives
    if version is None or order.is_last_stage_open:
        return []
    stage = order.stages[order.open_stage + 1]
    below = [tier for tier in TIERS if rank(tier) < rank(version.tier)]
    orgs = [UUID(org_id) for org_id in stage.orgs]
    rows = await pool.fetch(_CANDIDATES, order.tool, orgs, stage.ring_below, list(stage.tiers), below, _CANDIDATES_MAX)
    opened = _with_next_stage(fleet, order)
    found = [
        UUID(facts.clinic.org_id)
        for facts in await facts_of(pool, order.tool, [row["id"] for row in rows], now)
        if not holds(order, facts.clinic)
        and (made := decide_tool(facts.clinic, opened, order.tool)).order is not None
        and made.order.rollout_id == order.rollout_id
    ]
    places = {row["id"]: place for place, row in enumerate(rows)}
    return sorted(found, key=lambda org_id: places[org_id])[:CANARIES_MAX]


def _with_next_stage(fleet: Fleet, order: Order) -> Fleet:
    opened = replace(order, open_stage=order.open_stage + 1)
    orders = tuple(opened if one.rollout_id == order.rollout_id else one for one in fleet.orders[order.tool])
    return replace(fleet, orders={**fleet.orders, order.tool: orders})
