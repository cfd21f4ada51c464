"""Tools that are not wanted any more, and those that nobody should have made."""

from typing import Final, assert_never

from tool_sync.domain import events
from tool_sync.domain.evolve.changes import Changes, decided_on, given_by, with_entry, without
from tool_sync.domain.subject import SEARCH_SUBJECT, SWEEP_SUBJECT, surplus_subject, tool_subject
from tool_sync.domain.toolset import Recorded, Retired, Surplus, Toolset, ref_of

FOR_GOOD: Final[frozenset[events.RetireReason]] = frozenset({"order", "closed", "unused"})
"""Why a tool goes that the clinic is not waiting to have again."""

_OF_RETIRED = events.ToolRetired | events.ToolReinstated | events.ToolDeleted
_OF_SURPLUS = events.SurplusFound | events.SurplusSearched | events.SurplusDeleted | events.SweepStarted
EVENTS = _OF_RETIRED | _OF_SURPLUS


def changes(state: Toolset, recorded: Recorded, event: EVENTS) -> Changes:
    """What one of these events changes."""
    match event:
        case events.ToolRetired() | events.ToolReinstated() | events.ToolDeleted():
            return _of_retired(state, recorded, event)
        case _:
            return _of_surplus(state, recorded, event)


def _of_retired(state: Toolset, recorded: Recorded, event: _OF_RETIRED) -> Changes:
    name, failures = event.name, without(state.failures, tool_subject(event.name))
    ref = ref_of(event)
    match event:
        case events.ToolRetired():
            # By a setting, a lower tier or a halt the clinic is without it for a while, and gets back what it had.
            kept = without(state.kept, name) if event.reason in FOR_GOOD else state.kept
            return {
                "kept": kept,
                "kept_since": state.kept_since if kept else None,
                "begun": without(state.begun, name),
                "tools": without(state.tools, name),
                "retired": with_entry(state.retired, name, Retired(ref, event.reason, event.delete_at)),
                "failures": failures,
                "decided_on": decided_on(state, name, event.fleet_position),
                "given_by": given_by(state, name, event.order),
            }
        case events.ToolReinstated():
            return {
                "kept": with_entry(state.kept, name, ref.definition_hash),
                "kept_since": recorded.position if state.kept_since is None else state.kept_since,
                "begun": without(state.begun, name),
                "tools": with_entry(state.tools, name, ref),
                "retired": without(state.retired, name),
                "failures": failures,
                "decided_on": decided_on(state, name, event.fleet_position),
            }
        case events.ToolDeleted():
            return {
                "gone": (*state.gone, event.vapi_tool_id),
                "retired": without(state.retired, name),
                "attempts": without(state.attempts, event.attempt_id),
                "failures": failures,
                "overlays": state.overlays if name in state.tools else without(state.overlays, name),
            }
        case _:
            assert_never(event)


def _of_surplus(state: Toolset, recorded: Recorded, event: _OF_SURPLUS) -> Changes:
    match event:
        case events.SurplusFound(name=name, vapi_tool_id=tool_id):
            since = event.created_at or recorded.recorded_at
            # Org-wide work, so that whoever has the org by now makes it due.
            return {
                "surplus": with_entry(state.surplus, tool_id, Surplus(name, since)),
                "org_wide_through": recorded.position,
            }
        case events.SurplusSearched(names=names, through=through):
            # A registration that was given up after the search began may have landed after it.
            return {
                "suspects": {
                    name: suspect
                    for name, suspect in state.suspects.items()
                    if name not in names or suspect.closed_at > through
                },
                "failures": without(state.failures, SEARCH_SUBJECT),
            }
        case events.SweepStarted():
            return {"swept_at": recorded.recorded_at, "failures": without(state.failures, SWEEP_SUBJECT)}
        case events.SurplusDeleted(vapi_tool_id=tool_id):
            return {
                "gone": (*state.gone, tool_id),
                "surplus": without(state.surplus, tool_id),
                "attempts": without(state.attempts, event.attempt_id),
                "failures": without(state.failures, surplus_subject(tool_id)),
            }
        case _:
            assert_never(event)
