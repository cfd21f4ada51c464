"""When a tool that is to go is swept and deleted, and what of assistants that are gone; what a snapshot keeps of it."""

from datetime import timedelta

import pytest
from pydantic import TypeAdapter

from tool_sync.domain.commands import ConfirmDeleted
from tool_sync.domain.decider import decide
from tool_sync.domain.events import (
    AssistantRemoved,
    Event,
    OrgClosed,
    OrgSettled,
    OrgTierChanged,
    SurplusFound,
    SweepStarted,
    ToolDeleted,
    ToolReinstated,
    ToolSettingChanged,
)
from tool_sync.domain.linking import relinked
from tool_sync.domain.plan.deletions import DELETIONS_PER_SWEEP_MAX
from tool_sync.domain.plan.situation import RunProgress
from tool_sync.domain.plan.steps import (
    LinkAssistant,
    Plan,
    SweepTools,
)
from tool_sync.domain.toolset import Toolset

from .builders import (
    ACCOUNT,
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
    registering,
    then,
    uid,
    updating,
)
from .leaving import AGE, BOTH, DELETING, EVERY, FOUND, GRACE, REMOVING, RETIRED, SWEEP, planned

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
