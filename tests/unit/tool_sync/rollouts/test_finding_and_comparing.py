"""Rollouts by the beginning of their ids, and how much of a plan is still true."""

from dataclasses import replace

import pytest

from tool_sync.domain.events import PlanCounts, RolloutPlanned
from tool_sync.domain.fleet import Fleet
from tool_sync.rollouts.finding import UnknownRollout, find_rollout, require_rollout
from tool_sync.rollouts.plan import Planned, untrue_share

from ..domain.fleets import EVERYBODY, fleet_of, ordered, published
from .plans import planned

NONE_YET = PlanCounts(0, 0, 0, 0, 0, 0)


def plan(rollout_id: str) -> RolloutPlanned:
    return RolloutPlanned(rollout_id, "book", 1, (EVERYBODY,), NONE_YET, 1, "digest")


FLEET: Fleet = fleet_of(published(), *ordered("4eeb3252"), *ordered("4eff0000"), plan("7b9e6a13"), plan("7b"))


@pytest.mark.parametrize(
    ("text", "found"), [("4eeb3252", "4eeb3252"), ("4eeb", "4eeb3252"), ("7b9", "7b9e6a13"), ("7b", "7b")]
)
def test_a_rollout_is_found_by_how_its_id_begins(text: str, found: str) -> None:
    assert find_rollout(FLEET, text) == found


def test_a_beginning_of_several_is_told_with_all_of_them() -> None:
    with pytest.raises(UnknownRollout, match=r"^'4e' may be 4eeb3252, 4eff0000: write more of it$"):
        find_rollout(FLEET, "4e")


def test_a_beginning_of_many_is_told_with_some_of_them() -> None:
    many = fleet_of(published(), *(plan(f"a{n}") for n in range(9)))
    with pytest.raises(UnknownRollout, match=r"^'' may be a0, a1, a2, a3, a4 and 4 more: write more of it$"):
        find_rollout(many, "")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("zzz", "there is no rollout zzz"),
        ("4eeb3253", "there is no rollout 4eeb3253; did you mean 4eeb3252?"),
        ("x" * 500, f"there is no rollout {'x' * 80}"),
    ],
)
def test_a_rollout_that_is_not_there_is_told_with_the_one_that_is_most_like_it(text: str, said: str) -> None:
    for find in (find_rollout, require_rollout):
        with pytest.raises(UnknownRollout) as raised:
            find(FLEET, text)
        assert str(raised.value) == said


def test_a_program_names_a_rollout_by_its_whole_id() -> None:
    assert require_rollout(FLEET, "7b") == "7b"
    with pytest.raises(UnknownRollout):
        require_rollout(FLEET, "4eeb")


def test_a_plan_that_says_the_same_is_wholly_true() -> None:
    now = planned({"update": (20, 20)})
    assert untrue_share(now.event, now) == 0


@pytest.mark.parametrize(
    ("was", "is_now", "share"),
    [
        ({"update": 20}, {"update": 20}, 0.0),
        ({"update": 20}, {"update": 19, "already": 1}, 0.05),
        ({"update": 20}, {"update": 19}, 0.05),
        ({"update": 20}, {"update": 22}, 0.1),
        ({"update": 20}, {"update": 10, "left": 10}, 0.5),
        ({"update": 10, "left": 10}, {"update": 20}, 0.5),
        ({"update": 20}, {"remove": 20}, 1.0),
        ({"left": 20}, {"left": 20}, 0.0),
        ({}, {"update": 1}, 1.0),
    ],
)
def test_a_plan_is_untrue_by_the_share_of_clinics_that_moved(
    was: dict[str, int], is_now: dict[str, int], share: float
) -> None:
    before = replace(plan("r"), counts=replace(NONE_YET, **was), digest="before")
    now: Planned = planned({work: (count, count) for work, count in is_now.items()})
    assert untrue_share(before, now) == pytest.approx(share)
