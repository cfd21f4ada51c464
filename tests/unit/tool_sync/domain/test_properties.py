"""Whatever is in a log: it folds, and its plan is due later. What runs make of it is tried in `tests/simulation`."""

from dataclasses import is_dataclass
from datetime import datetime, timedelta
from types import UnionType
from typing import Any, Union, get_args, get_origin, get_type_hints

from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import TypeAdapter

from tool_sync.domain.events import BlueprintPublished, Event, FleetEvent
from tool_sync.domain.evolve import evolve
from tool_sync.domain.plan import next_steps
from tool_sync.domain.plan.situation import RunProgress, Situation
from tool_sync.domain.toolset import Assistant, Recorded, Toolset
from tool_sync.domain.wanted import Wanted, wanted_of

from .builders import ACCOUNT, BOOK, CANCEL, POLICY, T0, after
from .fleets import ORG, fleet_of

SNAPSHOT = TypeAdapter(Toolset)

WORDS = st.sampled_from(["a", "b", "tool:book", "agent:a", "book", "cancel", "basic"])
DOCUMENTS = st.sampled_from([{"parameters": []}, {"parameters": [{"key": "contract", "value": 2}]}])
TIMES = st.integers(0, 10_000).map(lambda seconds: T0 + timedelta(seconds=seconds))


def any_of(kind: Any) -> st.SearchStrategy[Any]:
    """Any value of a field's type, with few words so that events meet each other."""
    origin, arguments = get_origin(kind), get_args(kind)
    if kind is str:
        return WORDS
    if kind is datetime:
        return TIMES
    if origin is dict:
        return DOCUMENTS
    if isinstance(kind, type) and is_dataclass(kind):
        return st.builds(kind, **{name: any_of(hint) for name, hint in get_type_hints(kind).items()})
    if origin is tuple:
        return st.lists(any_of(arguments[0]), max_size=2).map(tuple)
    if origin in (Union, UnionType):
        return st.one_of(*map(any_of, arguments))
    return st.from_type(kind)


FLEET_KINDS = get_args(FleetEvent)
EVENTS = st.one_of(*(any_of(kind) for kind in get_args(Event) if kind not in FLEET_KINDS))
FLEET_EVENTS = st.one_of(*map(any_of, FLEET_KINDS))


@given(st.lists(EVENTS, max_size=30), st.lists(FLEET_EVENTS, max_size=30))
@settings(max_examples=300)
def test_any_sequence_of_events_folds(events: list[Event], fleet_events: list[FleetEvent]) -> None:
    state = Toolset()
    for position, event in enumerate(events, 1):
        state = evolve(state, Recorded(position, T0 + timedelta(seconds=position), event))

    assert state.position == len(events)
    assert SNAPSHOT.validate_json(SNAPSHOT.dump_json(state)) == state, "a snapshot must be the state"
    rows = {
        agent_id: Assistant(agent_id, "vapi", 1)
        for agent_id in ("a", "b", "tool:book", "agent:a", "book", "basic", "cancel")
    }
    for wanted in (Wanted((BOOK, CANCEL)), wanted_of(state, fleet_of(*fleet_events), ORG, after(0))):
        made = next_steps(Situation(state, rows, wanted, T0 + timedelta(hours=1), POLICY, RunProgress(), ACCOUNT))
        assert made.next_due is None or made.next_due > T0 + timedelta(hours=1)


@given(st.lists(FLEET_EVENTS, max_size=30))
def test_any_sequence_of_the_fleets_events_folds_to_its_newest_position(events: list[FleetEvent]) -> None:
    fleet = fleet_of(*events)

    assert fleet.position == len(events)
    assert sum(fleet.stream_versions.values()) == len(events)
    assert set(fleet.names) == {e.name for e in events if isinstance(e, BlueprintPublished) and e.document is not None}
