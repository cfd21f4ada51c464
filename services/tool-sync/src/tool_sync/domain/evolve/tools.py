"""An org's tools at Vapi: made, updated, gone or changed by somebody else."""

from collections.abc import Mapping
from typing import assert_never

from tool_sync.domain.events import ToolDriftEnded, ToolDriftSeen, ToolRegistered, ToolUpdated, ToolVanished
from tool_sync.domain.evolve.changes import Changes, given_by, with_entry, with_words, without
from tool_sync.domain.subject import tool_subject
from tool_sync.domain.toolset import VERSIONS_MAX, Recorded, Surplus, Toolset, ref_of

EVENTS = ToolRegistered | ToolUpdated | ToolVanished | ToolDriftSeen | ToolDriftEnded


def changes(state: Toolset, recorded: Recorded, event: EVENTS) -> Changes:
    """What one of these events changes."""
    match event:
        case ToolRegistered() | ToolUpdated():
            return _registered(state, recorded, event)
        case ToolVanished(name=name, vapi_tool_id=tool_id):
            subject = tool_subject(name)
            return {
                "gone": (*state.gone, tool_id),
                "tools": without(state.tools, name),
                # What was open about it is over: nothing can change a tool that is not there.
                "attempts": {id_: a for id_, a in state.attempts.items() if a.subject != subject},
                "failures": without(state.failures, subject),
                "drifted": without(state.drifted, name),
                "overlays": without(state.overlays, name),
                # Every assistant that names the dead id fails its next call.
                "org_wide_through": recorded.position,
                "org_wide_cause": "drift",
            }
        case ToolDriftSeen(name=name):
            return {
                "drifted": with_entry(state.drifted, name, event),
                "org_wide_through": recorded.position,
                "org_wide_cause": "drift",
            }
        case ToolDriftEnded(name=name):
            return {"drifted": without(state.drifted, name)}
        case _:
            assert_never(event)


def _registered(state: Toolset, recorded: Recorded, event: ToolRegistered | ToolUpdated) -> Changes:
    name, tool_id = event.name, event.vapi_tool_id
    retired, surplus = state.retired, without(state.surplus, tool_id)
    before = retired.get(name)
    if before is not None:
        retired = without(retired, name)
        if before.ref.vapi_tool_id != tool_id:  # its deletion may still land; one that was adopted is no surplus
            surplus = with_entry(surplus, before.ref.vapi_tool_id, Surplus(name, recorded.recorded_at))
    return {
        "tools": with_entry(state.tools, name, ref_of(event)),
        "account": event.account,
        "attempts": without(state.attempts, event.attempt_id),
        "failures": without(state.failures, tool_subject(name)),
        "versions": _with_version(state, event),
        "drifted": without(state.drifted, name),
        "gone": tuple(gone for gone in state.gone if gone != tool_id),
        "retired": retired,
        "surplus": surplus,
        "given_by": given_by(state, name, event.order),
        "kept": with_entry(state.kept, name, event.definition_hash),
        "kept_since": recorded.position if state.kept_since is None else state.kept_since,
        "begun": without(state.begun, name),
        "overlays": with_words(state.overlays, name, event.overlay),
    }


def _with_version(state: Toolset, event: ToolRegistered | ToolUpdated) -> Mapping[str, Mapping[str, int]]:
    """Vapi's label of what the tool holds now. Of a tool that is gone for good nobody asks any more."""
    kept = {tool_id: labels for tool_id, labels in state.versions.items() if tool_id in state.tool_ids}
    if event.vapi_version is None:
        return kept
    labels = with_entry(kept.get(event.vapi_tool_id, {}), event.vapi_version, event.definition_version)
    return {**kept, event.vapi_tool_id: dict(list(labels.items())[-VERSIONS_MAX:])}
