"""A tool that is ordered in another version: one PATCH, though nobody waits, and no assistant is looked at for it.

A clinic that gets or loses a tool is another matter: that concerns all of its assistants.
"""

from dataclasses import replace

import pytest

from tool_sync.domain.commands import FailStep, SettleSynced
from tool_sync.domain.decider import decide
from tool_sync.domain.events import (
    AssistantDriftSeen,
    OrgClosed,
    OrgSettled,
    RetireReason,
    SyncAttemptFailed,
    ToolHalted,
    ToolOrdered,
    ToolRetired,
    ToolUpdated,
)
from tool_sync.domain.fleet import Fleet
from tool_sync.domain.plan import next_steps
from tool_sync.domain.plan.due import retry_time
from tool_sync.domain.plan.situation import ObservedLink, OrgWide, RunProgress, Situation
from tool_sync.domain.plan.steps import LinkAssistant, Plan, RegisterTool, ResolveAttempt, UpdateTool
from tool_sync.domain.reach import Obstacle
from tool_sync.domain.subject import agent_subject
from tool_sync.domain.toolset import Assistant, Toolset
from tool_sync.domain.wanted import WantedTool, wanted_of

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
from .fleets import ORG, and_then, fleet_of, ordered, published

HAVE = (registering(), registered())
NEWER = WantedTool("book", 2, "hash-book-2", "r-2")
UPDATED = ToolUpdated(uid(101), ACCOUNT, *ref(NEWER).fields[:2], 2, "hash-book-2", "answer")
SYNCED = assistant(linked=(ref(),), synced=(ref(),))
FLEET = fleet_of(published(), *ordered("r-1"))


def found(*agents: str, target: tuple[WantedTool, ...] = (BOOK,)) -> RunProgress:
    """The run looked through the org, and these assistants do not name the ids of the target."""
    return RunProgress(org_wide=OrgWide(tuple(ref(tool) for tool in target), frozenset(agents), True, not agents))


def planned(state: Toolset, fleet: Fleet, *rows: Assistant, progress: RunProgress | None = None) -> Plan:
    """What is to be done about what this fleet makes of the clinic."""
    known, wanted = {row.agent_id: row for row in rows}, wanted_of(state, fleet, ORG, after(0))
    return next_steps(Situation(state, known, wanted, after(0), POLICY, progress or RunProgress(), ACCOUNT))


def test_it_is_planned_though_nobody_waits_and_is_one_update_and_nothing_else() -> None:
    assert plan(given(*HAVE), SYNCED, wanted=(NEWER,)) == Plan((UpdateTool(NEWER, ref()),))


def test_it_is_bulk_work_that_lets_every_save_pass() -> None:
    (step,) = plan(given(*HAVE), SYNCED, wanted=(NEWER,)).steps

    assert step.lane == "bulk"


def test_after_it_nothing_is_left_to_do_and_nobody_is_told() -> None:
    started = updating(tool=NEWER)
    state = given(*HAVE)
    assert decide(state, started) == (started,)
    state = then(state, started)
    assert plan(state, SYNCED, wanted=(NEWER,)) == Plan(next_due=after(POLICY.settle.total_seconds()))

    state = then(state, UPDATED)
    assert plan(state, SYNCED, wanted=(NEWER,)) == Plan()
    assert state.version == len((*HAVE, started, UPDATED)), "two events, and no outcome"


def test_a_lower_version_is_as_good_as_a_higher_one() -> None:
    state = given(registering(tool=NEWER), registered(tool=NEWER))

    assert plan(state, SYNCED, wanted=(BOOK,)).steps == (UpdateTool(BOOK, ref(NEWER)),)


def test_a_tool_that_the_org_lacks_is_not_made_beside_it_while_nobody_waits() -> None:
    assert plan(given(*HAVE), SYNCED, wanted=(NEWER, CANCEL)).steps == (UpdateTool(NEWER, ref()),)
    assert plan(given(*HAVE), SYNCED, wanted=(BOOK, CANCEL)) == Plan()


def test_it_is_begun_once() -> None:
    state = given(*HAVE)

    assert plan(state, SYNCED, wanted=(NEWER,), progress=RunProgress(busy=frozenset({"tool:book"}))) == Plan()


def test_one_without_an_answer_is_looked_up_and_not_sent_again() -> None:
    state = given(*HAVE, updating(tool=NEWER))

    (look,) = plan(state, SYNCED, wanted=(NEWER,), at=POLICY.settle.total_seconds()).steps
    assert isinstance(look, ResolveAttempt)


def test_one_that_failed_is_tried_again_when_it_is_due_and_soon() -> None:
    state = given(*HAVE, failed("tool:book", retry_at=after(10), definition_hash=NEWER.definition_hash))

    assert plan(state, SYNCED, wanted=(NEWER,), at=9) == Plan(next_due=after(10))
    assert plan(state, SYNCED, wanted=(NEWER,), at=10).steps == (UpdateTool(NEWER, ref()),)
    assert retry_time(given(*HAVE), "tool:book", after(0), 0.5, POLICY) == after(0.5), "an order waits for it"


def test_one_that_was_refused_for_good_is_left_until_another_definition_is_ordered() -> None:
    state = given(*HAVE, failed("tool:book", retry_at=None, definition_hash=NEWER.definition_hash))

    assert plan(state, SYNCED, wanted=(NEWER,)) == Plan()
    third = WantedTool("book", 3, "hash-book-3")
    assert plan(state, SYNCED, wanted=(third,)).steps == (UpdateTool(third, ref()),)


def test_a_closed_orgs_tools_are_not_updated() -> None:
    state = given(*HAVE, OrgClosed())
    fleet = and_then(FLEET, published(version=2), *ordered("r-2", 2))

    made = planned(state, fleet)
    assert made.steps == ()
    assert [type(command) for command in made.commands] == [ToolRetired, OrgSettled]


# --- assistants are compared by the ids of their tools ------------------------------------------------------------


def test_an_assistant_whose_outcome_named_the_same_ids_in_an_older_version_is_not_looked_at() -> None:
    state = given(*HAVE, updating(tool=NEWER), UPDATED, ToolOrdered("book", "r-2"))

    taken_up = plan(state, SYNCED, wanted=(NEWER,), progress=found("a", target=(NEWER,)))
    assert (taken_up.steps, taken_up.commands) == ((), ())
    assert plan(state, SYNCED, wanted=(NEWER,), progress=found(target=(BOOK,))).commands == (OrgSettled(5),)


def test_an_assistant_whose_outcome_named_another_id_is_linked_anew() -> None:
    other = assistant(synced=(ref(tool_id="t-9"),))
    state = given(*HAVE, ToolOrdered("book", "r-1"))

    (step,) = plan(state, other, progress=found("a")).steps
    assert isinstance(step, LinkAssistant)
    assert step.target == (ref(),)


def test_an_outcome_names_the_definition_that_the_tool_has_by_then() -> None:
    """The assistant was seen with it before the update: it is the same tool, so it is not read a second time."""
    state = given(*HAVE, asked(), updating(tool=NEWER), UPDATED)
    progress = RunProgress(seen={"a": ObservedLink((ref(),), 3)})

    (command,) = plan(state, SYNCED, wanted=(NEWER,), progress=progress).commands
    assert isinstance(command, SettleSynced)
    assert (command.tools, command.changed) == ((ref(NEWER),), False)


def test_a_save_that_arrives_beside_a_look_that_is_put_off_does_not_wait_for_it() -> None:
    """The run had not read the save when it noted when to look again: in the log the note stands above the save."""
    put_off = SyncAttemptFailed(
        agent_subject("a"), None, "refused", "TS-307", 1, after(0) + POLICY.look_again, counted=True
    )
    row = assistant(failed=True, code="TS-307", synced=(ref(),))

    made = plan(given(*HAVE, asked(), put_off), row)
    assert [type(step) for step in made.steps] == [LinkAssistant]
    assert plan(given(*HAVE, put_off), row).steps == ()


def test_what_stands_in_the_way_is_not_told_again_for_another_version() -> None:
    state = given(*HAVE, updating(tool=NEWER), UPDATED, AssistantDriftSeen("a", "vapi-a", gone=False))
    row = assistant(failed=True, code="TS-307", synced=(ref(),))
    seen = ObservedLink((ref(),), 5, (Obstacle("TS-307", ("book",)),))

    made = plan(state, row, wanted=(NEWER,), progress=replace(found(target=(NEWER,)), seen={"a": seen}))
    again = after(0) + POLICY.look_again
    assert made.commands == (FailStep(agent_subject("a"), None, "refused", "TS-307", again, assistant_id="vapi-a"),)


def test_a_link_is_announced_with_the_ids_that_the_org_has_whatever_their_definition() -> None:
    state = given(*HAVE, updating(tool=NEWER), UPDATED)

    assert decide(state, linking()) == (linking(),)
    gone = linking(tools=(ref(tool_id="t-9"),))
    assert decide(state, gone) == ()


# --- an order that makes the org get or lose a tool ---------------------------------------------------------------


def test_an_order_that_concerns_the_clinic_looks_through_all_of_it() -> None:
    assert plan(given(*HAVE, ToolOrdered("cancel", "r-2")), SYNCED, wanted=(BOOK, CANCEL)) == Plan(look_org_wide=True)


def test_a_tool_that_was_ordered_is_made_linked_and_told_of_as_a_rollout() -> None:
    state, both = given(*HAVE, ToolOrdered("cancel", "r-2")), (BOOK, CANCEL)
    assert plan(state, SYNCED, wanted=both, progress=found()).steps == (RegisterTool(CANCEL),)

    state = then(state, registering(102, CANCEL), registered(102, CANCEL, "t-2"))
    target = (ref(), ref(CANCEL, "t-2"))
    taken_up = RunProgress(org_wide=OrgWide(target, frozenset({"a"}), True, False))
    assert plan(state, SYNCED, wanted=both, progress=taken_up).steps == (LinkAssistant(SYNCED, target, 0),)

    seen = replace(taken_up, seen={"a": ObservedLink(target, 0)})
    (command,) = plan(state, SYNCED, wanted=both, progress=seen).commands
    assert isinstance(command, SettleSynced)
    assert (command.tools, command.changed, command.cause) == (target, True, "rollout")


@pytest.mark.parametrize("reason", ["halted", "order"])
def test_a_tool_that_was_halted_or_ordered_away_is_unlinked_everywhere_before_it_is_retired(
    reason: RetireReason,
) -> None:
    away = (ToolHalted("book", "wrong"),) if reason == "halted" else ordered("r-2", None)
    fleet = and_then(FLEET, *away)
    state = given(*HAVE, ToolOrdered("book", None))

    (step,) = planned(state, fleet, SYNCED, progress=found("a", target=())).steps
    assert isinstance(step, LinkAssistant)
    assert (step.target, step.unwanted) == ((), frozenset({"t-1"}))
    order = "r-2" if reason == "order" else None
    retire = ToolRetired(ACCOUNT, *ref().fields, reason, after(0) + POLICY.tool_grace, order, fleet.position)
    assert planned(state, fleet, progress=found(target=())).commands == (retire, OrgSettled(3))


# --- a tool whose ordered version nobody answers ------------------------------------------------------------------


def test_a_tool_whose_ordered_version_nobody_answers_stays_as_it_is_and_is_still_linked() -> None:
    fleet = and_then(FLEET, published(version=2, contract=2), *ordered("r-2", 2))
    assert planned(given(*HAVE), fleet, SYNCED) == Plan()

    state = given(*HAVE, asked())
    assert planned(state, fleet, assistant()).steps == (LinkAssistant(assistant(), (ref(),), 3),)
    seen = RunProgress(seen={"a": ObservedLink((ref(),), 3)})
    (command,) = planned(state, fleet, assistant(), progress=seen).commands
    assert isinstance(command, SettleSynced)
    assert command.tools == (ref(),)


def test_a_tool_whose_ordered_version_nobody_answers_is_not_made_for_a_clinic_that_lacks_it() -> None:
    fleet = fleet_of(published(contract=2), *ordered("r-1"))

    assert planned(given(asked()), fleet, assistant()).steps == (LinkAssistant(assistant(), (), 1),)
