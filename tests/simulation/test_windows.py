"""Change windows in the simulation: nothing that an order brings comes while one is closed; all of it comes later."""

import pytest

from .faults import Plan, Point
from .mutants import MUTANTS
from .window_mutants import WINDOWS
from .world import run

WINDOW = Plan(None, "a change window")


def test_orders_wait_for_a_closed_window_and_come_when_it_opens() -> None:
    result = run(WINDOW)
    assert result.violations == ()
    assert result.reached["waits for its window"] > 5
    assert result.reached["announced as ordered"] > 15


@pytest.mark.parametrize("step", [152, 153, 154])
def test_a_worker_that_sleeps_beyond_the_end_of_the_window_sends_nothing_of_it(step: int) -> None:
    assert run(Plan(None, "a change window", (Point(step, 15.0),))).violations == ()


@pytest.mark.parametrize("mutant", WINDOWS, ids=lambda one: one.__name__)
def test_a_broken_rule_of_change_windows_is_caught(mutant: object) -> None:
    with MUTANTS[mutant.__name__.replace("_", " ")]():  # type: ignore[attr-defined]
        assert run(WINDOW).violations
    assert run(WINDOW).violations == ()
