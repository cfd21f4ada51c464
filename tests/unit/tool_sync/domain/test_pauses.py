"""Pauses of the key: they try nobody's patience, and their end makes due what waited longer than for them."""

from datetime import timedelta

from hypothesis import given as for_all
from hypothesis import strategies as st

from tool_sync.domain.commands import FailStep, SettleFailed
from tool_sync.domain.decider import decide
from tool_sync.domain.events import SyncAttemptFailed
from tool_sync.domain.pauses import Pause, brought_forward, patience_ends
from tool_sync.domain.plan import next_steps
from tool_sync.domain.plan.situation import RunProgress, Situation
from tool_sync.domain.subject import tool_subject
from tool_sync.domain.wanted import Wanted

from .builders import ACCOUNT, BOOK, POLICY, after, asked, assistant, failed, given, registered, registering, uid

_PROGRESS = RunProgress()
HAVE = (registering(), registered())
GIVE_UP = POLICY.give_up.total_seconds()
HOUR = timedelta(hours=1)


def test_a_pause_after_the_start_makes_patience_last_as_much_longer() -> None:
    assert patience_ends(after(0), HOUR, ()) == after(3600)
    assert patience_ends(after(0), HOUR, (Pause(after(100), after(400)),)) == after(3900)
    assert patience_ends(after(0), HOUR, (Pause(after(-100), after(400)),)) == after(4000)
    assert patience_ends(after(0), HOUR, (Pause(after(-100), after(-50)),)) == after(3600)
    assert patience_ends(after(0), HOUR, (Pause(after(3600), after(9000)),)) == after(3600)
    twice = (Pause(after(100), after(400)), Pause(after(100), after(300)), Pause(after(350), after(500)))
    assert patience_ends(after(0), HOUR, twice) == after(4000)
    assert patience_ends(after(0), HOUR, (Pause(after(0), after(600)), Pause(after(3700), after(3800)))) == after(4300)


@for_all(pauses=st.lists(st.tuples(st.integers(-500, 9000), st.integers(1, 3000)), max_size=6))
def test_exactly_the_patience_is_left_when_every_paused_second_is_taken_away(pauses: list[tuple[int, int]]) -> None:
    ends = patience_ends(after(0), HOUR, [Pause(after(since), after(since + length)) for since, length in pauses])
    through = int((ends - after(0)).total_seconds())

    unpaused = sum(not any(s <= second < s + length for s, length in pauses) for second in range(through))

    assert unpaused == 3600


def test_a_save_is_not_given_up_for_time_in_which_nothing_could_be_sent() -> None:
    state = given(*HAVE, asked(), failed("agent:a", retry_at=after(9000)))
    pauses = (Pause(after(10), after(310)),)

    def plan(at: float) -> object:
        return next_steps(
            Situation(state, {"a": assistant()}, Wanted((BOOK,)), after(at), POLICY, _PROGRESS, ACCOUNT, pauses)
        ).commands

    assert plan(GIVE_UP + 299) == ()
    (command,) = next_steps(
        Situation(state, {"a": assistant()}, Wanted((BOOK,)), after(GIVE_UP + 300), POLICY, _PROGRESS, ACCOUNT, pauses)
    ).commands
    assert isinstance(command, SettleFailed)


def test_what_was_put_off_before_a_pause_ended_is_due_since_then_and_what_came_later_is_not() -> None:
    state = given(*HAVE, asked(), failed("agent:a", retry_at=after(900)), failed("tool:x", retry_at=None))

    lifted = brought_forward(state, after(50), POLICY.look_again)

    assert lifted.failures["agent:a"].retry_at == after(50)
    assert lifted.failures["agent:a"].count == state.failures["agent:a"].count
    assert lifted.failures["tool:x"].retry_at is None
    assert brought_forward(state, after(-50), POLICY.look_again).failures == state.failures
    assert brought_forward(state, None, POLICY.look_again) is state


def test_what_the_key_is_to_blame_for_closes_its_attempt_and_is_nobodys_failure() -> None:
    before = given(registering(100), failed(tool_subject("book"), failures=3))
    answer = FailStep(tool_subject("book"), uid(100), "refused", "TS-103", after(60), counted=False)

    (event,) = decide(before, answer)
    assert isinstance(event, SyncAttemptFailed)
    assert (event.failures, event.counted) == (3, False)
    state = given(registering(100), failed(tool_subject("book"), failures=3), event)

    assert state.attempts == {}
    assert state.failures == before.failures


def test_a_save_makes_due_what_was_put_off_while_nobody_waited_and_nothing_else() -> None:
    put_off = failed("agent:a", retry_at=after(900), failures=2)

    assert given(put_off, asked()).failures["agent:a"].retry_at == after(0)
    assert given(put_off, asked()).failures["agent:a"].count == 2
    assert given(asked(1), put_off, asked(2)).failures["agent:a"].retry_at == after(900)
