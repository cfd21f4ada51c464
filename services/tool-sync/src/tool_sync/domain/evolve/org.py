"""What concerns the org as a whole, or an assistant beside its saves."""

from collections.abc import Mapping
from typing import Final, assert_never

from tool_sync.domain import events
from tool_sync.domain.change_window import TIME_ZONE_DEFAULT, ChangeWindow, parse_window
from tool_sync.domain.evolve.changes import Changes, with_entry, with_words, without
from tool_sync.domain.subject import agent_subject, is_tool
from tool_sync.domain.toolset import Begun, ClinicPin, Failure, Recorded, Toolset

CAUSE_HALT: Final = "halt"
CAUSE_PIN: Final = "pin"

_OF_ASSISTANT = (
    events.AssistantRemoved
    | events.TrafficSplitSeen
    | events.AssistantDriftSeen
    | events.AssistantDiverged
    | events.DriftDetected
)
_OrgWide = (
    events.OrgRegistered
    | events.OrgTierChanged
    | events.ToolSettingChanged
    | events.ToolSettingRemoved
    | events.ToolCustomized
    | events.ToolPinned
    | events.ToolUnpinned
    | events.ToolPinExpired
    | events.ChangeWindowSet
    | events.ChangeWindowRemoved
    | events.ToolOrdered
    | events.RetryRequested
)
EVENTS = _OrgWide | events.ToolTextLost | events.OrgClosed | events.OrgSettled | _OF_ASSISTANT


def changes(state: Toolset, recorded: Recorded, event: EVENTS) -> Changes:
    """What one of these events changes."""
    if isinstance(event, _OF_ASSISTANT):
        return _of_assistant(state, recorded, event)
    match event:
        case events.OrgRegistered(tier=tier, time_zone=time_zone) if not state.closed:
            return {"tier": tier, "time_zone": time_zone or TIME_ZONE_DEFAULT}
        case events.OrgSettled(settled_through=through):
            done = state.org_wide_through is not None and state.org_wide_through <= through
            begun = {name: one for name, one in state.begun.items() if one.position > through}
            return {"org_wide_through": None, "org_wide_cause": None, "begun": begun} if done else {"begun": begun}
        case events.OrgClosed():
            return {"closed": True, "org_wide_through": recorded.position, "looks": {}, "pins": {}, "custom": {}}
        case events.ToolTextLost(name=name, set_at=set_at) if set_at not in (None, state.chosen_at.get(name)):
            return {}
        case events.ToolTextLost(name=name, hashes=hashes):
            left = tuple(part for part in state.custom.get(name, ()) if part.hash not in hashes)
            return {"custom": with_words(state.custom, name, left)}
        case events.ToolPinExpired(name=name, pinned_at=pinned_at) if not _is_of(state, name, pinned_at):
            return {}  # another pin was made meanwhile, or this one was taken back
        case _:
            return _org_wide(state, recorded.position, event)


def _org_wide(state: Toolset, position: int, event: _OrgWide) -> Changes:
    """A change that is looked for in every assistant of the org."""
    return {"org_wide_through": position, "org_wide_cause": _cause(state, event), **_org_after(state, position, event)}


def _cause(state: Toolset, event: _OrgWide) -> str:
    match event:
        case events.ToolOrdered(halt=halt):
            return CAUSE_HALT if halt else "rollout"
        case _ if state.org_wide_cause == CAUSE_HALT:
            return CAUSE_HALT  # what comes while a halt is carried out does not put it back among the bulk work
        case events.OrgRegistered() | events.OrgTierChanged():
            return "tier"
        case events.ToolPinned() | events.ToolUnpinned() | events.ToolPinExpired():
            return CAUSE_PIN
        case events.RetryRequested():
            return "retry"
        case _:
            return "setting"


def _org_after(state: Toolset, position: int, event: _OrgWide) -> Changes:
    match event:
        case events.OrgRegistered(tier=tier, time_zone=time_zone):
            # A new life under the same id: what the old one left behind is looked through like any change.
            zone = time_zone or TIME_ZONE_DEFAULT
            return {"tier": tier, "closed": False, "time_zone": zone, "window": None, "tier_at": position}
        case events.OrgTierChanged(tier=tier, time_zone=time_zone):
            tier_at = state.tier_at if tier == state.tier else position
            return {"tier": tier, "time_zone": time_zone or state.time_zone, "tier_at": tier_at}
        case events.ToolSettingChanged(name=name, enabled=enabled):
            return _chosen(state, position, name, enabled=enabled)
        case events.ToolCustomized(name=name, enabled=enabled, parts=parts):
            return _chosen(state, position, name, enabled=enabled, parts=parts)
        case events.ToolSettingRemoved(name=name):
            return _chosen(state, position, name, enabled=True)
        case events.ToolPinned(name=name):
            pin = ClinicPin(event.version, event.definition_hash, event.until, position)
            return {"pins": with_entry(state.pins, name, pin)}
        case events.ToolUnpinned(name=name):
            return {"pins": without(state.pins, name)}
        case events.ToolPinExpired(name=name, pinned_at=pinned_at):
            # Ours: what has arrived below its own position may not be read yet, and must not be settled with it.
            through = max(state.org_wide_through or 0, pinned_at)
            return {"pins": without(state.pins, name), "org_wide_through": through}
        case events.ChangeWindowSet(opens=opens, closes=closes):
            # One that this release cannot read holds nothing back.
            window = parse_window(f"{opens}-{closes}")
            return {"window": window if isinstance(window, ChangeWindow) else None}
        case events.ChangeWindowRemoved():
            return {"window": None}
        case events.ToolOrdered(name=name, order=order, halt=halt):
            return {} if halt else {"begun": with_entry(state.begun, name, Begun(order, position))}
        case events.RetryRequested(agent_id=agent_id):
            return {"failures": _lifted_by_operator(state, agent_id)}
        case _:
            assert_never(event)


def _chosen(
    state: Toolset, position: int, name: str, *, enabled: bool, parts: tuple[events.CustomPart, ...] = ()
) -> Changes:
    return {
        "chosen_at": with_entry(state.chosen_at, name, position),
        "disabled": state.disabled - {name} if enabled else state.disabled | {name},
        "custom": with_words(state.custom, name, parts),
    }


def _is_of(state: Toolset, name: str, pinned_at: int) -> bool:
    """Whether the tool's pin is the one that was made there."""
    return name in state.pins and state.pins[name].position == pinned_at


def _of_assistant(state: Toolset, recorded: Recorded, event: _OF_ASSISTANT) -> Changes:
    match event:
        case events.AssistantRemoved(agent_id=agent_id):
            return {
                "org_wide_through": recorded.position,
                "looks": without(state.looks, agent_id),
                "failures": without(state.failures, agent_subject(agent_id)),
            }
        case events.TrafficSplitSeen(agent_id=agent_id):
            looks = with_entry(state.looks, agent_id, recorded.recorded_at)
            return {"looks": looks, "org_wide_through": recorded.position}
        case events.AssistantDriftSeen(agent_id=agent_id):
            # Of a closed org nobody looks at an assistant again, so that the look would stay for ever.
            looks = state.looks if state.closed else with_entry(state.looks, agent_id, recorded.recorded_at)
            return {"looks": looks, "org_wide_through": recorded.position, "org_wide_cause": "drift"}
        case events.AssistantDiverged(sequence=sequence):
            return {"sequence": sequence}
        case events.DriftDetected():
            return {}
        case _:
            assert_never(event)


def _lifted_by_operator(state: Toolset, agent_id: str | None) -> Mapping[str, Failure]:
    """An operator lifts refusals and back-offs alike; what is still unknown keeps its due time."""
    unknown = {attempt.subject for attempt in state.attempts.values()}

    def lifted(subject: str) -> bool:
        mine = is_tool(subject) or agent_id is None or subject == agent_subject(agent_id)
        return mine and subject not in unknown

    return {subject: failure for subject, failure in state.failures.items() if not lifted(subject)}
