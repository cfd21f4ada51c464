"""How far orders have come: from the fleet and counts of the tables, never from a walk over all clinics."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from tool_sync.db import Connection
from tool_sync.domain.fleet import Fleet, Order, OrderState
from tool_sync.rollouts.turns import waits

_DONE: Final = """
SELECT count(*) AS followers, count(*) FILTER (WHERE enabled) AS having FROM org_tools
 WHERE tool_name = $1 AND rollout_id = $2
"""
_REFUSED: Final = """
SELECT count(*) FROM tool_refusals WHERE tool_name = $1 AND code IS NOT NULL AND definition_hash = $2
"""

# Of what the tables know: what Vapi has beside it is not linked by us.
_LINKED: Final = """
SELECT count(DISTINCT t.org_id) AS clinics, count(a.agent_id) AS assistants
  FROM org_tools t LEFT JOIN assistants a ON a.org_id = t.org_id AND NOT a.removed
 WHERE t.tool_name = $1 AND t.enabled
"""


@dataclass(frozen=True, slots=True)
class RolloutStatus:
    """One order. ``clinics``: that have its version, by an order to none those that lost the tool by it. ``refused``:
    whose tool Vapi refuses for good.

    ``waits``: what the next stage waits for, as of the feeder's last turn; None where it waits for clinics alone.
    """

    rollout_id: str
    tool: str
    version: int | None
    state: OrderState
    stage: int
    stages: int
    stage_name: str
    started_at: datetime
    clinics: int
    refused: int
    waits: str | None
    reason: str


async def status_of(connection: Connection, fleet: Fleet, order: Order) -> RolloutStatus:
    """As of now."""
    version = fleet.version_of(order)
    counts = await connection.fetchrow(_DONE, order.tool, order.rollout_id)
    assert counts is not None
    refused = 0 if version is None else await connection.fetchval(_REFUSED, order.tool, version.definition_hash)
    return RolloutStatus(
        order.rollout_id,
        order.tool,
        order.version,
        order.state,
        order.open_stage + 1,
        len(order.stages),
        order.stages[order.open_stage].name,
        order.started_at,
        counts["having"] if order.version is not None else counts["followers"] - counts["having"],
        refused,
        await waits(connection, order.tool) if order.is_open else None,
        order.reason,
    )


async def linked(connection: Connection, tool: str) -> tuple[int, int]:
    """How many clinics have the tool, and how many assistants these have."""
    row = await connection.fetchrow(_LINKED, tool)
    assert row is not None
    return row["clinics"], row["assistants"]
