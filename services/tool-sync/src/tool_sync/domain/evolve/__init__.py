"""``evolve(state, recorded) -> state``: what an event changes in an org's state, by what the event is about."""

from typing import Final, assert_never, get_args

from tool_sync.domain.events import FleetEvent, ToolsetEvent
from tool_sync.domain.evolve import attempts, deletions, org, requests, tools
from tool_sync.domain.evolve.changes import Changes, Placed, changed
from tool_sync.domain.telling import number_after
from tool_sync.domain.toolset import Recorded, Toolset

_TOOLSET_EVENTS: Final = get_args(ToolsetEvent)


def evolve(state: Toolset, recorded: Recorded) -> Toolset:
    """The state after an event. Never refuses: what was written has happened."""
    version = state.version + isinstance(recorded.event, _TOOLSET_EVENTS)
    since = recorded.recorded_at if state.since is None else state.since
    placed = Placed(
        position=recorded.position, version=version, since=since, fleet_sequence=number_after(state, recorded.event)
    )
    return changed(state, placed, _changes(state, recorded))


def _changes(state: Toolset, recorded: Recorded) -> Changes:
    event = recorded.event
    if isinstance(event, requests.EVENTS):
        return requests.changes(state, recorded, event)
    if isinstance(event, attempts.EVENTS):
        return attempts.changes(state, recorded, event)
    if isinstance(event, tools.EVENTS):
        return tools.changes(state, recorded, event)
    if isinstance(event, org.EVENTS):
        return org.changes(state, recorded, event)
    if isinstance(event, deletions.EVENTS):
        return deletions.changes(state, recorded, event)
    if isinstance(event, FleetEvent):
        raise AssertionError(f"{type(event).__name__} is in no org's stream")
    assert_never(event)
