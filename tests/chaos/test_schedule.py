"""The nemesis' schedule: seeded, complete from three minutes on, and dense enough for a long run."""

from itertools import pairwise
from random import Random

import pytest
from tests.chaos.nemesis import CLASSES, FAULTS, GAP_SECONDS, schedule


@pytest.mark.parametrize("seed", range(50))
def test_three_minutes_hold_every_class_and_the_same_seed_makes_the_same_schedule(seed: int) -> None:
    due = schedule(Random(seed), 180)
    assert {item.fault.name for item in due} == set(CLASSES)
    assert due == schedule(Random(seed), 180)
    gaps = [after.at - before.at for before, after in pairwise(due)]
    assert all(GAP_SECONDS[0] <= gap <= GAP_SECONDS[1] for gap in gaps)


def test_the_restore_is_among_the_faults_and_comes_twice_at_most() -> None:
    assert "restore-tool-sync" in CLASSES
    names = [item.fault.name for item in schedule(Random(1), 3600)]
    assert names.count("restore-tool-sync") == 2


def test_two_seeds_differ() -> None:
    assert schedule(Random(1), 180) != schedule(Random(2), 180)


@pytest.mark.parametrize("seed", range(20))
def test_ten_minutes_hold_a_hundred_faults_of_each_class_at_least_three_or_as_many_as_it_may_come(seed: int) -> None:
    due = schedule(Random(seed), 600)
    names = [item.fault.name for item in due]
    assert len(names) >= 100
    assert len(CLASSES) >= 12
    assert all(names.count(fault.name) >= min(3, fault.times_max or 3) for fault in FAULTS)
