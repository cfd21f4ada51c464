"""Given events, at a time, then these steps, decisions and the next due time."""

from dataclasses import replace
from datetime import timedelta

import pytest

from tool_sync.domain.commands import SettleFailed, SettleSynced
from tool_sync.domain.events import (
    AssistantSyncFailed,
    Event,
    OrgClosed,
    OrgSettled,
    RequestUnreadable,
    ToolFailure,
)
from tool_sync.domain.plan.due import retry_time
from tool_sync.domain.plan.situation import ObservedLink, RunProgress
from tool_sync.domain.plan.steps import LinkAssistant, Plan, RegisterTool, ResolveAttempt, Step, UpdateTool
from tool_sync.domain.wanted import WantedTool

from .builders import (
    ACCOUNT,
    BOOK,
    CANCEL,
    POLICY,
    after,
    asked,
    assistant,
    failed,
    given,
    linking,
    plan,
    ref,
    registered,
    registering,
    then,
    uid,
    updating,
)

HAVE = (registering(), registered())
NEWER = WantedTool("book", 2, "hash-book-2")
GIVE_UP = POLICY.give_up.total_seconds()


def kinds(made: Plan) -> list[type[Step]]:
    return [type(step) for step in made.steps]


def seen(through: int, *tools: WantedTool, agent_id: str = "a") -> RunProgress:
    return RunProgress(seen={agent_id: ObservedLink(tuple(ref(tool) for tool in tools), through)})


def test_nothing_is_done_where_nothing_was_asked() -> None:
    assert plan(given()) == Plan()
    assert plan(given(*HAVE)) == Plan()


def test_a_save_of_a_new_org_registers_its_tools_first() -> None:
    made = plan(given(asked()), wanted=(BOOK, CANCEL))

    assert made.steps == (RegisterTool(BOOK), RegisterTool(CANCEL))
    assert (made.commands, made.next_due) == ((), None)


def test_tools_that_are_there_are_linked_and_what_was_seen_linked_is_settled() -> None:
    state = given(*HAVE, asked())
    assert plan(state).steps == (LinkAssistant(assistant(), (ref(),), through=3),)

    made = plan(state, progress=seen(3, BOOK))
    assert made.steps == ()
    assert made.commands == (
        SettleSynced("a", "vapi-a", 1, ACCOUNT, (ref(),), through=3, changed=True, cause="recovered"),
    )


def test_what_was_seen_before_a_newer_request_is_looked_at_again() -> None:
    state = given(*HAVE, asked(1), asked(2))

    assert kinds(plan(state, progress=seen(3, BOOK))) == [LinkAssistant]


def test_what_was_seen_with_other_tools_is_linked_again() -> None:
    assert kinds(plan(given(*HAVE, asked()), progress=seen(3))) == [LinkAssistant]


def test_another_definition_updates_the_tool_before_anything_is_linked() -> None:
    assert plan(given(*HAVE, asked()), wanted=(NEWER,)).steps == (UpdateTool(NEWER, ref()),)


def test_a_lower_version_that_is_wanted_replaces_a_higher_one() -> None:
    state = given(registering(tool=NEWER), registered(tool=NEWER), asked())

    assert plan(state, wanted=(BOOK,)).steps == (UpdateTool(BOOK, ref(NEWER)),)


def test_the_same_version_from_another_document_is_another_definition() -> None:
    moved = replace(BOOK, definition_hash="hash-book-1-elsewhere")

    assert plan(given(*HAVE, asked()), wanted=(moved,)).steps == (UpdateTool(moved, ref()),)


def test_nothing_is_linked_while_a_tool_is_at_work() -> None:
    busy = RunProgress(busy=frozenset({"tool:cancel"}))

    assert plan(given(*HAVE, asked()), wanted=(BOOK, CANCEL), progress=busy).steps == ()


def test_no_step_for_what_is_at_work_already() -> None:
    assert plan(given(asked()), progress=RunProgress(busy=frozenset({"tool:book"}))).steps == ()
    assert plan(given(*HAVE, asked()), progress=RunProgress(busy=frozenset({"agent:a"}))).steps == ()


@pytest.mark.parametrize("start", [registering(), updating()], ids=["registration", "update"])
def test_a_lost_answer_is_looked_up_when_it_can_no_longer_land(start: object) -> None:
    before = () if start == registering() else HAVE
    state = given(*before, asked(), start)  # type: ignore[arg-type]
    early, late = plan(state, at=19, wanted=(NEWER,)), plan(state, at=20, wanted=(NEWER,))

    assert RegisterTool not in kinds(early)
    assert UpdateTool not in kinds(early)
    assert early.next_due == after(20)
    assert kinds(late) == [ResolveAttempt]


def test_a_lost_link_is_looked_up_and_its_assistant_left_alone_until_then() -> None:
    state = given(*HAVE, asked(), linking())

    early, late = plan(state, at=19), plan(state, at=20)

    assert (early.steps, early.commands, early.next_due) == ((), (), after(20))
    assert kinds(late) == [ResolveAttempt]


def test_a_lookup_that_failed_waits_for_its_due_time() -> None:
    state = given(asked(), registering(), failed("tool:book", retry_at=after(40)))

    assert plan(state, at=39).next_due == after(40)
    assert kinds(plan(state, at=40)) == [ResolveAttempt]


def test_a_failed_tool_is_tried_again_when_it_is_due() -> None:
    state = given(asked(), failed("tool:book", retry_at=after(10)))

    assert plan(state, at=9).next_due == after(10)
    assert RegisterTool not in kinds(plan(state, at=9))
    assert plan(state, at=10).steps == (RegisterTool(BOOK),)


def test_the_tools_that_are_there_are_linked_whatever_becomes_of_the_others() -> None:
    state = given(*HAVE, asked(), failed("tool:cancel", retry_at=after(10)))

    made = plan(state, wanted=(BOOK, CANCEL))

    assert made.steps == (LinkAssistant(assistant(), (ref(),), through=3),)
    assert made.next_due == after(10)


def test_a_tool_that_was_refused_for_good_ends_the_request_by_name() -> None:
    refused = failed("tool:book", retry_at=None, code="TS-301", definition_hash=BOOK.definition_hash)

    made = plan(given(asked(), refused), progress=seen(1))

    (command,) = made.commands
    assert isinstance(command, SettleFailed)
    assert (command.code, command.failed_tools, command.look_at) == ("TS-301", (ToolFailure("book", "TS-301"),), None)


def test_a_tool_that_stays_as_it_is_because_vapi_refuses_the_newer_one_ends_no_request() -> None:
    refused = failed("tool:book", retry_at=None, code="TS-301", definition_hash=NEWER.definition_hash)
    later = failed("tool:book", retry_at=after(10), code="TS-102", definition_hash=NEWER.definition_hash)

    (command,) = plan(given(*HAVE, asked(), refused), wanted=(NEWER,), progress=seen(3, BOOK)).commands
    assert isinstance(command, SettleSynced)
    assert command.tools == (ref(),)
    assert plan(given(*HAVE, asked(), later), wanted=(NEWER,), progress=seen(3, BOOK)).commands == ()


def test_a_tool_that_was_refused_for_good_is_tried_with_another_definition() -> None:
    refused = failed("tool:book", retry_at=None, code="TS-301", definition_hash=BOOK.definition_hash)

    assert plan(given(asked(), refused), wanted=(NEWER,)).steps == (RegisterTool(NEWER),)


def test_an_assistant_that_failed_for_good_ends_its_requests_and_leaves_the_others() -> None:
    state = given(*HAVE, asked(1, "a"), asked(2, "b"), failed("agent:a", retry_at=None, code="TS-303"))

    made = plan(state, assistant("a"), assistant("b"))

    assert [step.subject for step in made.steps] == ["agent:b"]
    (command,) = made.commands
    assert isinstance(command, SettleFailed)
    assert (command.agent_id, command.code, command.through) == ("a", "TS-303", 3)


def test_a_waiting_assistant_lends_its_wait_to_nobody() -> None:
    state = given(*HAVE, asked(1, "a"), asked(2, "b"), failed("agent:a", retry_at=after(300)))

    made = plan(state, assistant("a"), assistant("b"), at=1)

    assert [step.subject for step in made.steps] == ["agent:b"]
    assert made.next_due == after(300)


@pytest.mark.parametrize(
    ("trouble", "code"),
    [
        pytest.param((*HAVE, asked(), failed("agent:a", retry_at=after(3000))), "TS-102", id="assistant"),
        pytest.param((asked(), failed("tool:book", retry_at=after(3000), code="TS-106")), "TS-106", id="tool"),
    ],
)
def test_a_request_that_waited_too_long_fails_and_the_org_is_looked_at_again(
    trouble: tuple[Event, ...], code: str
) -> None:
    state, progress = given(*trouble), seen(len(trouble))
    waiting, given_up = plan(state, at=GIVE_UP - 1, progress=progress), plan(state, at=GIVE_UP, progress=progress)

    assert (waiting.commands, waiting.next_due) == ((), after(GIVE_UP))
    (command,) = given_up.commands
    assert isinstance(command, SettleFailed)
    assert (command.code, command.look_at) == (code, after(GIVE_UP) + POLICY.look_again)


def test_a_newer_save_does_not_make_an_older_one_wait_longer() -> None:
    state = then(given(*HAVE, asked(1), failed("agent:a", retry_at=after(3000))), asked(2), at=GIVE_UP - 1)

    (command,) = plan(state, at=GIVE_UP).commands
    assert isinstance(command, SettleFailed)
    assert command.through == 5  # the newer one ends with it: it would only meet the same trouble


def test_an_overwritten_save_waits_for_its_repair_and_then_fails() -> None:
    state = given(*HAVE, asked(), failed("agent:a", code="TS-305", retry_at=after(3000)))
    patience = POLICY.diverged_give_up.total_seconds()

    assert plan(state, at=patience - 1).next_due == after(patience)
    (command,) = plan(state, at=patience).commands
    assert isinstance(command, SettleFailed)
    assert command.code == "TS-305"


def test_an_org_is_looked_at_again_after_a_failing_outcome_and_tells_what_mended_itself() -> None:
    gone = AssistantSyncFailed("a", "vapi-a", 1, ACCOUNT, (), (), "TS-101", (), 3, after(900), 1)
    state = given(*HAVE, asked(), gone)

    assert plan(state, at=899) == Plan(next_due=after(900))
    assert kinds(plan(state, at=900)) == [LinkAssistant]
    (command,) = plan(state, assistant(failed=True), at=900, progress=seen(0, BOOK)).commands
    assert isinstance(command, SettleSynced)
    assert (command.changed, command.cause) == (True, "recovered")


def test_a_removed_assistant_ends_its_requests_without_a_step() -> None:
    made = plan(given(*HAVE, asked()), assistant(removed=True))

    assert made.steps == ()
    (command,) = made.commands
    assert isinstance(command, SettleFailed)
    assert command.code == "TS-402"


def test_a_closed_org_ends_everything_without_a_step() -> None:
    state = given(
        *HAVE, asked(1, "a"), asked(2, "b"), asked(3, "a"), RequestUnreadable(uid(4), None), linking(), OrgClosed()
    )

    made = plan(state, at=1000)

    assert (made.steps, made.next_due) == ((), None)
    ends = [c for c in made.commands if isinstance(c, SettleFailed)]
    assert [(c.agent_id, c.code, c.through) for c in ends] == [
        (None, "TS-401", 6),
        ("a", "TS-403", 5),
        ("b", "TS-403", 4),
    ]
    assert made.commands[-1] == OrgSettled(8)


def test_an_unreadable_request_ends_at_once_and_makes_no_other_work() -> None:
    made = plan(given(RequestUnreadable(uid(1), None)))

    assert made.steps == ()
    (command,) = made.commands
    assert isinstance(command, SettleFailed)
    assert (command.agent_id, command.code, command.through) == (None, "TS-401", 1)


def test_a_retry_is_soon_while_a_save_waits_and_a_look_otherwise() -> None:
    waiting = given(asked(), failed("agent:a", failures=3))

    assert retry_time(waiting, "agent:a", after(0), 0.5, POLICY) == after(4)
    assert retry_time(waiting, "agent:b", after(0), 0.5, POLICY) == after(0.5)
    assert retry_time(given(), "agent:a", after(0), 0.0, POLICY) == after(0) + timedelta(minutes=15)
