"""Seeds in which clinics have change windows, and somebody changes words of tools, beside everything else."""

from collections import Counter

import pytest

from .faults import Plan
from .mutants import MUTANTS
from .world import run

SEEDS = range(1, 21)
CAUGHT_BY = {"window is ignored": 118, "everything waits for the window": 24}


def test_whatever_happens_besides_windows_are_kept_and_words_are_left_where_they_may_be() -> None:
    reached: Counter[str] = Counter()
    for seed in SEEDS:
        result = run(Plan(seed, hours=True))
        assert result.violations == (), str(result.plan)
        reached += result.reached
    assert reached["waits for its window"]
    assert reached["words left"]


def test_a_seed_without_them_is_what_it_was() -> None:
    assert "with hours" not in str(Plan(17))
    assert not {"window", "reword", "reported"} & run(Plan(17)).fired.keys()


@pytest.mark.parametrize("name", CAUGHT_BY)
def test_a_broken_rule_of_windows_is_caught_by_a_seed(name: str) -> None:
    with MUTANTS[name]():
        assert run(Plan(CAUGHT_BY[name], hours=True)).violations
