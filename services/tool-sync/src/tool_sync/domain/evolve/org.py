"""What concerns the org as a whole, or an assistant beside its saves."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Final, assert_never

from tool_sync.domain.events import (
    AssistantDiverged,
    AssistantDriftSeen,
    AssistantRemoved,
    DriftDetected,
    OrgClosed,
    OrgRegistered,
    OrgSettled,
    OrgTierChanged,
    RetryRequested,
    ToolOrdered,
    ToolSettingChanged,
    ToolSettingRemoved,
    TrafficSplitSeen,
)
from tool_sync.domain.evolve.changes import Changes, with_entry, without
from tool_sync.domain.subject import agent_subject, is_tool
from tool_sync.domain.toolset import Failure, Recorded, Toolset

CAUSE_HALT: Final = "halt"

_OF_ASSISTANT = AssistantRemoved | TrafficSplitSeen | AssistantDriftSeen | AssistantDiverged | DriftDetected
_OF_ORG = (
    OrgRegistered
    | OrgTierChanged
    | ToolSettingChanged
    | ToolSettingRemoved
    | ToolOrdered
    | RetryRequested
    | OrgClosed
    | OrgSettled
)
EVENTS = _OF_ORG | _OF_ASSISTANT


def changes(state: Toolset, recorded: Recorded, event: EVENTS) -> Changes:
    """What one of these events changes."""
    match event:
        case AssistantRemoved() | TrafficSplitSeen() | AssistantDriftSeen() | AssistantDiverged() | DriftDetected():
            return _of_assistant(state, recorded, event)
        case OrgRegistered(tier=tier) if not state.closed:
            return {"tier": tier}
        case OrgSettled(settled_through=through):
            done = state.org_wide_through is not None and state.org_wide_through <= through
            return {"org_wide_through": None, "org_wide_cause": None} if done else {}
        case OrgClosed():
            return {"closed": True, "org_wide_through": recorded.position, "looks": {}}
        case _:
            return _org_wide(state, recorded.position, event)


def _org_wide(
    state: Toolset,
    position: int,
    event: OrgRegistered | OrgTierChanged | ToolSettingChanged | ToolSettingRemoved | ToolOrdered | RetryRequested,
) -> Changes:
    """A change that is looked for in every assistant of the org."""
    if state.org_wide_cause == CAUSE_HALT and not isinstance(event, ToolOrdered):
        # What comes while a halt is carried out does not put it back among the bulk work.
        return {**_org_wide(replace(state, org_wide_cause=None), position, event), "org_wide_cause": CAUSE_HALT}
    match event:
        case OrgRegistered(tier=tier):
            # A new life under the same id: what the old one left behind is looked through like any change.
            return {"tier": tier, "closed": False, "org_wide_through": position, "org_wide_cause": "tier"}
        case OrgTierChanged(tier=tier):
            return {"tier": tier, "org_wide_through": position, "org_wide_cause": "tier"}
        case ToolSettingChanged(name=name, enabled=enabled):
            disabled = state.disabled - {name} if enabled else state.disabled | {name}
            return {"disabled": disabled, "org_wide_through": position, "org_wide_cause": "setting"}
        case ToolSettingRemoved(name=name):
            return {"disabled": state.disabled - {name}, "org_wide_through": position, "org_wide_cause": "setting"}
        case ToolOrdered(halt=halt):
            return {"org_wide_through": position, "org_wide_cause": CAUSE_HALT if halt else "rollout"}
        case RetryRequested(agent_id=agent_id):
            failures = _lifted_by_operator(state, agent_id)
            return {"failures": failures, "org_wide_through": position, "org_wide_cause": "retry"}
        case _:
            assert_never(event)


def _of_assistant(state: Toolset, recorded: Recorded, event: _OF_ASSISTANT) -> Changes:
    match event:
        case AssistantRemoved(agent_id=agent_id):
            return {
                "org_wide_through": recorded.position,
                "looks": without(state.looks, agent_id),
                "failures": without(state.failures, agent_subject(agent_id)),
            }
        case TrafficSplitSeen(agent_id=agent_id):
            looks = with_entry(state.looks, agent_id, recorded.recorded_at)
            return {"looks": looks, "org_wide_through": recorded.position}
        case AssistantDriftSeen(agent_id=agent_id):
            # Of a closed org nobody looks at an assistant again, so that the look would stay for ever.
            looks = state.looks if state.closed else with_entry(state.looks, agent_id, recorded.recorded_at)
            return {"looks": looks, "org_wide_through": recorded.position, "org_wide_cause": "drift"}
        case AssistantDiverged(sequence=sequence):
            return {"sequence": sequence}
        case DriftDetected():
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
