"""Orders in the simulation: an update costs what it has to, and every broken rule of orders is caught by some plan."""

import pytest

from .faults import Plan, Point
from .mutants import MUTANTS
from .order_mutants import ORDERS
from .world import run

ROLLOUT = Plan(None, "a rollout")
GATED = Plan(None, "a gated rollout")
DRIFT = Plan(None, "reported drift")
CAUGHT_BY = {
    "running order holds everybody": ROLLOUT,
    "signup is a canary": Plan(49),
    "only the newest stage is open": Plan(191),
    "stage is for everybody": ROLLOUT,
    "first stage needs no gate": GATED,
    "pause is ignored": Plan(5),
    "abort takes away": Plan(240),
    "rolled back order still counts": ROLLOUT,
    "older order wins": ROLLOUT,
    "higher version wins": Plan(26),
    "reloads no fleet": Plan(44),
    "hears of no order": ROLLOUT,
    "reads once": Plan(3303),
    "overtaken write is allowed": Plan(None, "a rollout", (Point(81, 15.0),)),
    "only an order overtakes": Plan(None, "pins", (Point(132, 15.0),)),
    "order is not recorded": ROLLOUT,
    "follows what was only announced": Plan(372),
    "follows the newest alone": Plan(858),
    "halt is ignored": Plan(55),
    "contract is ignored": Plan(28),
    "update in place concerns assistants": ROLLOUT,
    "assistants are compared by version": Plan(530),
    "leaves what is found late": Plan(2086),
    "feeds no removals": Plan(55),
    "numbers of what is told repeat": ROLLOUT,
    "answer says no version before": ROLLOUT,
    "settles before older runs end": Plan(None, "a rollout", (Point(472, 0.9),)),
    "words are put right whatever the policy": DRIFT,
    "leaves what was reported": DRIFT,
    "leaves what keeps callers from booking": DRIFT,
}


def test_an_order_reaches_every_clinic_and_is_taken_back_with_one_call_each() -> None:
    result = run(ROLLOUT)
    assert result.violations == ()
    assert result.reached["updated in place"] > 15
    assert result.reached["definition put back"] > 0
    assert result.reached["rolled back at rest"] > 0


def test_an_order_that_waits_at_its_first_gate_gives_nobody_anything_until_it_opens() -> None:
    result = run(GATED)
    assert result.violations == ()
    assert result.reached["order RolloutStageOpened"] == 1
    assert result.reached["updated in place"] > 0


def test_words_that_are_only_reported_stay_and_are_put_right_by_the_policy() -> None:
    result = run(DRIFT)
    assert result.violations == ()
    assert result.reached["words left"] > 0
    assert result.reached["order DriftPolicySet"] == 3


def test_orders_are_a_part_of_ordinary_seeds() -> None:
    result = run(Plan(26))
    assert result.violations == ()
    assert result.reached["announced as ordered"] > 0
    assert result.reached["order RolloutStarted"] > 2


def test_every_broken_rule_of_orders_has_a_plan_that_catches_it() -> None:
    assert CAUGHT_BY.keys() == {mutant.__name__.replace("_", " ") for mutant in ORDERS}


@pytest.mark.parametrize("name", CAUGHT_BY)
def test_a_broken_rule_of_orders_is_caught(name: str) -> None:
    with MUTANTS[name]():
        assert run(CAUGHT_BY[name]).violations
    assert run(CAUGHT_BY[name]).violations == ()
