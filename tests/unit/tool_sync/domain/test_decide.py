"""Given events, when a command, then events."""

from typing import Any

import pytest

from tool_sync.domain.commands import ConfirmLinked, ConfirmTool, FailStep, NoteDiverged, SettleFailed, SettleSynced
from tool_sync.domain.decider import decide
from tool_sync.domain.events import (
    AssistantDiverged,
    AssistantSynced,
    AssistantSyncFailed,
    DriftDetected,
    OrgClosed,
    OrgSettled,
    OrgTierChanged,
    RequestUnreadable,
    Settled,
    SyncAttemptFailed,
    ToolFailure,
    ToolUpdated,
    ToolVanished,
)
from tool_sync.domain.subject import agent_subject, tool_subject
from tool_sync.domain.toolset import Toolset
from tool_sync.domain.wanted import WantedTool

from .builders import (
    ACCOUNT,
    after,
    asked,
    failed,
    given,
    linked,
    linking,
    ref,
    registered,
    registering,
    then,
    uid,
    updating,
)

HAVE = (registering(), registered())
CONFIRM = ConfirmTool(uid(100), "t-1", "answer", adopted=False)


def settle(through: int, **fields: Any) -> SettleSynced:
    defaults: dict[str, Any] = {"changed": True, "cause": "tier", "tools": (ref(),)}
    return SettleSynced(
        agent_id="a", assistant_id="vapi-a", revision=1, account=ACCOUNT, through=through, **{**defaults, **fields}
    )


def settle_failed(through: int, agent_id: str | None = "a") -> SettleFailed:
    return SettleFailed(agent_id, "vapi-a", 1, ACCOUNT, (), (ToolFailure("book", "TS-301"),), "TS-301", through, None)


def test_a_registration_is_announced_once() -> None:
    assert decide(given(), registering()) == (registering(),)
    assert decide(given(registering()), registering(attempt=7)) == ()
    assert decide(given(*HAVE), registering(attempt=7)) == ()


def test_an_update_is_announced_only_for_the_tool_that_the_org_has() -> None:
    before = WantedTool("book", 0, "hash-book-0")
    have = (registering(tool=before), registered(tool=before))

    assert decide(given(*have), updating()) == (updating(),)
    assert decide(given(), updating()) == ()
    assert decide(given(*have), updating(tool_id="another")) == ()
    assert decide(given(*have, updating()), updating(attempt=7)) == ()
    assert decide(given(*HAVE), updating()) == (), "another worker did it meanwhile"


def test_a_link_is_announced_only_with_tools_that_the_org_has_and_once_per_assistant() -> None:
    assert decide(given(*HAVE), linking()) == (linking(),)
    assert decide(given(), linking()) == ()
    assert decide(given(*HAVE, linking()), linking(attempt=7)) == ()
    assert decide(given(*HAVE, linking()), linking(attempt=7, agent_id="b")) == (linking(7, "b"),)


@pytest.mark.parametrize("start", [registering(), updating(), linking()], ids=["register", "update", "link"])
def test_nothing_is_announced_for_a_closed_org(start: Any) -> None:
    have = () if start == registering() else HAVE

    assert decide(given(*have, OrgClosed()), start) == ()


def test_an_answer_to_an_open_attempt_is_recorded_with_what_was_announced() -> None:
    assert decide(given(registering()), CONFIRM) == (registered(),)
    found = ConfirmTool(uid(100), "t-9", "answer", adopted=True)
    assert decide(given(registering()), found) == (registered(tool_id="t-9", adopted=True),)


def test_registering_the_same_tool_twice_adds_nothing() -> None:
    assert decide(given(*HAVE), CONFIRM) == ()


def test_an_answer_is_recorded_for_a_closed_org_too() -> None:
    assert decide(given(registering(), OrgClosed()), CONFIRM) == (registered(),)


def test_an_update_keeps_the_id_of_the_tool() -> None:
    confirm = ConfirmTool(uid(101), "t-1", "answer", adopted=False)

    assert decide(given(*HAVE, updating()), confirm) == (
        ToolUpdated(uid(101), ACCOUNT, "book", "t-1", 1, "hash-book-1", "answer"),
    )


def test_a_link_is_recorded_once_with_the_tools_that_were_announced() -> None:
    confirm = ConfirmLinked(uid(200), "model-1", "answer")

    assert decide(given(*HAVE, linking()), confirm) == (linked(),)
    assert decide(given(*HAVE, linking(), linked()), confirm) == ()


def test_an_answer_of_another_kind_of_attempt_adds_nothing() -> None:
    state = given(*HAVE, linking())

    assert decide(state, ConfirmTool(uid(200), "t-1", "answer", adopted=False)) == ()
    assert decide(given(registering()), ConfirmLinked(uid(100), "m", "answer")) == ()


def test_failures_in_a_row_are_counted_per_subject() -> None:
    fail = FailStep(tool_subject("book"), None, "refused", "TS-102", after(5))
    state = given()
    for count in (1, 2, 3):
        (event,) = decide(state, fail)
        assert event == SyncAttemptFailed("tool:book", None, "refused", "TS-102", count, after(5), None)
        state = then(state, event)

    (other,) = decide(state, FailStep(agent_subject("a"), None, "refused", "TS-102", None))
    assert isinstance(other, SyncAttemptFailed)
    assert other.failures == 1


def test_a_failure_of_an_attempt_that_was_closed_meanwhile_adds_nothing() -> None:
    fail = FailStep(tool_subject("book"), uid(100), "unknown", "TS-104", after(20))

    assert len(decide(given(registering()), fail)) == 1
    assert decide(given(*HAVE), fail) == ()


def test_a_tool_is_forgotten_only_as_it_was_known() -> None:
    assert decide(given(*HAVE), ToolVanished(ACCOUNT, *ref().fields)) == (
        ToolVanished(ACCOUNT, "book", "t-1", 1, "hash-book-1"),
    )
    assert decide(given(*HAVE), ToolVanished(ACCOUNT, *ref(tool_id="t-2").fields)) == ()
    assert decide(given(), ToolVanished(ACCOUNT, *ref().fields)) == ()


def test_drift_is_noted_and_a_divergence_takes_the_next_number() -> None:
    state = given(asked(), AssistantDiverged("b", "vapi-b", 1, "m", 4))

    assert decide(state, DriftDetected("a", "vapi-a", "foreign")) == (DriftDetected("a", "vapi-a", "foreign"),)
    assert decide(state, NoteDiverged("a", "vapi-a", 2, "old")) == (AssistantDiverged("a", "vapi-a", 2, "old", 5),)


def many(count: int) -> Toolset:
    return given(*HAVE, *(asked(n) for n in range(1, count + 1)))


def test_an_outcome_names_the_requests_of_its_assistant_up_to_the_position_that_was_seen() -> None:
    state = given(*HAVE, asked(1), asked(2, "b"), asked(3), asked(4))  # at positions 3, 4, 5, 6

    (event,) = decide(state, settle(through=5))

    assert isinstance(event, AssistantSynced)
    assert event.requests == (Settled(uid(1), None), Settled(uid(3), None))
    assert (event.settled_through, event.sequence, event.cause) == (5, 1, None)


@pytest.mark.parametrize(("count", "sizes"), [(1, [1]), (100, [100]), (101, [100, 1]), (250, [100, 100, 50])])
@pytest.mark.parametrize("good", [True, False], ids=["synced", "failed"])
def test_more_than_a_hundred_requests_go_into_further_outcomes(count: int, sizes: list[int], good: bool) -> None:
    through = count + len(HAVE)
    events = decide(many(count), settle(through) if good else settle_failed(through))

    assert all(isinstance(event, AssistantSynced | AssistantSyncFailed) for event in events)
    outcomes = [event for event in events if isinstance(event, AssistantSynced | AssistantSyncFailed)]
    assert [len(o.requests) for o in outcomes] == sizes
    assert [r.request_id for o in outcomes for r in o.requests] == [uid(n) for n in range(1, count + 1)]
    assert [o.sequence for o in outcomes] == list(range(1, len(sizes) + 1))
    assert [o.settled_through for o in outcomes][-1] == through
    assert [o.settled_through for o in outcomes] == sorted(o.settled_through for o in outcomes)


def test_an_outcome_that_no_save_asked_for_is_published_with_its_cause_only_if_the_tools_changed() -> None:
    (changed,) = decide(given(*HAVE), settle(through=0, changed=True, cause="recovered"))
    (same,) = decide(given(*HAVE), settle(through=0, changed=False))

    assert isinstance(changed, AssistantSynced)
    assert isinstance(same, AssistantSynced)
    assert (changed.sequence, changed.cause, changed.requests) == (1, "recovered", ())
    assert same.sequence is None


def test_a_failing_outcome_without_a_request_says_nothing() -> None:
    assert decide(given(asked(1, "b")), settle_failed(through=9)) == ()


def test_unreadable_requests_are_settled_apart() -> None:
    state = given(asked(1), RequestUnreadable(uid(2), "ab" * 16), failed("agent:a"))

    (event,) = decide(state, settle_failed(through=2, agent_id=None))

    assert isinstance(event, AssistantSyncFailed)
    assert event.requests == (Settled(uid(2), "ab" * 16),)


def test_org_wide_work_is_settled_once() -> None:
    state = given(OrgTierChanged("basic"))

    assert decide(state, OrgSettled(1)) == (OrgSettled(1),)
    assert decide(then(state, OrgSettled(1)), OrgSettled(1)) == ()
