"""What may be done with a rollout in which state: ``decide_rollout(fleet, rollout id, command) -> event | Refused``."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final, Literal, assert_never

from tool_sync.domain.events import (
    GateEvidence,
    OrderEvent,
    RolloutAborted,
    RolloutCompleted,
    RolloutExpired,
    RolloutPaused,
    RolloutPlanned,
    RolloutResumed,
    RolloutRolledBack,
    RolloutStageOpened,
    RolloutStarted,
)
from tool_sync.domain.fleet.state import Fleet, Order, OrderState

RolloutState = OrderState | Literal["planned"]
RolloutCommand = Literal["start", "pause", "resume", "promote", "abort", "rollback", "pass", "expire"]
RolloutEvent = RolloutStarted | OrderEvent

LEGAL: Final[dict[RolloutCommand, frozenset[RolloutState]]] = {
    "start": frozenset({"planned"}),
    "pause": frozenset({"running"}),
    "resume": frozenset({"paused"}),
    "promote": frozenset({"running"}),
    "abort": frozenset({"running", "paused"}),
    "rollback": frozenset({"running", "paused", "completed", "aborted", "expired"}),
    "pass": frozenset({"running"}),  # a stage's gate has opened
    "expire": frozenset({"running", "paused"}),  # it has not for too long
}
"""In which states a command may be given."""


@dataclass(frozen=True, slots=True)
class Refused:
    """Nothing is written; ``why`` is a sentence for whoever asked."""

    why: str


def state_of(fleet: Fleet, rollout_id: str) -> RolloutState | None:
    """The state of a rollout; None where there is none of this id."""
    order = fleet.order(rollout_id)
    return order.state if order is not None else "planned" if rollout_id in fleet.plans else None


def decide_rollout(
    fleet: Fleet,
    rollout_id: str,
    command: RolloutCommand,
    *,
    reason: str,
    expires_at: datetime | None = None,
    gated: bool = False,
    evidence: GateEvidence | None = None,
) -> RolloutEvent | Refused:
    """The event that the command makes. ``expires_at`` and ``gated`` are for a start; ``pass`` and ``expire`` give no
    reason; ``evidence`` is what a gate saw, for ``pass`` and tool-sync's own ``pause``."""
    state = state_of(fleet, rollout_id)
    if state is None:
        return Refused(f"there is no rollout {rollout_id}")
    if state not in LEGAL[command]:
        return Refused(f"rollout {rollout_id} is {state.replace('_', ' ')}, so it cannot be {_PAST[command]}")
    if command == "start":
        return _start(fleet, fleet.plans[rollout_id][0], reason, expires_at, gated)
    order = fleet.order(rollout_id)
    assert order is not None, "only a start is legal for a plan"
    return _next(order, command, reason, evidence)


_PAST: Final[dict[RolloutCommand, str]] = {
    "start": "applied",
    "pause": "paused",
    "resume": "resumed",
    "promote": "promoted",
    "abort": "aborted",
    "rollback": "rolled back",
    "pass": "passed",
    "expire": "expired",
}


def second_orders(fleet: Fleet, tool: str) -> tuple[Order, ...]:
    """The orders of a tool that were started while another one was open, and are open still.

    Orders are streams of their own: two that start in the same moment do not see each other. The first one stands.
    """
    return tuple(order for order in fleet.orders.get(tool, ()) if order.is_open)[1:]


def end_second(fleet: Fleet, rollout_id: str) -> RolloutAborted | Refused:
    """What ends such an order before it has given anybody anything."""
    order = fleet.order(rollout_id)
    if order is None or order not in second_orders(fleet, order.tool):
        return Refused(f"rollout {rollout_id} is the only one of its tool")
    first = next(one for one in fleet.orders[order.tool] if one.is_open)
    reason = f"rollout {first.rollout_id} was started in the same moment"
    return RolloutAborted(rollout_id, order.tool, reason, fleet_sequence=order.fleet_sequence + 1)


def _start(
    fleet: Fleet, plan: RolloutPlanned, reason: str, expires_at: datetime | None, gated: bool
) -> RolloutStarted | Refused:
    if (waits := why_not_now(fleet, plan.tool)) is not None:
        return Refused(waits)
    if (refused := why_not_ordered(fleet, plan.tool, plan.version)) is not None:
        return Refused(refused)
    if plan.version is not None and fleet.versions[plan.tool][plan.version].position > plan.as_of:
        return Refused(f"version {plan.version} of {plan.tool} was published again since it was planned: plan it anew")
    return RolloutStarted(
        plan.rollout_id, plan.tool, plan.version, plan.stages, reason, expires_at, gated, fleet_sequence=1
    )


def why_not_now(fleet: Fleet, tool: str) -> str | None:
    """Why no order of the tool can be started yet, as a sentence: another one is open; None where none is.

    Of two that started in the same moment it names the first, which stands.
    """
    other = next((order for order in fleet.orders.get(tool, ()) if order.is_open), None)
    if other is None:
        return None
    return f"rollout {other.rollout_id} of {tool} is {other.state}: complete, abort or roll it back first"


def why_not_ordered(fleet: Fleet, tool: str, version: int | None) -> str | None:
    """Why nobody can be given this version, as a sentence; None where they can. ``version`` None: an order to none."""
    if tool not in fleet.versions:
        return f"nobody has published a tool {tool}"
    if version is None:
        return None
    published = fleet.versions[tool].get(version)
    if published is None:
        known = ", ".join(map(str, sorted(fleet.versions[tool])))
        return f"{tool} has no version {version}; there is {known}"
    if published.is_withdrawn:
        return f"version {version} of {tool} was withdrawn"
    if not fleet.is_answered(published):
        return f"version {version} of {tool} has contract {published.contract}, which not every assistant-api answers"
    return None


def _next(order: Order, command: RolloutCommand, reason: str, evidence: GateEvidence | None) -> RolloutEvent:
    about, told = (order.rollout_id, order.tool), order.fleet_sequence + 1
    match command:
        case "pause":
            return RolloutPaused(*about, reason, evidence)
        case "resume":
            return RolloutResumed(*about, reason)
        case "abort":
            return RolloutAborted(*about, reason, fleet_sequence=told)
        case "rollback":
            return RolloutRolledBack(*about, reason, fleet_sequence=told)
        case "expire":
            return RolloutExpired(*about, fleet_sequence=told)
        case "promote" if order.is_last_stage_open:
            return RolloutCompleted(*about, "promoted", reason, fleet_sequence=told)
        case "promote":
            return RolloutStageOpened(*about, order.open_stage + 1, "promoted", reason)
        case "pass" if order.is_last_stage_open:
            return RolloutCompleted(*about, "gate", None, evidence, fleet_sequence=told)
        case "pass":
            return RolloutStageOpened(*about, order.open_stage + 1, "gate", None, evidence)
        case "start":
            raise AssertionError("a start is decided on its plan")
        case _:
            assert_never(command)
