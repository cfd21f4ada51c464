"""When a tool that nobody should have made is found, searched for and deleted."""

from dataclasses import replace

import pytest

from tool_sync.domain.commands import ConfirmDeleted, ConfirmTool
from tool_sync.domain.decider import decide
from tool_sync.domain.events import (
    Event,
    OrgClosed,
    OrgSettled,
    SurplusDeleted,
    SurplusFound,
    SurplusSearched,
)
from tool_sync.domain.plan.steps import (
    DeletionCandidate,
    Plan,
    SearchSurplus,
    SweepTools,
)

from .builders import (
    ACCOUNT,
    CANCEL,
    after,
    failed,
    given,
    plan,
    registered,
    registering,
    then,
    uid,
)
from .leaving import AGE, BOTH, FOUND, REMOVING, RETIRED


def late_answer() -> ConfirmTool:
    made = SurplusFound(ACCOUNT, "book", "t-9", after(0))
    return ConfirmTool(uid(99), "t-9", "answer", adopted=False, made=made)


def test_an_answer_to_an_attempt_that_was_closed_meanwhile_is_noted_as_surplus() -> None:
    assert decide(given(*BOTH), late_answer()) == (FOUND,)
    assert decide(given(*BOTH, FOUND), late_answer()) == ()
    assert decide(given(registering(), registered(tool_id="t-9")), late_answer()) == ()  # adopted by another worker
    assert decide(given(registering(), registered(tool_id="t-9"), replace(RETIRED, vapi_tool_id="t-9")),
                  late_answer()) == ()  # fmt: skip


def test_a_surplus_tool_is_org_wide_work_so_that_the_orgs_holder_hears_of_it() -> None:
    assert given(*BOTH, FOUND).org_wide_through == 5


def test_a_surplus_tool_is_swept_when_it_is_old_enough() -> None:
    state = given(*BOTH[:2], FOUND)
    state = then(state, *decide(state, OrgSettled(3)))

    assert plan(state) == Plan(next_due=after(AGE))
    assert plan(state, at=AGE).steps == (SweepTools((DeletionCandidate("book", "t-9", None),)),)


@pytest.mark.parametrize("before", [(), BOTH[:2], (OrgClosed(),)], ids=["no other tool", "another", "closed"])
def test_a_surplus_tool_may_go_whatever_else_the_org_has(before: tuple[Event, ...]) -> None:
    """Also where a registration landed late and the org needs no such tool any more: nobody would ever adopt it."""
    state = given(*before, FOUND)
    state = then(state, *decide(state, OrgSettled(state.position)))

    assert plan(state, at=AGE * 2).steps == (SweepTools((DeletionCandidate("book", "t-9", None),)),)
    assert decide(state, REMOVING) == (REMOVING,)
    assert decide(then(state, registering(101, CANCEL)), REMOVING) == ()


def test_a_surplus_tool_that_is_adopted_after_all_is_not_surplus_any_more() -> None:
    state = given(FOUND, registering(), registered(tool_id="t-9", adopted=True))

    assert dict(state.surplus) == {}
    assert decide(state, REMOVING) == ()


def test_a_surplus_deletion_ends_in_an_event_of_its_own() -> None:
    state = given(*BOTH[:2], FOUND, REMOVING)
    (event,) = decide(state, ConfirmDeleted(uid(301)))

    assert event == SurplusDeleted(uid(301), ACCOUNT, "book", "t-9")
    state = then(state, event)
    assert (dict(state.surplus), dict(state.attempts), set(state.tools)) == ({}, {}, {"book"})


def test_a_registration_that_was_given_up_is_searched_for_an_hour_later() -> None:
    absent = failed("tool:book", attempt_id=uid(100), end="absent", retry_at=after(20))
    state = then(given(registering()), absent, at=20)
    state = then(state, registering(102), registered(102), at=21)

    assert plan(state, at=30) == Plan(next_due=after(20 + AGE))
    search = SearchSurplus(("book",), since=after(0), through=after(20))
    assert plan(state, at=20 + AGE).steps == (search,)
    state = then(state, *decide(state, SurplusSearched(search.names, search.through)))
    assert plan(state, at=20 + AGE) == Plan()


def test_a_search_does_not_account_for_what_was_given_up_after_it_was_planned() -> None:
    absent = failed("tool:book", attempt_id=uid(100), end="absent", retry_at=after(20))
    state = then(given(registering()), absent, at=20)

    assert set(then(state, SurplusSearched(("book",), after(19))).suspects) == {"book"}
    assert set(then(state, SurplusSearched(("other",), after(20))).suspects) == {"book"}
    assert then(state, SurplusSearched(("book",), after(20))).suspects == {}
