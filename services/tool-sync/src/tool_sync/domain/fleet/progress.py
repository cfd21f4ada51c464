"""How far one clinic has come with one order, and what it waits for: by the rules of the order itself. Pure."""

from dataclasses import dataclass, replace
from typing import Final, Literal

from tool_sync.domain.fleet.decide import Clinic, ToolDecision, contains, decide_tool
from tool_sync.domain.fleet.state import Fleet, Order
from tool_sync.domain.fleet.work import ClinicFacts, Work, work_of

ClinicState = Literal["done", "waiting", "refused", "left"]
CLINIC_STATES: Final[tuple[ClinicState, ...]] = ("done", "waiting", "refused", "left")
_TO_DO: Final[frozenset[Work]] = frozenset({"update", "add", "remove"})


@dataclass(frozen=True, slots=True)
class ClinicProgress:
    """``done``: as ordered. ``waiting``: not yet. ``refused``: Vapi refuses the definition for good. ``left``: it stays
    as it is, for a reason of the clinic's own or of the tool's.

    ``why`` is a sentence's part, None where the state says it all.
    """

    state: ClinicState
    why: str | None = None


def progress_of(facts: ClinicFacts, fleet: Fleet, order: Order) -> ClinicProgress | None:
    """None where the order is not for the clinic: no stage holds it, a newer order does, or it ended before."""
    made = decide_tool(facts.clinic, fleet, order.tool)
    if _is_by(made, order):
        return _ordered(facts, fleet, order, made)
    if order.is_open:
        return _later(facts, fleet, order)
    follows = order.rollout_id in facts.clinic.follows.get(order.tool, ())
    if order.state == "rolled_back" and follows and work_of(facts, fleet, order.tool) in _TO_DO:
        return ClinicProgress("waiting", "it still has what was rolled back")
    return None


def _is_by(made: ToolDecision, order: Order) -> bool:
    return made.order is not None and made.order.rollout_id == order.rollout_id


def _ordered(facts: ClinicFacts, fleet: Fleet, order: Order, made: ToolDecision) -> ClinicProgress:
    work = work_of(facts, fleet, order.tool)
    if made.rule == "window":
        return ClinicProgress("waiting", "its change window is closed")
    if work in _TO_DO:
        return ClinicProgress("waiting")
    if work == "refused":
        return ClinicProgress("refused")
    if why := _why_left(facts.clinic, fleet, order, made):
        return ClinicProgress("left", why)
    return ClinicProgress("left", "it has no assistant") if work == "unused" else ClinicProgress("done")


def _why_left(clinic: Clinic, fleet: Fleet, order: Order, made: ToolDecision) -> str | None:
    version = order.gives
    match made.rule:
        case "order" | "ordered to none":
            return None
        case "halted":
            return f"{order.tool} is halted: {fleet.halted[order.tool]}"
        case "setting":
            return "a setting of the clinic's switches the tool off"
        case "tier" if version is not None:
            return f"its tier, {clinic.tier}, is below {version.tier}"
        case "contract" if version is not None:
            return f"assistant-api does not answer contract {version.contract} of {order.tool}"
        case "pinned":
            return "it is pinned to a version"
        case _:
            return made.rule


def _later(facts: ClinicFacts, fleet: Fleet, order: Order) -> ClinicProgress | None:
    """Of an order that goes on: is the clinic in a stage that is not open, or held up by a pause?"""
    whole = replace(order, state="completed", open_stage=len(order.stages) - 1)
    orders = tuple(whole if one.rollout_id == order.rollout_id else one for one in fleet.orders[order.tool])
    there = replace(fleet, orders={**fleet.orders, order.tool: orders})
    made = decide_tool(facts.clinic, there, order.tool)
    if not _is_by(made, order):
        return None
    then = _ordered(facts, there, whole, made)
    if then.state != "waiting":
        return then
    stage = next(number for number, one in enumerate(order.stages) if contains(one, facts.clinic))
    if stage <= order.open_stage and order.state == "paused":
        return ClinicProgress("waiting", "the rollout is paused")
    if stage <= order.open_stage:  # it came while the order ran
        stage = len(order.stages) - 1
    return ClinicProgress(
        "waiting", f"stage {stage + 1} of {len(order.stages)}, {order.stages[stage].name}, is not open"
    )
