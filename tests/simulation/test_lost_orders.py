"""Orders that a restore has lost: what was made for them is swept, though nobody saves and nothing else happens."""

import pytest

from .faults import Plan, Point
from .gone_mutants import LOST
from .mutants import MUTANTS
from .world import run

SCRIPT = Plan(None, "lost orders")


def test_what_was_made_for_a_lost_order_is_taken_out_and_swept() -> None:
    result = run(SCRIPT)
    assert result.violations == ()
    assert result.reached["lost tools listed"] > 4
    assert result.reached["SurplusDeleted"] >= 4


@pytest.mark.parametrize("step", range(300, 600, 120))
def test_so_it_is_where_a_worker_dies_meanwhile(step: int) -> None:
    assert run(Plan(None, "lost orders", (Point(step),))).violations == ()


@pytest.mark.parametrize("mutant", LOST, ids=lambda one: one.__name__)
def test_whoever_forgets_it_is_caught(mutant: object) -> None:
    with MUTANTS[mutant.__name__.replace("_", " ")]():  # type: ignore[attr-defined]
        assert run(SCRIPT).violations
