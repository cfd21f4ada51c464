"""Pins in the simulation: a script and ordinary seeds have them, and every broken rule of theirs is caught."""

import pytest

from .faults import Plan, Point
from .mutants import MUTANTS
from .pin_mutants import PINS
from .world import run

SCRIPT = Plan(None, "pins")
CAUGHT_BY = {
    "pin is ignored": SCRIPT,
    "pin beats a halt": SCRIPT,
    "pin follows its number": SCRIPT,
    "order follows its number": SCRIPT,
    "nobody ends a pin": SCRIPT,
    "nobody looks when a pin ends": SCRIPT,
    "a pin ends early": SCRIPT,
    "the end of a pin ends any": Plan(None, "pins", (Point(602, 0.9),)),
}


def test_pins_hold_end_by_time_and_are_replaced() -> None:
    result = run(SCRIPT)
    assert result.violations == ()
    assert result.reached["pin ended by time"] > 2
    assert result.reached["definition put back"] > 0


def test_every_broken_rule_of_pins_has_a_plan_that_catches_it() -> None:
    assert CAUGHT_BY.keys() == {mutant.__name__.replace("_", " ") for mutant in PINS}


@pytest.mark.parametrize("name", CAUGHT_BY)
def test_a_broken_rule_of_pins_is_caught(name: str) -> None:
    with MUTANTS[name]():
        assert run(CAUGHT_BY[name]).violations
    assert run(CAUGHT_BY[name]).violations == ()
