"""What a clinic's plan makes of words of its tool that somebody changed at Vapi, by the policy."""

from dataclasses import replace
from uuid import uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tool_sync.domain.decider import decide
from tool_sync.domain.drift import is_reworded
from tool_sync.domain.events import ToolDriftEnded, ToolDriftSeen, ToolRef, ToolUpdateStarted
from tool_sync.domain.evolve import evolve
from tool_sync.domain.plan.tools import is_as_wanted, left_drift_of
from tool_sync.domain.toolset import Recorded, Toolset
from tool_sync.domain.wanted import WantedTool
from tool_sync.vapi.documents import differing, holds_tool

from .builders import after

REF = ToolRef("book", "tool-1", 2, "a" * 64)
TOOL = WantedTool("book", 2, "a" * 64, "r")
WORDS = ToolDriftSeen("platform", "book", "tool-1", False, ("description",), "1" * 64)
SERVER = replace(WORDS, differs=("description", "server"))
GONE = ToolDriftSeen("platform", "book", "tool-1", True)
OF_AN_OLDER_RELEASE = ToolDriftSeen("platform", "book", "tool-1", False)


def with_drift(drift: ToolDriftSeen) -> Toolset:
    return Toolset(tools={"book": REF}, drifted={"book": drift})


@pytest.mark.parametrize(
    ("drift", "repaired", "reported"),
    [(WORDS, False, True), (SERVER, False, False), (GONE, False, False), (OF_AN_OLDER_RELEASE, False, False),
     (replace(WORDS, vapi_tool_id="tool-0"), True, True)],
)  # fmt: skip
def test_only_words_may_be_left(drift: ToolDriftSeen, repaired: bool, reported: bool) -> None:
    state = with_drift(drift)
    assert is_as_wanted(state, TOOL) is repaired
    assert is_as_wanted(state, replace(TOOL, reports_drift=True)) is reported


def test_what_is_left_is_told_as_that() -> None:
    reports = replace(TOOL, reports_drift=True)
    assert left_drift_of(with_drift(WORDS), [reports]) == (WORDS,)
    assert left_drift_of(with_drift(WORDS), [TOOL]) == ()
    assert left_drift_of(with_drift(SERVER), [reports]) == ()


def test_drift_that_ended_is_forgotten() -> None:
    ended = Recorded(9, after(9), ToolDriftEnded("platform", "book", "tool-1"))
    assert evolve(with_drift(WORDS), ended).drifted == {}


@pytest.mark.parametrize(
    ("repairs", "allowed"), [("1" * 64, True), ("2" * 64, False), (None, False)]
)  # fmt: skip
def test_a_repair_that_was_decided_on_another_difference_is_not_announced(repairs: str | None, allowed: bool) -> None:
    started = ToolUpdateStarted(uuid4(), "platform", *REF.fields[:2], *REF.fields[2:], "r", 5, repairs=repairs)
    assert bool(decide(with_drift(WORDS), started)) is allowed


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers(0, 3) | st.text("ab", max_size=2),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from("abc"), inner, max_size=2),
    max_leaves=4,
)
_TOOL = st.fixed_dictionaries(
    {"function": st.dictionaries(st.sampled_from(("name", "description", "parameters")), _JSON, max_size=3)},
    optional={"server": _JSON, "parameters": _JSON, "messages": st.lists(_JSON, max_size=1), "async": _JSON},
)


@given(stored=_TOOL | st.fixed_dictionaries({"function": _JSON}), sent=_TOOL)
def test_a_difference_has_a_name_exactly_where_a_tool_is_not_as_sent(
    stored: dict[str, object], sent: dict[str, object]
) -> None:
    assert (not differing(stored, sent)) is holds_tool(stored, sent)


def test_the_parts_that_differ_are_named() -> None:
    sent = {"function": {"name": "book", "description": "a"}, "server": {"url": "x"}, "parameters": [1], "async": False}
    there = {
        "function": {"name": "book", "description": "b"},
        "server": {"url": "y"},
        "parameters": [2],
        "async": False,
    }
    assert differing(there, sent) == {"description": "b", "server": {"url": "y"}, "static_parameters": [2]}
    assert differing({**sent, "messages": ["hello"]}, sent) == {"messages": ["hello"]}
    assert is_reworded(replace(WORDS, differs=("messages",)))
