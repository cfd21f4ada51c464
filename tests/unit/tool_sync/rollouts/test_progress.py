"""How far a clinic has come with an order, and what it waits for."""

from dataclasses import replace
from uuid import UUID

import pytest

from tool_sync.domain.events import (
    DriftPolicySet,
    FleetEvent,
    RolloutAborted,
    RolloutCompleted,
    RolloutPaused,
    RolloutRolledBack,
    RolloutStage,
    ToolHalted,
)
from tool_sync.domain.fleet import Clinic, Fleet
from tool_sync.domain.fleet.progress import ClinicProgress, progress_of
from tool_sync.domain.fleet.rollout import Refused
from tool_sync.domain.fleet.work import ClinicFacts, work_of
from tool_sync.rollouts.publish import drift_policy

from ..domain.builders import after
from ..domain.fleets import EVERYBODY, ORG, and_then, fleet_of, ordered, published, started

OTHER = UUID(int=7)
MINE = RolloutStage("mine", orgs=(str(ORG),))
ABOUT = ("r", "book")
VERSIONS = (published(), published(version=2))
RUNNING = fleet_of(*VERSIONS, *ordered("old"), started("r", 2, (MINE, EVERYBODY)))
DONE, WAITING = ClinicProgress("done"), ClinicProgress("waiting")


def facts(has: int | None, org_id: UUID = ORG, **more: object) -> ClinicFacts:
    clinic = Clinic(str(org_id), "basic", since=after(0), follows={"book": ("old",)} if has == 1 else {})
    one = ClinicFacts(clinic, 1, None if has is None else f"hash-book-{has}", False, None, 5)
    return replace(one, **more)  # type: ignore[arg-type]


def found(fleet: Fleet, clinic: ClinicFacts) -> ClinicProgress | None:
    order = fleet.order("r")
    assert order is not None
    return progress_of(clinic, fleet, order)


@pytest.mark.parametrize(
    ("clinic", "said"),
    [
        (facts(2), DONE),
        (facts(1), WAITING),
        (facts(None), WAITING),
        (facts(1, refused_hash="hash-book-2"), ClinicProgress("refused")),
        (facts(None, assistants=0), ClinicProgress("left", "it has no assistant")),
        (facts(1, OTHER), ClinicProgress("waiting", "stage 2 of 2, all, is not open")),
        (facts(2, OTHER), DONE),
    ],
)
def test_of_an_order_that_runs(clinic: ClinicFacts, said: ClinicProgress) -> None:
    assert found(RUNNING, clinic) == said


def test_who_signed_up_meanwhile_waits_for_the_last_stage() -> None:
    late = facts(1)
    late = replace(late, clinic=replace(late.clinic, since=after(3600)))
    assert found(RUNNING, late) == ClinicProgress("waiting", "stage 2 of 2, all, is not open")


@pytest.mark.parametrize(
    ("events", "clinic", "said"),
    [
        ((RolloutPaused(*ABOUT, "look"),), facts(1), ClinicProgress("waiting", "the rollout is paused")),
        ((ToolHalted("book", "wrong"),), facts(None), ClinicProgress("left", "book is halted: wrong")),
        ((RolloutAborted(*ABOUT, "bad"),), facts(1), None),
        ((RolloutRolledBack(*ABOUT, "bad"),), facts(1), None),
        ((RolloutCompleted(*ABOUT, "gate"), *ordered("newer", 1)), facts(2), None),
    ],
)
def test_of_an_order_that_does_not_go_on(
    events: tuple[FleetEvent, ...], clinic: ClinicFacts, said: ClinicProgress | None
) -> None:
    assert found(and_then(RUNNING, *events), clinic) == said


def test_who_still_has_what_was_rolled_back_waits() -> None:
    fleet = and_then(RUNNING, RolloutRolledBack(*ABOUT, "bad"))
    follower = facts(2)
    follower = replace(follower, clinic=replace(follower.clinic, follows={"book": ("r",)}))
    assert found(fleet, follower) == ClinicProgress("waiting", "it still has what was rolled back")


def test_a_clinics_own_reasons_leave_it_as_it_is() -> None:
    off = facts(None)
    off = replace(off, clinic=replace(off.clinic, disabled={"book"}))
    assert found(RUNNING, off) == ClinicProgress("left", "a setting of the clinic's switches the tool off")
    paid = fleet_of(published(), published(version=2, tier="enterprise"), started("r", 2))
    assert found(paid, facts(None)) == ClinicProgress("left", "its tier, basic, is below enterprise")
    unanswered = fleet_of(published(), published(version=2, contract=9), started("r", 2))
    assert found(unanswered, facts(1)) == ClinicProgress("left", "assistant-api does not answer contract 9 of book")


def test_words_that_somebody_changed_are_work_where_they_are_to_be_put_right() -> None:
    reworded = facts(2, is_reworded=True)
    assert work_of(reworded, RUNNING, "book") == "update"
    reported = and_then(RUNNING, DriftPolicySet("book", "report", "we try words"))
    assert work_of(reworded, reported, "book") == "already"
    assert work_of(replace(reworded, refused_hash="hash-book-2"), RUNNING, "book") == "refused"


def test_a_drift_policy_is_set_once() -> None:
    assert drift_policy(RUNNING, "bok", "report", "x") == Refused("nobody has published a tool bok")
    assert drift_policy(RUNNING, "book", "repair", "x") == Refused("drift of book is put right already")
    reported = and_then(RUNNING, DriftPolicySet("book", "report", "we try words"))
    assert dict(reported.reported) == {"book": "we try words"}
    assert reported.changed_at["book"] == reported.position
    said = Refused("drift of book is only reported already: we try words")
    assert drift_policy(reported, "book", "report", "x") == said
    back = drift_policy(reported, "book", "repair", "x")
    assert back == DriftPolicySet("book", "repair", "x")
    assert not and_then(reported, back).reported
