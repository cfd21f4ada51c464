"""What may be done with a rollout: every command in every state, legal or refused by name."""

from datetime import UTC, datetime
from itertools import product
from typing import get_args

import pytest

from tool_sync.domain.events import (
    FleetEvent,
    GateEvidence,
    PlanCounts,
    RolloutAborted,
    RolloutCompleted,
    RolloutExpired,
    RolloutPaused,
    RolloutPlanned,
    RolloutResumed,
    RolloutRolledBack,
    RolloutStage,
    RolloutStageOpened,
    RolloutStarted,
    VersionWithdrawn,
)
from tool_sync.domain.fleet import Fleet
from tool_sync.domain.fleet.rollout import (
    LEGAL,
    Refused,
    RolloutCommand,
    RolloutEvent,
    RolloutState,
    decide_rollout,
    state_of,
)

from ..domain.fleets import EVERYBODY, fleet_of, ordered, published, started

LATER = datetime(2026, 12, 24, tzinfo=UTC)
NONE_YET = PlanCounts(0, 0, 0, 0, 0, 0)
FIRST = RolloutStage("1 %", 100)
ABOUT = ("r", "book")


def planned(rollout_id: str = "r", version: int | None = 1, tool: str = "book", *, as_of: int = 100) -> RolloutPlanned:
    return RolloutPlanned(rollout_id, tool, version, (FIRST, EVERYBODY), NONE_YET, as_of, "digest")


RUNNING: tuple[FleetEvent, ...] = (planned(), started("r", stages=(FIRST, EVERYBODY)))
HISTORIES: dict[RolloutState, tuple[FleetEvent, ...]] = {
    "planned": (planned(),),
    "running": RUNNING,
    "paused": (*RUNNING, RolloutPaused(*ABOUT, "look")),
    "completed": (*RUNNING, RolloutCompleted(*ABOUT, "gate")),
    "aborted": (*RUNNING, RolloutAborted(*ABOUT, "bad")),
    "expired": (*RUNNING, RolloutExpired(*ABOUT)),
    "rolled_back": (*RUNNING, RolloutRolledBack(*ABOUT, "bad")),
}
MADE: dict[tuple[RolloutState, RolloutCommand], RolloutEvent] = {
    ("planned", "start"): RolloutStarted(*ABOUT, 1, (FIRST, EVERYBODY), "why", LATER, fleet_sequence=1),
    ("running", "pause"): RolloutPaused(*ABOUT, "why"),
    ("paused", "resume"): RolloutResumed(*ABOUT, "why"),
    ("running", "promote"): RolloutStageOpened(*ABOUT, 1, "promoted", "why"),
    ("running", "pass"): RolloutStageOpened(*ABOUT, 1, "gate"),
    ("running", "abort"): RolloutAborted(*ABOUT, "why", fleet_sequence=1),
    ("paused", "abort"): RolloutAborted(*ABOUT, "why", fleet_sequence=1),
    ("running", "expire"): RolloutExpired(*ABOUT, fleet_sequence=1),
    ("paused", "expire"): RolloutExpired(*ABOUT, fleet_sequence=1),
    **{
        (state, "rollback"): RolloutRolledBack(*ABOUT, "why", fleet_sequence=1)
        for state in ("running", "paused", "completed", "aborted", "expired")
    },
}
WORDS = {
    "start": "applied", "pause": "paused", "resume": "resumed", "promote": "promoted", "abort": "aborted",
    "rollback": "rolled back", "pass": "passed", "expire": "expired",
}  # fmt: skip


def fleet(state: RolloutState) -> Fleet:
    return fleet_of(published(), *HISTORIES[state])


def decided(before: Fleet, command: RolloutCommand, rollout_id: str = "r") -> RolloutEvent | Refused:
    return decide_rollout(before, rollout_id, command, reason="why", expires_at=LATER)


@pytest.mark.parametrize("state", HISTORIES)
def test_a_history_leads_to_its_state(state: RolloutState) -> None:
    assert state_of(fleet(state), "r") == state


@pytest.mark.parametrize(("state", "command"), list(product(HISTORIES, get_args(RolloutCommand))))
def test_a_command_makes_its_event_or_is_refused_with_the_state_by_its_name(
    state: RolloutState, command: RolloutCommand
) -> None:
    name = state.replace("_", " ")
    refused = Refused(f"rollout r is {name}, so it cannot be {WORDS[command]}")
    assert decided(fleet(state), command) == MADE.get((state, command), refused)


def test_what_a_gate_saw_is_in_the_event_that_follows_from_it() -> None:
    saw = GateEvidence("not worse", 60, 0, 240, 3, "passed", 5)
    before = fleet("running")
    passed = decide_rollout(before, "r", "pass", reason="", evidence=saw)
    assert passed == RolloutStageOpened(*ABOUT, 1, "gate", None, saw)
    last = fleet_of(published(), *HISTORIES["running"], passed)
    assert decide_rollout(last, "r", "pass", reason="", evidence=saw) == RolloutCompleted(
        *ABOUT, "gate", None, saw, fleet_sequence=1
    )
    paused = decide_rollout(before, "r", "pause", reason="worse", evidence=saw)
    assert paused == RolloutPaused(*ABOUT, "worse", saw)


def test_an_order_may_begin_at_a_gate_which_or_a_person_opens_its_first_stage() -> None:
    begun = decide_rollout(fleet("planned"), "r", "start", reason="why", expires_at=LATER, gated=True)
    assert begun == RolloutStarted(*ABOUT, 1, (FIRST, EVERYBODY), "why", LATER, gated=True, fleet_sequence=1)
    waiting = fleet_of(published(), planned(), begun)
    assert decided(waiting, "pass") == RolloutStageOpened(*ABOUT, 0, "gate")
    assert decided(waiting, "promote") == RolloutStageOpened(*ABOUT, 0, "promoted", "why")


def test_the_table_says_what_is_decided() -> None:
    legal = {(state, command) for command, states in LEGAL.items() for state in states}
    assert legal == MADE.keys()


@pytest.mark.parametrize("command", get_args(RolloutCommand))
def test_a_rollout_that_is_not_there_is_refused_by_its_id(command: RolloutCommand) -> None:
    assert decided(fleet("running"), command, "other") == Refused("there is no rollout other")


@pytest.mark.parametrize(("command", "cause"), [("promote", "promoted"), ("pass", "gate")])
def test_behind_the_last_stage_the_rollout_completes(command: RolloutCommand, cause: str) -> None:
    last = fleet_of(published(), *RUNNING, RolloutStageOpened(*ABOUT, 1, "gate"))
    made = decided(last, command)
    assert isinstance(made, RolloutCompleted)
    assert (made.cause, made.reason) == (cause, "why" if command == "promote" else None)


@pytest.mark.parametrize("state", ["running", "paused"])
def test_a_second_rollout_of_a_tool_is_refused_and_names_the_first(state: RolloutState) -> None:
    before = fleet_of(published(), *HISTORIES[state], planned("second"))
    refused = Refused(f"rollout r of book is {state}: complete, abort or roll it back first")
    assert decided(before, "start", "second") == refused


@pytest.mark.parametrize("state", ["completed", "aborted", "expired", "rolled_back"])
def test_a_rollout_of_a_tool_may_start_once_the_one_before_is_over(state: RolloutState) -> None:
    before = fleet_of(published(), *HISTORIES[state], planned("second"))
    assert isinstance(decided(before, "start", "second"), RolloutStarted)


def test_a_rollout_of_another_tool_may_run_beside_it() -> None:
    before = fleet_of(published(), *RUNNING, published("cancel"), planned("second", tool="cancel"))
    assert isinstance(decided(before, "start", "second"), RolloutStarted)


@pytest.mark.parametrize(
    ("plan", "why"),
    [
        (planned(version=9), "book has no version 9; there is 1, 2, 7"),
        (planned(version=2), "version 2 of book was withdrawn"),
        (planned(version=7), "version 7 of book has contract 3, which not every assistant-api answers"),
        (planned(tool="cancel"), "nobody has published a tool cancel"),
    ],
)
def test_what_cannot_be_given_is_not_started(plan: RolloutPlanned, why: str) -> None:
    versions = (published(), published(version=2), published(version=7, contract=3))
    before = fleet_of(*versions, VersionWithdrawn("book", 2, "wrong"), plan)
    assert decided(before, "start") == Refused(why)


def test_a_plan_whose_version_was_published_again_since_is_not_started() -> None:
    plan, again = planned(as_of=1), published(definition_hash="again")

    assert isinstance(decided(fleet_of(published(), plan), "start"), RolloutStarted)
    assert decided(fleet_of(published(), plan, again), "start") == Refused(
        "version 1 of book was published again since it was planned: plan it anew"
    )


def test_an_order_to_none_needs_no_version() -> None:
    before = fleet_of(published(), *ordered("first"), planned(version=None))
    made = decided(before, "start")
    assert isinstance(made, RolloutStarted)
    assert made.version is None


def test_what_is_told_of_a_rollout_is_numbered_from_its_start_to_each_of_its_ends() -> None:
    history: tuple[FleetEvent, ...] = (published(), planned())
    numbers = []
    commands: tuple[RolloutCommand, ...] = ("start", "pause", "resume", "promote", "promote", "rollback")
    for command in commands:
        made = decided(fleet_of(*history), command)
        assert not isinstance(made, Refused)
        numbers.append((type(made).__name__, getattr(made, "fleet_sequence", None)))
        history = (*history, made)
    assert numbers == [
        ("RolloutStarted", 1), ("RolloutPaused", None), ("RolloutResumed", None), ("RolloutStageOpened", None),
        ("RolloutCompleted", 2), ("RolloutRolledBack", 3),
    ]  # fmt: skip
