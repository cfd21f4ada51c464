"""Applying a plan: it is made anew, and nothing is started where it is another one by now."""

from dataclasses import dataclass
from typing import Final

from tool_sync.db import Connection, read_now
from tool_sync.domain.events import RolloutPlanned, RolloutStage
from tool_sync.domain.fleet import Fleet
from tool_sync.domain.fleet.rollout import (
    Refused,
    decide_rollout,
    end_second,
    second_orders,
    state_of,
    why_not_now,
    why_not_ordered,
)
from tool_sync.log import Log, rollout_stream
from tool_sync.queries.as_of import fleet_of
from tool_sync.rollouts.command import Written, write
from tool_sync.rollouts.plan import UNTRUE_SHARE_MAX, Planned, make_plan, untrue_share
from tool_sync.rollouts.stages import EXPIRES_AFTER
from tool_sync.sync.blueprint import read_fleet

ACTOR: Final = "tool-sync"


@dataclass(frozen=True, slots=True)
class PlanChanged:
    """The plan is not true any more for so many of its clinics; ``now`` is what it would be."""

    share: float
    now: Planned


async def plan_order(
    connection: Connection,
    log: Log,
    tool: str,
    version: int | None,
    stages: tuple[RolloutStage, ...],
    *,
    actor: str,
    rollout_id: str | None = None,
) -> Planned | Refused:
    """Plan an order and keep the plan, under a new id where none is given. Nothing follows until it is applied."""
    fleet = await fleet_of(connection)
    if (why := why_not_ordered(fleet, tool, version)) is not None:
        return Refused(why)
    planned = await make_plan(connection, tool, version, stages, rollout_id)
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
    connection: Connection,
    log: Log,
    rollout_id: str,
    *,
    reason: str,
    digest: str | None = None,
    actor: str,
    gated: bool = True,
) -> Written | Refused | PlanChanged:
    """Start the order. ``digest``: refuse another plan than this one, where it is given.

    ``gated``: where assistant-api has the handler, nobody gets it before a dry run.
    """
    kept = (await fleet_of(connection)).plans.get(rollout_id)
    if kept is not None:
        plan, _ = kept
        if digest is not None and digest != plan.digest:
            return Refused(f"rollout {rollout_id} is planned as {plan.digest}, not as {digest}")
        now = await make_plan(connection, plan.tool, plan.version, plan.stages, rollout_id)
        if (share := untrue_share(plan, now)) > UNTRUE_SHARE_MAX:
            return PlanChanged(share, now)
    at = await read_now(connection)
    written = await write(
        log,
        rollout_stream(rollout_id),
        lambda fleet: decide_rollout(
            fleet,
            rollout_id,
            "start",
            reason=reason,
            expires_at=at + EXPIRES_AFTER,
            gated=gated and _has_handler(fleet, rollout_id),
        ),
        actor=actor,
    )
    if isinstance(written, Refused):
        return written
    return await _unless_second(log, rollout_id, written)


def _has_handler(fleet: Fleet, rollout_id: str) -> bool:
    """Whether assistant-api answers what the plan gives."""
    if rollout_id not in fleet.plans:
        return False
    plan, _ = fleet.plans[rollout_id]
    version = None if plan.version is None else fleet.versions.get(plan.tool, {}).get(plan.version)
    return version is not None and version.contract > 0


async def _unless_second(log: Log, rollout_id: str, started: Written) -> Written | Refused:
    """Two orders of one tool that start at once find that the other has not; whoever comes second ends itself.

    A process that dies before it has done that leaves it to the feeder, which feeds nobody before.
    """
    fleet = await read_fleet(log)
    order = fleet.order(rollout_id)
    if order is None or order not in second_orders(fleet, order.tool):
        return started
    await end_second_order(log, rollout_id)
    return Refused(why_not_now(fleet, order.tool) or "another rollout of the tool is open")


async def end_second_order(log: Log, rollout_id: str) -> Written | Refused:
    """Abort an order that was started while another one of its tool was open; refused where it is none by now."""
    return await write(log, rollout_stream(rollout_id), lambda fleet: end_second(fleet, rollout_id), actor=ACTOR)
