"""What the clinic is told of its tools: numbered without a hole, each change twice, with the reason for it."""

from dataclasses import replace
from typing import get_args

import pytest

from tool_sync.domain.commands import Command, ConfirmTool, FailStep
from tool_sync.domain.decider import decide, decide_told
from tool_sync.domain.events import (
    Event,
    OrgTierChanged,
    RetryRequested,
    ToolDriftSeen,
    ToolOrdered,
    ToolRegistered,
    ToolRegistrationStarted,
    ToolReinstated,
    ToolRetired,
    ToolsetEvent,
    ToolSettingChanged,
    ToolUpdated,
    ToolUpdateStarted,
)
from tool_sync.domain.subject import agent_subject, tool_subject
from tool_sync.domain.telling import TOLD
from tool_sync.domain.toolset import Toolset
from tool_sync.domain.wanted import WantedTool, wanted_of

from .builders import ACCOUNT, BOOK, CANCEL, after, asked, given, ref, registered, registering, then, uid, updating
from .fleets import ORG, fleet_of, ordered, published

NEWER = WantedTool("book", 2, "hash-book-2", "r-2", note="it says the clinic")
MOVED = replace(updating(tool=NEWER), order="r-2", fleet_position=9, note=NEWER.note)
RETIRED = ToolRetired(ACCOUNT, *ref().fields, "setting", after(60))
Pair = tuple[Toolset, list[ToolsetEvent]]


def run(state: Toolset, *commands: Command) -> Pair:
    """Each command is decided on the state that the ones before it lead to, as a worker's are."""
    events: list[ToolsetEvent] = []
    for command in commands:
        made = decide_told(state, command)
        state = then(state, *made)
        events += made
    return state, events


def numbers(events: list[ToolsetEvent]) -> list[int | None]:
    return [getattr(event, "fleet_sequence", None) for event in events]


def test_what_is_told_is_numbered_without_a_hole_and_what_is_not_takes_no_number() -> None:
    state, events = run(
        given(asked()),
        registering(),
        ConfirmTool(uid(100), "t-1", "answer", adopted=False),
        FailStep(agent_subject("a"), None, "refused", "TS-102", after(5)),
        MOVED,
        ConfirmTool(uid(101), "t-1", "answer", adopted=False),
        replace(RETIRED, definition_version=2, definition_hash="hash-book-2"),
        ToolReinstated(ACCOUNT, "book", "t-1", 2, "hash-book-2"),
    )
    assert numbers(events) == [1, 2, None, 3, 4, 5, 6]
    assert state.fleet_sequence == 6
    assert state.sequence == 0, "outcomes are numbered apart"


def test_what_is_refused_by_the_state_takes_no_number() -> None:
    state, events = run(given(registering(), registered()), registering(200), updating(tool=BOOK))
    assert (events, state.fleet_sequence) == ([], 0)


def test_an_attempt_that_failed_is_announced_again_under_the_next_number() -> None:
    failed = FailStep(tool_subject("book"), uid(101), "refused", "TS-102", after(5))
    again = replace(MOVED, attempt_id=uid(102))
    _, events = run(given(registering(), registered()), MOVED, failed, again)
    assert [(type(event).__name__, number) for event, number in zip(events, numbers(events), strict=True)] == [
        ("ToolUpdateStarted", 1), ("SyncAttemptFailed", None), ("ToolUpdateStarted", 2),
    ]  # fmt: skip


def test_events_from_before_the_topic_have_no_number_and_the_first_after_them_is_one() -> None:
    state = given(registering(), registered(), updating(tool=NEWER))
    assert state.fleet_sequence == 0
    _, events = run(state, ConfirmTool(uid(101), "t-1", "answer", adopted=False))
    assert numbers(events) == [1]


def test_an_update_says_what_it_replaces_and_its_answer_says_the_same() -> None:
    _, (started, updated) = run(
        given(registering(), registered()), MOVED, ConfirmTool(uid(101), "t-1", "answer", adopted=False)
    )
    assert isinstance(started, ToolUpdateStarted)
    assert isinstance(updated, ToolUpdated)
    for event in (started, updated):
        assert (event.version_before, event.hash_before) == (1, "hash-book-1")
        assert (event.note, event.order, event.cause) == ("it says the clinic", "r-2", "rollout")


def test_the_note_of_a_version_comes_along_with_what_is_wanted() -> None:
    fleet = fleet_of(replace(published(), note="the first"), *ordered("r-1"))
    (tool,) = wanted_of(given(asked()), fleet, ORG, after(0)).tools
    assert tool.note == "the first"


DRIFTED = ToolDriftSeen(ACCOUNT, "book", "t-1", gone=False)


@pytest.mark.parametrize(
    ("woken_by", "cause"),
    [
        (None, "save"),
        (OrgTierChanged("enterprise"), "tier"),
        (ToolSettingChanged("book", enabled=True), "setting"),
        (ToolOrdered("book", "r-2"), "rollout"),
        (ToolOrdered("other", "r-2", halt=True), "save"),
        (RetryRequested(None), "retry"),
        (DRIFTED, "repair"),
    ],
)
def test_a_tool_that_is_made_or_wanted_again_says_why(woken_by: Event | None, cause: str) -> None:
    before = (asked(),) if woken_by is None else (asked(), woken_by)
    _, (started, made) = run(given(*before), registering(), ConfirmTool(uid(100), "t-1", "answer", adopted=False))
    assert isinstance(started, ToolRegistrationStarted)
    assert isinstance(made, ToolRegistered)
    assert (started.cause, made.cause) == (cause, cause)
    retired = given(registering(), registered(), RETIRED, *before)
    _, (again,) = run(retired, ToolReinstated(ACCOUNT, *ref().fields))
    assert isinstance(again, ToolReinstated)
    assert again.cause == cause


@pytest.mark.parametrize(
    ("woken_by", "tool", "cause"),
    [
        (None, NEWER, "rollout"),
        (OrgTierChanged("enterprise"), NEWER, "tier"),
        (RetryRequested(None), NEWER, "rollout"),
        (DRIFTED, NEWER, "rollout"),
        (DRIFTED, BOOK, "repair"),
    ],
)
def test_a_tool_that_is_changed_says_why(woken_by: Event | None, tool: WantedTool, cause: str) -> None:
    before = () if woken_by is None else (woken_by,)
    _, (started,) = run(given(registering(), registered(), *before), updating(tool=tool))
    assert isinstance(started, ToolUpdateStarted)
    assert started.cause == cause


def test_tools_of_one_append_are_numbered_one_after_the_other() -> None:
    _, events = run(given(asked()), registering(), registering(103, CANCEL))
    assert numbers(events) == [1, 2]


def test_telling_changes_nothing_else_of_what_is_decided() -> None:
    added = ("fleet_sequence", "cause", "version_before", "hash_before")
    state = given(registering(), registered())
    (plain,), (told,) = decide(state, MOVED), decide_told(state, MOVED)
    fields = plain.__dataclass_fields__
    assert {name for name in fields if getattr(plain, name) != getattr(told, name)} == set(added)


def test_every_told_event_has_a_number_to_fill_in() -> None:
    assert all("fleet_sequence" in cls.__dataclass_fields__ for cls in get_args(TOLD))
