"""What may be done with a rollout in which state: ``decide_rollout(fleet, rollout id, command) -> event | Refused``.

command    planned   running   paused    completed  aborted   expired   rolled back
start      ●
pause                ●
resume                         ●
promote              ●
abort                ●         ●
rollback             ●         ●         ●          ●         ●
pass                 ●                                                       (a stage's gate has opened)
expire               ●         ●                                             (it has not for too long)
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Final, Literal, assert_never

from tool_sync.domain.events import (
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
RolloutEvent = (
    RolloutStarted
    | RolloutStageOpened
    | RolloutPaused
    | RolloutResumed
    | RolloutCompleted
    | RolloutAborted
    | RolloutExpired
    | RolloutRolledBack
)

LEGAL: Final[dict[RolloutCommand, frozenset[RolloutState]]] = {
    "start": frozenset({"planned"}),
    "pause": frozenset({"running"}),
    "resume": frozenset({"paused"}),
    "promote": frozenset({"running"}),
    "abort": frozenset({"running", "paused"}),
    "rollback": frozenset({"running", "paused", "completed", "aborted", "expired"}),
    "pass": frozenset({"running"}),
    "expire": frozenset({"running", "paused"}),
}


@dataclass(frozen=True, slots=True)
class Refused:
    """Nothing is written; ``why`` is a sentence for whoever asked."""

    why: str


def state_of(fleet: Fleet, rollout_id: str) -> RolloutState | None:
    """The state of a rollout; None where there is none of this id."""
    order = fleet.order(rollout_id)
    return order.state if order is not None else "planned" if rollout_id in fleet.plans else None


def decide_rollout(
    fleet: Fleet, rollout_id: str, command: RolloutCommand, *, reason: str, expires_at: datetime | None = None
) -> RolloutEvent | Refused:
    """The event that the command makes. ``expires_at`` is for a start; ``pass`` and ``expire`` give no reason."""
    state = state_of(fleet, rollout_id)
    if state is None:
        return Refused(f"there is no rollout {rollout_id}")
    if state not in LEGAL[command]:
        return Refused(f"rollout {rollout_id} is {state.replace('_', ' ')}, so it cannot be {_PAST[command]}")
    if command == "start":
        return _start(fleet, fleet.plans[rollout_id][0], reason, expires_at)
    order = fleet.order(rollout_id)
    assert order is not None, "only a start is legal for a plan"
    return _next(order, command, reason)


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


def _start(fleet: Fleet, plan: RolloutPlanned, reason: str, expires_at: datetime | None) -> RolloutStarted | Refused:
    if (other := fleet.open_order(plan.tool)) is not None:
        return Refused(
            f"rollout {other.rollout_id} of {plan.tool} is {other.state}: complete, abort or roll it back first"
        )
    if (refused := why_not_ordered(fleet, plan.tool, plan.version)) is not None:
        return Refused(refused)
    return RolloutStarted(plan.rollout_id, plan.tool, plan.version, plan.stages, reason, expires_at)


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


def _next(order: Order, command: RolloutCommand, reason: str) -> RolloutEvent:
    about = (order.rollout_id, order.tool)
    match command:
        case "pause":
            return RolloutPaused(*about, reason)
        case "resume":
            return RolloutResumed(*about, reason)
        case "abort":
            return RolloutAborted(*about, reason)
        case "rollback":
            return RolloutRolledBack(*about, reason)
        case "expire":
            return RolloutExpired(*about)
        case "promote" if order.is_last_stage_open:
            return RolloutCompleted(*about, "promoted", reason)
        case "promote":
            return RolloutStageOpened(*about, order.open_stage + 1, "promoted", reason)
        case "pass" if order.is_last_stage_open:
            return RolloutCompleted(*about, "gate")
        case "pass":
            return RolloutStageOpened(*about, order.open_stage + 1, "gate")
        case "start":
            raise AssertionError("a start is decided on its plan")
        case _:
            assert_never(command)
