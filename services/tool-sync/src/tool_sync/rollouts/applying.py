"""Applying a plan: it is made anew, and nothing is started where it is another one by now."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from tool_sync.db import Connection
from tool_sync.domain.events import RolloutPlanned, RolloutStage
from tool_sync.domain.fleet import Fleet
from tool_sync.domain.fleet.rollout import Refused, decide_rollout, state_of, why_not_ordered
from tool_sync.queries.as_of import fleet_of
from tool_sync.rollouts.command import Written, rollout_stream, write
from tool_sync.rollouts.plan import UNTRUE_SHARE_MAX, Planned, make_plan, untrue_share
from tool_sync.rollouts.stages import EXPIRES_AFTER
from tool_sync.sync.store import Log

# Two orders of one tool that start at once would both find that the other has not.
_ONE_BY_ONE: Final = "SELECT pg_advisory_xact_lock(7312, hashtext($1)), clock_timestamp() AS now"

SHOWN_MAX: Final = 5
"""Rollouts that one beginning is told to mean."""


@dataclass(frozen=True, slots=True)
class PlanChanged:
    """The plan is not true any more for so many of its clinics; ``now`` is what it would be."""

    share: float
    now: Planned


async def plan_order(
    connection: Connection, log: Log, tool: str, version: int | None, stages: tuple[RolloutStage, ...], *, actor: str
) -> Planned | Refused:
    """Plan an order and keep the plan. Nothing follows from it until it is applied."""
    fleet = await fleet_of(connection)
    if (why := why_not_ordered(fleet, tool, version)) is not None:
        return Refused(why)
    planned = await make_plan(connection, tool, version, stages)
    counts = planned.tally.counts
    if not counts.update + counts.add + counts.remove + counts.already + counts.left:
        return Refused("no stage holds any clinic: nobody would get it")
    event = planned.event

    def claimed(fleet: Fleet) -> RolloutPlanned | Refused:
        taken = state_of(fleet, event.rollout_id) is not None
        return Refused(f"there is a rollout {event.rollout_id} already: plan it anew") if taken else event

    written = await write(log, rollout_stream(event.rollout_id), claimed, actor=actor)
    return written if isinstance(written, Refused) else planned


async def apply_plan(
    connection: Connection, log: Log, rollout_id: str, *, reason: str, digest: str | None = None, actor: str
) -> Written | Refused | PlanChanged:
    """Start the order. ``digest``: refuse another plan than this one, where it is given."""
    kept = (await fleet_of(connection)).plans.get(rollout_id)
    if kept is not None:
        plan, _ = kept
        if digest is not None and digest != plan.digest:
            return Refused(f"rollout {rollout_id} is planned as {plan.digest}, not as {digest}")
        now = await make_plan(connection, plan.tool, plan.version, plan.stages, rollout_id)
        if (share := untrue_share(plan, now)) > UNTRUE_SHARE_MAX:
            return PlanChanged(share, now)
    async with connection.transaction():
        tool = None if kept is None else kept[0].tool
        row = await connection.fetchrow(_ONE_BY_ONE, tool or rollout_id)
        assert row is not None
        expires_at: datetime = row["now"] + EXPIRES_AFTER
        return await write(
            log,
            rollout_stream(rollout_id),
            lambda fleet: decide_rollout(fleet, rollout_id, "start", reason=reason, expires_at=expires_at),
            actor=actor,
        )


def find_rollout(fleet: Fleet, text: str) -> str | Refused:
    """The id of a rollout by its beginning."""
    ids = [*fleet.plans, *(order.rollout_id for orders in fleet.orders.values() for order in orders)]
    found = [one for one in ids if one.startswith(text)] if text not in ids else [text]
    if len(found) == 1:
        return found[0]
    if not found:
        return Refused(f"there is no rollout {text}; `tool-sync rollout list` lists them")
    more = f" and {len(found) - SHOWN_MAX} more" if len(found) > SHOWN_MAX else ""
    return Refused(f"{text!r} may be {', '.join(found[:SHOWN_MAX])}{more}: write more of it")
