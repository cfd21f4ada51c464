"""Whatever arrives and whatever Vapi does: nothing is lost, told twice, numbered wrongly or left without a due time."""

from dataclasses import is_dataclass
from datetime import datetime, timedelta
from types import UnionType
from typing import Any, Union, get_args, get_origin, get_type_hints

from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import TypeAdapter

from tool_sync.domain.events import (
    AssistantRemoved,
    BlueprintEvent,
    Event,
    OrgClosed,
    OrgTierChanged,
    RequestUnreadable,
    SyncRequested,
    ToolSettingChanged,
)
from tool_sync.domain.evolve import evolve
from tool_sync.domain.plan import next_steps
from tool_sync.domain.plan.situation import RunProgress, Situation
from tool_sync.domain.toolset import Assistant, Recorded, Toolset
from tool_sync.domain.wanted import TIERS, Wanted

from .builders import ACCOUNT, BOOK, CANCEL, POLICY, T0, uid
from .simulation import Org, request

AGENTS = ("a", "b")
SNAPSHOT = TypeAdapter(Toolset)
TO_THE_END_RUNS_MAX = 300

WORDS = st.sampled_from(["a", "b", "tool:book", "agent:a", "book", "cancel", "basic"])
TIMES = st.integers(0, 10_000).map(lambda seconds: T0 + timedelta(seconds=seconds))


def any_of(kind: Any) -> st.SearchStrategy[Any]:
    """Any value of a field's type, with few words so that events meet each other."""
    origin, arguments = get_origin(kind), get_args(kind)
    if kind is str:
        return WORDS
    if kind is datetime:
        return TIMES
    if isinstance(kind, type) and is_dataclass(kind):
        return st.builds(kind, **{name: any_of(hint) for name, hint in get_type_hints(kind).items()})
    if origin is tuple:
        return st.lists(any_of(arguments[0]), max_size=2).map(tuple)
    if origin in (Union, UnionType):
        return st.one_of(*map(any_of, arguments))
    return st.from_type(kind)


EVENTS = st.one_of(*(any_of(kind) for kind in get_args(Event) if kind is not BlueprintEvent))
STORY = st.lists(
    st.sampled_from(
        ["save a", "save b", "unreadable", "remove a", "tier", "setting", "run", "run", "wait", "wait", "later"]
    ),
    max_size=25,
)


@given(st.lists(EVENTS, max_size=30))
@settings(max_examples=300)
def test_any_sequence_of_events_folds(events: list[Event]) -> None:
    state = Toolset()
    for position, event in enumerate(events, 1):
        state = evolve(state, Recorded(position, T0 + timedelta(seconds=position), event))

    assert state.position == len(events)
    assert SNAPSHOT.validate_json(SNAPSHOT.dump_json(state)) == state, "a snapshot must be the state"
    rows = {
        agent_id: Assistant(agent_id, "vapi", 1)
        for agent_id in ("a", "b", "tool:book", "agent:a", "book", "basic", "cancel")
    }
    made = next_steps(
        Situation(state, rows, Wanted((BOOK, CANCEL)), T0 + timedelta(hours=1), POLICY, RunProgress(), ACCOUNT)
    )
    assert made.next_due is None or made.next_due > T0 + timedelta(hours=1)


def tell(org: Org, story: list[str]) -> list[SyncRequested | RequestUnreadable]:
    """Let a story happen; the requests in it."""
    requests: list[SyncRequested | RequestUnreadable] = []
    for n, chapter in enumerate(story, 1):
        match chapter.split():
            case ["save", agent_id]:
                requests.append(request(n, agent_id))
                org.arrive(requests[-1])
            case ["unreadable"]:
                requests.append(RequestUnreadable(uid(n), None))
                org.arrive(requests[-1])
            case ["remove", agent_id]:
                org.arrive(AssistantRemoved(agent_id, None))
            case ["tier"]:
                org.arrive(OrgTierChanged(org.choose(TIERS)))
            case ["setting"]:
                org.arrive(ToolSettingChanged(org.choose(["book", "cancel"]), org.choose(["on", "off"]) == "on"))
            case ["close"]:
                org.arrive(OrgClosed())
            case ["run"]:
                org.run()
            case ["wait"]:
                org.now = max(org.now, org.due or org.now)
            case ["later"]:
                org.now += timedelta(minutes=5)
            case _:
                raise AssertionError(chapter)
    return requests


def to_the_end(org: Org) -> None:
    """Vapi is well again: work, and wait for what is due, until nothing is."""
    org.choose = lambda ends: ends[0]
    for _ in range(TO_THE_END_RUNS_MAX):
        org.run()
        if org.due is None:
            return
        org.now = max(org.now, org.due)
    raise AssertionError(f"still something due after {TO_THE_END_RUNS_MAX} runs: {org.state}")


@given(story=STORY, data=st.data())
@settings(max_examples=300, deadline=None)
def test_every_request_is_settled_once_and_in_order(story: list[str], data: st.DataObject) -> None:
    org = Org((BOOK, CANCEL), lambda ends: data.draw(st.sampled_from(ends)))
    requests = tell(org, story)
    to_the_end(org)

    settled = org.settled()
    assert sorted(settled) == sorted(r.request_id for r in requests)
    assert org.state.requests == ()
    for agent_id in AGENTS:
        mine = [r.request_id for r in requests if isinstance(r, SyncRequested) and r.agent_id == agent_id]
        assert [r for r in settled if r in mine] == mine
    assert org.published() == list(range(1, len(org.published()) + 1))
    assert org.state.attempts == {}


@given(story=STORY, data=st.data())
@settings(max_examples=300, deadline=None)
def test_a_closed_org_settles_everything_and_is_left_alone(story: list[str], data: st.DataObject) -> None:
    org = Org((BOOK, CANCEL), lambda ends: data.draw(st.sampled_from(ends)))
    requests = tell(org, [*story, "close", "save a", "unreadable"])
    to_the_end(org)
    before = list(org.log)
    org.now += timedelta(days=1)
    org.run()

    assert sorted(org.settled()) == sorted(r.request_id for r in requests)
    assert org.published() == list(range(1, len(org.published()) + 1))
    assert (org.log, org.due) == (before, None)
    assert (org.at_vapi, org.state.tools, org.state.retired) == (set(), {}, {})


@given(story=STORY, data=st.data())
@settings(max_examples=200, deadline=None)
def test_in_the_end_every_wanted_tool_is_there_and_every_assistant_was_told_so(
    story: list[str], data: st.DataObject
) -> None:
    org = Org((BOOK, CANCEL), lambda ends: data.draw(st.sampled_from(ends)))
    tell(org, story)
    to_the_end(org)
    for n, agent_id in enumerate(AGENTS, 1000):  # what was refused for good is lifted by a save
        org.arrive(request(n, agent_id))
    for name in ("book", "cancel"):
        org.arrive(ToolSettingChanged(name, enabled=True))
    org.arrive(OrgTierChanged("professional"))
    to_the_end(org)

    assert set(org.state.tools) == {"book", "cancel"}
    target = tuple(org.state.tools[name] for name in ("book", "cancel"))
    told = {agent_id: row.synced for agent_id, row in org.rows.items() if not row.removed}
    assert told == dict.fromkeys(told, target)


@given(data=st.data())
@settings(max_examples=200, deadline=None)
def test_a_tier_change_is_not_forgotten_whatever_vapi_does_meanwhile(data: st.DataObject) -> None:
    org = Org((BOOK, CANCEL), lambda ends: ends[0])
    tell(org, ["save a", "save b", "run"])
    org.choose = lambda ends: data.draw(st.sampled_from([end for end in ends if end not in ("refused", "gone")]))
    org.arrive(OrgTierChanged("professional"))
    for _ in range(data.draw(st.integers(1, 3))):
        org.run()
        org.now = max(org.now, org.due or org.now)
    to_the_end(org)

    assert set(org.state.tools) == {"book", "cancel"}
    assert {len(row.synced) for row in org.rows.values()} == {2}


@given(story=STORY, data=st.data())
@settings(max_examples=400, deadline=None)
def test_in_the_end_vapi_has_the_wanted_tools_and_no_other_and_nobody_links_what_is_gone(
    story: list[str], data: st.DataObject
) -> None:
    org = Org((BOOK, CANCEL), lambda ends: data.draw(st.sampled_from(ends)))
    tell(org, story)
    to_the_end(org)
    for n, agent_id in enumerate(AGENTS, 1000):  # a tool that no save asks for again is not made again
        org.arrive(request(n, agent_id))
    org.arrive(OrgTierChanged("professional"))
    to_the_end(org)

    expected = {name for name in ("book", "cancel") if name not in org.state.disabled}
    if all(row.removed for row in org.rows.values()):
        expected = set()
    assert set(org.state.tools) == expected
    assert org.at_vapi == {ref.vapi_tool_id for ref in org.state.tools.values()}
    assert (org.state.retired, org.state.surplus, org.state.suspects) == ({}, {}, {})
    for agent_id, linked in org.links.items():
        assert linked <= org.at_vapi, agent_id


@given(data=st.data())
@settings(max_examples=200, deadline=None)
def test_a_tool_that_is_wanted_again_within_the_grace_keeps_its_id(data: st.DataObject) -> None:
    org = Org((BOOK, CANCEL), lambda ends: ends[0])
    tell(org, ["save a", "run"])
    (before,) = org.state.tools.values()
    for _ in range(data.draw(st.integers(1, 3))):
        org.arrive(ToolSettingChanged("book", enabled=False))
        org.run()
        assert set(org.state.retired) == {"book"}
        assert org.links == {"a": set()}
        org.now += timedelta(hours=data.draw(st.integers(0, 23)))
        org.arrive(ToolSettingChanged("book", enabled=True))
        org.run()
    to_the_end(org)

    assert org.state.tools == {"book": before}
    assert org.links == {"a": {before.vapi_tool_id}}
    assert org.at_vapi == {before.vapi_tool_id}
