"""Tools that are not wanted any more, and those that nobody should have made."""

from typing import assert_never

from tool_sync.domain.events import (
    SurplusDeleted,
    SurplusFound,
    SurplusSearched,
    SweepStarted,
    ToolDeleted,
    ToolReinstated,
    ToolRetired,
)
from tool_sync.domain.evolve.changes import Changes, following, given_by, with_entry, without
from tool_sync.domain.subject import SEARCH_SUBJECT, SWEEP_SUBJECT, surplus_subject, tool_subject
from tool_sync.domain.toolset import Recorded, Retired, Surplus, Toolset, ref_of

_OF_RETIRED = ToolRetired | ToolReinstated | ToolDeleted
_OF_SURPLUS = SurplusFound | SurplusSearched | SurplusDeleted | SweepStarted
EVENTS = _OF_RETIRED | _OF_SURPLUS


def changes(state: Toolset, recorded: Recorded, event: EVENTS) -> Changes:
    """What one of these events changes."""
    match event:
        case ToolRetired() | ToolReinstated() | ToolDeleted():
            return _of_retired(state, event)
        case _:
            return _of_surplus(state, recorded, event)


def _of_retired(state: Toolset, event: _OF_RETIRED) -> Changes:
    name, failures = event.name, without(state.failures, tool_subject(event.name))
    ref = ref_of(event)
    match event:
        case ToolRetired():
            return {
                "tools": without(state.tools, name),
                "retired": with_entry(state.retired, name, Retired(ref, event.reason, event.delete_at)),
                "failures": failures,
                "follows": following(state, name, event.order, event.fleet_position),
                "given_by": given_by(state, name, event.order),
            }
        case ToolReinstated():
            return {
                "tools": with_entry(state.tools, name, ref),
                "retired": without(state.retired, name),
                "failures": failures,
            }
        case ToolDeleted():
            return {
                "gone": (*state.gone, event.vapi_tool_id),
                "retired": without(state.retired, name),
                "attempts": without(state.attempts, event.attempt_id),
                "failures": failures,
            }
        case _:
            assert_never(event)


def _of_surplus(state: Toolset, recorded: Recorded, event: _OF_SURPLUS) -> Changes:
    match event:
        case SurplusFound(name=name, vapi_tool_id=tool_id):
            since = event.created_at or recorded.recorded_at
            # Org-wide work, so that whoever has the org by now makes it due.
            return {
                "surplus": with_entry(state.surplus, tool_id, Surplus(name, since)),
                "org_wide_through": recorded.position,
            }
        case SurplusSearched(names=names, through=through):
            # A registration that was given up after the search began may have landed after it.
            return {
                "suspects": {
                    name: suspect
                    for name, suspect in state.suspects.items()
                    if name not in names or suspect.closed_at > through
                },
                "failures": without(state.failures, SEARCH_SUBJECT),
            }
        case SweepStarted():
            return {"swept_at": recorded.recorded_at, "failures": without(state.failures, SWEEP_SUBJECT)}
        case SurplusDeleted(vapi_tool_id=tool_id):
            return {
                "gone": (*state.gone, tool_id),
                "surplus": without(state.surplus, tool_id),
                "attempts": without(state.attempts, event.attempt_id),
                "failures": without(state.failures, surplus_subject(tool_id)),
            }
        case _:
            assert_never(event)
