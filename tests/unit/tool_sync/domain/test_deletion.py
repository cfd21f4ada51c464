"""When a tool is retired, kept, reinstated, swept and deleted; what the worker may write about it."""

from dataclasses import replace
from datetime import timedelta

import pytest
from pydantic import TypeAdapter

from tool_sync.domain.commands import ConfirmDeleted, ConfirmTool
from tool_sync.domain.decider import decide
from tool_sync.domain.events import (
    AssistantRemoved,
    Event,
    OrgClosed,
    OrgSettled,
    OrgTierChanged,
    SurplusDeleted,
    SurplusDeleteStarted,
    SurplusFound,
    SurplusSearched,
    SweepStarted,
    ToolDeleted,
    ToolDeleteStarted,
    ToolReinstated,
    ToolRetired,
    ToolSettingChanged,
)
from tool_sync.domain.linking import relinked
from tool_sync.domain.plan import next_steps
from tool_sync.domain.plan.deletions import DELETIONS_PER_SWEEP_MAX
from tool_sync.domain.plan.situation import OrgWide, RunProgress, Situation
from tool_sync.domain.plan.steps import (
    DeletionCandidate,
    LinkAssistant,
    Plan,
    RegisterTool,
    ResolveAttempt,
    SearchSurplus,
    SweepTools,
)
from tool_sync.domain.toolset import Assistant, Toolset
from tool_sync.domain.wanted import Wanted, unwanted_for, wanted_for

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

GRACE = POLICY.tool_grace.total_seconds()
AGE = POLICY.surplus_age.total_seconds()
EVERY = POLICY.sweep_every.total_seconds()
BOTH = (registering(), registered(), registering(101, CANCEL), registered(101, CANCEL, "t-2"))
RETIRED = ToolRetired(ACCOUNT, "book", "t-1", 1, "hash-book-1", "tier", after(GRACE))
DELETING = ToolDeleteStarted(uid(300), ACCOUNT, "book", "t-1", after(GRACE))
FOUND = SurplusFound(ACCOUNT, "book", "t-9", after(0))
REMOVING = SurplusDeleteStarted(uid(301), ACCOUNT, "book", "t-9")
SWEEP = SweepTools((DeletionCandidate("book", "t-1", after(GRACE)),))


def planned(
    state: Toolset,
    *rows: Assistant,
    at: float = 0,
    found: frozenset[str] = frozenset(),
    has_assistants: bool = True,
    busy: frozenset[str] = frozenset(),
) -> Plan:
    """A plan after the run has looked through the org."""
    wanted = wanted_for(state.tier, (BOOK, CANCEL), state.disabled)
    target = tuple(state.tools[tool.name] for tool in wanted if tool.name in state.tools)
    return next_steps(
        Situation(
            state,
            {row.agent_id: row for row in rows},
            Wanted(wanted, unwanted_for(state.tier, (BOOK, CANCEL), state.disabled)),
            after(at),
            POLICY,
            RunProgress(org_wide=OrgWide(target, found, has_assistants), busy=busy),
            ACCOUNT,
        )
    )


# --- what is unwanted ---------------------------------------------------------------------------------------------


def test_a_tool_is_unwanted_for_its_tier_or_a_setting_and_one_of_a_newer_release_is_neither() -> None:
    assert wanted_for("basic", (BOOK, CANCEL), {"book"}) == ()
    assert unwanted_for("basic", (BOOK, CANCEL), {"book", "other"}) == {"book": "setting", "cancel": "tier"}
    assert unwanted_for("professional", (BOOK, CANCEL)) == {}


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
    retire = ToolRetired(ACCOUNT, *ref(CANCEL, "t-2").fields, "tier", after(GRACE))
    assert (made.steps, made.commands) == ((), (retire, OrgSettled(5)))


def test_without_an_assistant_every_tool_is_retired_also_one_that_this_release_does_not_know() -> None:
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


# --- deleting -----------------------------------------------------------------------------------------------------


def test_a_retired_tool_is_swept_after_its_grace_and_at_most_once_an_hour() -> None:
    state = given(*BOTH[:2], RETIRED)
    assert plan(state, at=GRACE - 1) == Plan(next_due=after(GRACE))
    assert plan(state, at=GRACE).steps == (SWEEP,)

    swept = then(state, SweepStarted(("t-1",)), at=GRACE)
    assert plan(swept, at=GRACE + 1) == Plan(next_due=after(GRACE + EVERY))
    assert plan(swept, at=GRACE + EVERY).steps == (SWEEP,)


def test_a_list_that_could_not_be_read_does_not_count() -> None:
    state = then(given(*BOTH[:2], RETIRED), SweepStarted(("t-1",)), at=GRACE)
    state = then(state, failed("sweep", retry_at=after(GRACE + 60)), at=GRACE)

    assert plan(state, at=GRACE + 1).next_due == after(GRACE + 60)
    assert plan(state, at=GRACE + 60).steps == (SWEEP,)


def test_a_tool_that_is_in_use_is_looked_at_again_later() -> None:
    state = then(given(*BOTH[:2], RETIRED), failed("tool:book", code="TS-306", retry_at=after(GRACE + EVERY * 2)))

    assert plan(state, at=GRACE).next_due == after(GRACE + EVERY * 2)


def test_nothing_is_swept_beside_other_work() -> None:
    state = given(*BOTH[:2], RETIRED)

    assert SWEEP not in plan(then(state, asked(agent_id="b")), assistant("b"), at=GRACE).steps
    assert SWEEP not in plan(then(state, linking(tools=())), at=GRACE).steps
    assert plan(state, at=GRACE, progress=RunProgress(busy=frozenset({"agent:b"}))).steps == ()


def test_a_deletion_is_announced_only_of_a_retired_tool_and_beside_no_other_write() -> None:
    assert decide(given(*BOTH[:2], RETIRED), DELETING) == (DELETING,)
    assert decide(given(*BOTH[:2]), DELETING) == ()
    assert decide(given(*BOTH[:2], RETIRED, linking(tools=())), DELETING) == ()
    assert decide(given(*BOTH[:2], RETIRED, linking(tools=())), SweepStarted(("t-1",))) == ()
    assert decide(given(*BOTH[:2], RETIRED, OrgClosed()), DELETING) == (DELETING,)
    again = ToolReinstated(ACCOUNT, "book", "t-1", 1, "hash-book-1")
    assert decide(given(*BOTH[:2], RETIRED, again), DELETING) == ()


def test_a_deletion_is_confirmed_once() -> None:
    state = given(*BOTH[:2], RETIRED, DELETING)
    events = decide(state, ConfirmDeleted(uid(300)))

    assert events == (ToolDeleted(uid(300), ACCOUNT, "book", "t-1", 1, "hash-book-1"),)
    state = then(state, *events)
    assert (dict(state.retired), dict(state.attempts)) == ({}, {})
    assert decide(state, ConfirmDeleted(uid(300))) == ()


def test_a_sweep_takes_so_many_tools_and_no_more() -> None:
    extra = [SurplusFound(ACCOUNT, "book", f"t-{n}", after(0)) for n in range(100, 100 + DELETIONS_PER_SWEEP_MAX + 1)]
    state = given(*BOTH[:2], *extra)
    state = then(state, *decide(state, OrgSettled(state.position)))

    (step,) = plan(state, at=AGE).steps
    assert isinstance(step, SweepTools)
    assert len(step.tools) == DELETIONS_PER_SWEEP_MAX


# --- surplus ------------------------------------------------------------------------------------------------------


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


# --- who is gone --------------------------------------------------------------------------------------------------


def test_a_request_of_a_removed_assistant_ends_before_any_tool_is_made() -> None:
    made = plan(given(asked()), assistant(removed=True))

    assert made.steps == ()
    assert [type(command).__name__ for command in made.commands] == ["SettleFailed"]


def test_a_removed_assistant_is_not_looked_at_again() -> None:
    waits = (asked(), failed("agent:a"), failed("agent:b"))
    assert set(given(*waits, AssistantRemoved("a", None)).failures) == {"agent:b"}

    state = given(failed("agent:a", retry_at=after(0)))  # an answer that came after the removal
    (command,) = plan(state, assistant(removed=True)).commands
    state = then(state, *decide(state, command))
    assert plan(state, assistant(removed=True)) == Plan()


def test_a_tool_that_is_not_wanted_is_taken_out_before_it_is_retired_where_a_save_has_put_it_back() -> None:
    (step,) = planned(given(*BOTH, asked()), assistant()).steps  # of the basic tier, and not known to link it
    assert isinstance(step, LinkAssistant)
    assert step.target == (ref(),)
    assert step.unwanted == {"t-2"}


def test_ids_of_ours_that_nobody_wants_are_taken_out_whoever_put_them_there() -> None:
    model = {"toolIds": ["foreign", "t-1", "t-9"]}

    assert relinked(model, (), (ref(CANCEL, "t-2"),), {"t-1", "t-9"}) == ["foreign", "t-2"]
    assert relinked(model, (), (ref(),), {"t-9"}) == ["foreign", "t-1"]
    state = given(*BOTH, RETIRED, FOUND, asked())
    (step,) = planned(then(state, *decide(state, OrgSettled(9)), OrgTierChanged("professional"),
                           ToolSettingChanged("book", enabled=False)), assistant()).steps  # fmt: skip
    assert isinstance(step, LinkAssistant)
    assert step.unwanted == {"t-1", "t-9"}


# --- snapshots ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "event", [registering(), updating(), linking(), DELETING, REMOVING], ids=lambda event: type(event).__name__
)
def test_a_snapshot_gives_back_every_announcement_as_it_was(event: Event) -> None:
    state = given(*BOTH, RETIRED, FOUND, event, ToolSettingChanged("cancel", enabled=False))
    adapter: TypeAdapter[Toolset] = TypeAdapter(Toolset)

    assert adapter.validate_json(adapter.dump_json(state)) == state


def test_the_grace_is_a_day_unless_somebody_says_otherwise() -> None:
    assert POLICY.tool_grace == timedelta(days=1)
