"""The rule that decided what an org has of a tool, and the orders that it beat, as sentences."""

from typing import assert_never

from tool_sync.domain.change_window import local_time, state_of_window
from tool_sync.domain.fleet import Order, ToolDecision
from tool_sync.domain.toolset import Toolset
from tool_sync.queries import tool_pins
from tool_sync.queries.as_of import StateAsOf
from tool_sync.queries.tool_pins import ToolPin
from tool_sync.queries.tool_settings import ToolSetting, said


def rule_of(
    decided: ToolDecision, moment: StateAsOf, name: str, setting: ToolSetting | None, pin: ToolPin | None
) -> str:
    """Why the org is to have the tool or not, as a sentence."""
    order, tier = decided.order, moment.state.tier
    ordered = "" if order is None else f"by rollout {order.rollout_id}, {order.state}: {_what(order)}"
    given = ordered if pin is None else tool_pins.said(pin)
    unused = "; no assistant is left that needs it" if is_unused(moment.state, name) else ""
    match decided.rule:
        case "closed":
            return "the organization was deleted, so it wants no tools"
        case "halted":
            return f"the tool is halted for every clinic: {moment.fleet.halted[name]}"
        case "setting":
            assert setting is not None, f"{name} is off by an event of the org"
            return f"{said(setting)}; without that {given or 'no order gives it'}"
        case "no order" if name not in moment.fleet.versions:
            return f"nobody has published a tool {name}"
        case "no order":
            return "no order gives it to this clinic"
        case "ordered to none":
            return ordered
        case "tier":
            return f"{given}, which is for a higher tier than {tier}, the organization's"
        case "contract":
            return f"{given}, which no assistant-api answers yet, so it stays as it is"
        case "window":
            window, zone = moment.state.window, moment.state.time_zone
            assert window is not None, "only a clinic with a change window waits for it"
            opens_at = state_of_window(window, zone, moment.asked_at).opens_at
            waits = f"it waits for its window ({window}), opens {local_time(opens_at, zone)}"
            return f"{ordered or 'no order gives it to this clinic'}; {waits}, and stays as it is until then"
        case "pinned":
            return f"{given}; without that {ordered or 'no order gives it'}{unused}"
        case "order":
            return f"{ordered}; the organization's tier is {tier}{unused}"
        case _:
            assert_never(decided.rule)


def is_unused(state: Toolset, name: str) -> bool:
    """Whether the tool went as the org has no assistant left."""
    return name in state.retired and state.retired[name].reason == "unused"


def why_beaten(order: Order, moment: StateAsOf) -> str:
    """Why a newer order than the one that counts does not hold the org, as a sentence."""
    signup = moment.state.since is not None and moment.state.since >= order.started_at
    match order.state:
        case "running" if signup:
            why = "a clinic that came after it joins with its last stage"
        case "running" if order.open_stage < 0:
            why = "its first stage is not open yet"
        case "running":
            why = f"its stage {order.open_stage + 1} of {len(order.stages)} does not hold this clinic"
        case "completed":
            why = "it was never for this clinic"
        case _:
            why = f"it was {order.state} before it reached this clinic"
    return f"rollout {order.rollout_id} ({_what(order)}): {why}"


def _what(order: Order) -> str:
    return f"no {order.tool}" if order.version is None else f"version {order.version}"
