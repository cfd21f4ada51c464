"""The simulation itself, in little: it replays, it holds, and it catches. The campaign is `make sim`."""

import os
import subprocess
import sys
from itertools import islice

import pytest

from . import campaign
from .campaign import pairs, singles
from .faults import Plan, Point, Script
from .loop import Deadlock, VirtualLoop
from .mutants import MUTANTS
from .world import Result, run


def test_a_seed_replays_exactly() -> None:
    first, second = run(Plan(7)), run(Plan(7))
    assert first.trace == second.trace
    assert first.fired == second.fired
    assert run(Plan(8)).trace != first.trace


@pytest.mark.parametrize("plan", [Plan(7), Plan(None, "a day", (Point(22),)), Plan(None, "a day", (Point(40, 15.0),))])
def test_a_replay_is_the_same_in_another_process_and_after_other_runs(plan: Plan) -> None:
    traces = {run(plan).trace for _ in range(3)}
    code = (
        f"from tests.simulation.world import *; from tests.simulation.faults import Point; print(run({plan!r}).trace)"
    )
    for hash_seed in ("1", "2"):
        environment = {**os.environ, "PYTHONHASHSEED": hash_seed}
        other = subprocess.run(
            [sys.executable, "-c", code], env=environment, check=True, capture_output=True, text=True
        )
        traces.add(other.stdout.strip())
    assert len(traces) == 1


def test_a_run_that_raises_is_named_and_ends_no_campaign(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(plan: Plan) -> Result:
        if plan.seed == 2:
            raise RuntimeError("broken")
        return run(plan)

    monkeypatch.setattr(campaign, "run", broken)
    tally = campaign.Tally()
    for result in campaign._run_batch([Plan(1), Plan(2), Plan(3)]):
        tally.add(result)
    assert (tally.runs, tally.violations, [str(failure.plan) for failure in tally.failures]) == (3, 1, [str(Plan(2))])


def test_what_a_short_campaign_runs_in_any_case_does_not_depend_on_the_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(campaign, "SCRIPTS", ("first save", "an exchange"))
    by_time = [plan for batch in campaign._batches(campaign.parts(1), None, until=0.0) for plan in batch]
    seeds = [plan.seed for plan in by_time if plan.seed is not None]
    assert set(seeds) >= set(range(1, campaign.SEEDS_FIRST + 1))
    points = [plan for script in ("first save", "an exchange") for plan in campaign.singles(script)]
    assert [plan for plan in by_time if plan.seed is None][-len(points) :] == points
    by_runs = [plan for batch in campaign._batches(campaign.parts(1), 100, until=None) for plan in batch]
    assert 100 <= len([plan for plan in by_runs if plan not in points]) < 100 + campaign.BATCH


def test_time_is_virtual_and_a_deadlock_is_an_error() -> None:
    loop = VirtualLoop(None)
    try:
        with pytest.raises(Deadlock):
            loop.run_until_complete(loop.create_future())
    finally:
        loop.close()


@pytest.mark.parametrize(
    ("script", "every"),
    [
        ("first save", 1),
        ("a day", 3),
        ("an exchange", 5),
        ("a rollout", 16),
        ("creations", 15),
        ("pins", 24),
        ("a change window", 110),
    ],
)
def test_every_await_can_be_the_last_or_a_long_pause_and_every_answer_can_be_lost(script: Script, every: int) -> None:
    plans = list(islice(singles(script), 0, None, every))
    assert len(plans) > 50
    failed = [(str(result.plan), result.violations) for plan in plans if (result := run(plan)).violations]
    assert failed == []


def test_pairs_of_kills_and_pauses() -> None:
    failed = [
        (str(r.plan), r.violations) for plan in islice(pairs("first save"), 0, 4000, 20) if (r := run(plan)).violations
    ]
    assert failed == []


def test_seeds() -> None:
    failed = [(str(r.plan), r.violations) for seed in range(150) if (r := run(Plan(seed))).violations]
    assert failed == []


def test_a_log_that_is_set_back_is_a_part_of_ordinary_seeds() -> None:
    result = run(Plan(3))
    assert result.violations == ()
    assert result.fired["restore"] == 1
    assert result.reached["restored events"] > 0
    assert result.reached["lost tools listed"] > 0


@pytest.mark.parametrize(
    ("seed", "fault", "reached"),
    [
        (14, "records_gone", "records gone"),
        (23, "topic_made_again", "records gone"),
        (164, "rows_set_back", "agents made again"),
    ],
)
def test_lost_records_and_a_database_set_back_are_a_part_of_ordinary_seeds(seed: int, fault: str, reached: str) -> None:
    result = run(Plan(seed))
    assert result.violations == ()
    assert result.fired[fault] == 1
    assert result.reached[reached] > 0


@pytest.mark.parametrize(
    ("name", "plans"),
    [
        ("announces afterwards", [Plan(None)]),
        ("writes a bare model", [Plan(None)]),
        ("forgets lost answers", [Plan(None, lost_answer=2)]),
        ("repeats blindly", [Plan(None, lost_answer=2)]),
        ("tells outcomes twice", [Plan(None)]),
        ("leaves edited assistants", [Plan(12)]),
        ("makes a tool without looking", [Plan(12)]),
        ("does not read again", [Plan(49)]),
        ("looks in its own time", [Plan(44)]),
        ("does not see what was deleted", [Plan(14)]),
        ("takes a new topic for the old one", [Plan(23)]),
        ("makes a second assistant", [Plan(164)]),
        ("knows tools for ever", [Plan(None, "creations")]),
        ("does not look again", [Plan(None, "creations")]),
    ],
)
def test_broken_protocols_are_caught(name: str, plans: list[Plan]) -> None:
    with MUTANTS[name]():
        assert any(run(plan).violations for plan in plans)
