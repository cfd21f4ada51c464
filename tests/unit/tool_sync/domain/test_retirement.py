"""When a tool is unwanted, retired, kept and reinstated; what the worker may write about it."""

from dataclasses import replace

import pytest

from tool_sync.domain.decider import decide
from tool_sync.domain.events import (
    AssistantRemoved,
    OrgClosed,
    OrgSettled,
    OrgTierChanged,
    SweepStarted,
    ToolDeleted,
    ToolHalted,
    ToolOrdered,
    ToolReinstated,
    ToolRetired,
    ToolSettingChanged,
)
from tool_sync.domain.plan.steps import (
    LinkAssistant,
    Plan,
    RegisterTool,
    ResolveAttempt,
)
from tool_sync.domain.wanted import wanted_of

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
from .fleets import ORG, and_then, ordered
from .leaving import BOTH, DELETING, FLEET, GRACE, RETIRED, SWEEP, planned

# --- what is unwanted ---------------------------------------------------------------------------------------------


def test_a_tool_is_unwanted_for_its_tier_or_a_setting_and_one_that_nobody_published_is_neither() -> None:
    off = (ToolSettingChanged("book", enabled=False), ToolSettingChanged("other", enabled=False))

    assert wanted_of(given(*off), FLEET, ORG, after(0)).tools == ()
    assert wanted_of(given(*off), FLEET, ORG, after(0)).unwanted == {"book": "setting", "cancel": "tier"}
    assert wanted_of(given(OrgTierChanged("professional")), FLEET, ORG, after(0)).unwanted == {}


def test_a_tool_is_unwanted_where_it_is_halted_or_ordered_away_and_its_order_is_named() -> None:
    halted = wanted_of(given(), and_then(FLEET, ToolHalted("book", "wrong numbers")), ORG, after(0))
    assert (halted.tools, halted.unwanted["book"], dict(halted.orders)) == ((), "halted", {})

    away = wanted_of(given(), and_then(FLEET, *ordered("r-3", None)), ORG, after(0))
    assert (away.tools, away.unwanted["book"], dict(away.orders)) == ((), "order", {"book": "r-3"})


def test_a_setting_is_org_wide_work_and_the_last_one_counts() -> None:
    off, on = ToolSettingChanged("book", enabled=False), ToolSettingChanged("book", enabled=True)
    state = given(off)

    assert (state.disabled, state.org_wide_through, state.org_wide_cause) == (frozenset({"book"}), 1, "setting")
    assert then(state, on).disabled == frozenset()


# --- retiring -----------------------------------------------------------------------------------------------------


def test_a_tool_is_retired_when_no_assistant_is_left_that_should_lose_it() -> None:
    state = given(*BOTH, OrgTierChanged("basic"))
    has_both = assistant(linked=(ref(), ref(CANCEL, "t-2")), synced=(ref(), ref(CANCEL, "t-2")))

    (step,) = planned(state, has_both, found=frozenset({"a"})).steps
    assert isinstance(step, LinkAssistant)
    assert step.target == (ref(),)

    made = planned(state)
    retire = ToolRetired(ACCOUNT, *ref(CANCEL, "t-2").fields, "tier", after(GRACE), None, FLEET.position)
    assert (made.steps, made.commands) == ((), (retire, OrgSettled(5)))


def test_a_tool_that_is_ordered_away_is_retired_with_the_order_that_takes_it() -> None:
    fleet = and_then(FLEET, *ordered("r-3", None))
    made = planned(given(*BOTH[:2], ToolOrdered("book", "r-3")), fleet=fleet)

    retire = ToolRetired(ACCOUNT, *ref().fields, "order", after(GRACE), "r-3", fleet.position)
    assert made.commands == (retire, OrgSettled(3))
    assert then(given(*BOTH[:2]), retire).decided_on == {"book": fleet.position}


def test_without_an_assistant_every_tool_is_retired_also_one_that_nobody_published() -> None:
    newer = replace(BOOK, name="newer")
    state = given(*BOTH, registering(102, newer), registered(102, newer, "t-3"), AssistantRemoved("a", None))

    made = planned(state, has_assistants=False)
    assert {(c.name, c.reason) for c in made.commands if isinstance(c, ToolRetired)} == {
        ("book", "unused"), ("cancel", "unused"), ("newer", "unused"),
    }  # fmt: skip
    has_assistants = planned(then(state, OrgTierChanged("basic")))
    assert [c.name for c in has_assistants.commands if isinstance(c, ToolRetired)] == ["cancel"]


def test_nothing_is_retired_while_a_write_has_no_answer() -> None:
    for start in (linking(), updating()):
        assert planned(given(*BOTH, start, OrgTierChanged("basic"))).commands == ()
    state = given(*BOTH, updating(102, CANCEL, "t-2"))
    assert decide(state, ToolRetired(ACCOUNT, *ref(CANCEL, "t-2").fields, "tier", after(0))) == ()


def test_a_retired_tool_is_not_the_orgs_any_more_and_its_failures_are_forgotten() -> None:
    state = given(*BOTH, failed("tool:book"), RETIRED)

    assert (set(state.tools), set(state.retired), dict(state.failures)) == ({"cancel"}, {"book"}, {})
    assert decide(state, ToolRetired(ACCOUNT, *ref().fields, "tier", after(0))) == ()  # already so
    assert decide(state, linking()) == ()


def test_a_closed_org_retires_everything_once_and_sweeps_it_after_the_grace() -> None:
    state = given(*BOTH[:2], OrgClosed())
    made = plan(state)
    assert made.commands == (ToolRetired(ACCOUNT, *ref().fields, "closed", after(GRACE)), OrgSettled(3))

    state = then(state, RETIRED, *decide(state, OrgSettled(3)))
    assert plan(state) == Plan(next_due=after(GRACE))
    assert plan(state, at=GRACE).steps == (SWEEP,)
    deleted = ToolDeleted(uid(300), ACCOUNT, "book", "t-1", 1, "hash-book-1")
    assert plan(then(state, SweepStarted(("t-1",)), DELETING, deleted), at=GRACE) == Plan()


def test_a_tool_that_turns_up_after_the_org_was_closed_is_retired_as_well() -> None:
    state = given(OrgClosed(), registering())
    state = then(state, *decide(state, OrgSettled(1)))
    assert plan(state).next_due == after(POLICY.settle.total_seconds())
    state = then(state, registered(adopted=True))

    assert plan(state, at=20).commands == (ToolRetired(ACCOUNT, *ref().fields, "closed", after(20 + GRACE)),)


# --- wanted again -------------------------------------------------------------------------------------------------


def test_a_tool_that_is_wanted_again_keeps_its_id() -> None:
    state = given(*BOTH[:2], RETIRED, asked())
    made = plan(state)
    assert (made.steps, made.commands) == ((), (ToolReinstated(ACCOUNT, *ref().fields),))

    state = then(state, *decide(state, ToolReinstated(ACCOUNT, *ref().fields)))
    assert (dict(state.tools), dict(state.retired)) == ({"book": ref()}, {})
    assert decide(state, ToolReinstated(ACCOUNT, *ref().fields)) == ()


def test_while_a_deletion_has_no_answer_its_tool_is_neither_reinstated_nor_made_anew() -> None:
    state = given(*BOTH[:2], RETIRED, DELETING, asked())

    made = plan(state, at=1)
    assert (made.commands, made.next_due) == ((), after(20))
    (step,) = made.steps
    assert isinstance(step, LinkAssistant)  # every tool stands alone: the others are linked
    assert decide(state, ToolReinstated(ACCOUNT, *ref().fields)) == ()
    assert decide(state, registering(102)) == ()
    (look,) = plan(state, at=20).steps
    assert isinstance(look, ResolveAttempt)


def test_a_tool_whose_deletion_was_not_seen_to_happen_is_replaced_and_becomes_surplus() -> None:
    absent = failed("tool:book", attempt_id=uid(300), end="absent", retry_at=after(0))
    state = given(*BOTH[:2], RETIRED, DELETING, absent, asked())
    assert state.retired["book"].deletion_sent
    assert decide(state, ToolReinstated(ACCOUNT, *ref().fields)) == ()
    assert plan(state).steps == (RegisterTool(BOOK),)

    state = then(state, registering(102), registered(102, tool_id="t-5"))
    assert (dict(state.retired), set(state.surplus)) == ({}, {"t-1"})
    assert state.tools["book"].vapi_tool_id == "t-5"


@pytest.mark.parametrize("end", ["not_sent", "refused"])
def test_a_tool_whose_deletion_certainly_did_not_happen_may_be_reinstated(end: str) -> None:
    state = given(*BOTH[:2], RETIRED, DELETING, failed("tool:book", attempt_id=uid(300), end=end), asked())

    assert plan(state).commands == (ToolReinstated(ACCOUNT, *ref().fields),)
