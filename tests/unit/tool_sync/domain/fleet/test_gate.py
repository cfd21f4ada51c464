"""The sequential test of calls: what it finds, how soon, and how seldom it is wrong, looking after every call."""

from collections import Counter
from collections.abc import Iterator
from datetime import timedelta
from random import Random

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tool_sync.domain.events import RolloutStage
from tool_sync.domain.fleet.gate import Calls, Verdict, compare, judge

HALF_A_DAY = timedelta(hours=12)
CAREFUL = RolloutStage("1 %", 100, gate_calls=40, gate_hours=12)


def looks(dice: Random, new: float, old: float, share: float, calls: int) -> Iterator[tuple[int, Verdict]]:
    """After every call: how many were of the new version, and the verdict. ``new`` and ``old``: how often calls fail.

    ``share``: of the new version; 1: nobody has an old one.
    """
    counts = Counter[tuple[bool, bool]]()
    for _ in range(calls):
        is_new = dice.random() < share
        counts[is_new, dice.random() < (new if is_new else old)] += 1
        sides = [Calls(counts[side, True] + counts[side, False], counts[side, True]) for side in (True, False)]
        yield sides[0].total, compare(sides[0], sides[1] if share < 1 else None)


def found(new: float, old: float, share: float, verdict: Verdict, *, runs: int, calls: int) -> list[int]:
    """In how many calls of the new version each run came to this verdict; runs that did not are left out."""
    first = (
        next((n for n, said in looks(Random(seed), new, old, share, calls) if said == verdict), None)
        for seed in range(runs)
    )
    return sorted(n for n in first if n is not None)


@pytest.mark.parametrize(("rate", "share"), [(0.01, 0.5), (0.05, 0.1), (0.2, 0.5), (0.05, 1.0)])
def test_of_equal_versions_hardly_one_is_found_worse_in_thousands_of_looks(rate: float, share: float) -> None:
    assert len(found(rate, rate, share, "worse", runs=40, calls=2_000)) <= 0.05 * 40


def test_a_version_that_is_worse_by_the_margin_hardly_ever_passes() -> None:
    assert len(found(0.13, 0.02, 0.3, "not worse", runs=40, calls=1_000)) <= 0.05 * 40
    assert len(found(0.16, 0.0, 1.0, "not worse", runs=40, calls=1_000)) <= 0.05 * 40


@pytest.mark.parametrize(("share", "usual", "most"), [(0.05, 35, 90), (0.5, 60, 210), (1.0, 50, 150)])
def test_a_version_that_fails_at_a_fifth_of_its_calls_is_found_soon(share: float, usual: int, most: int) -> None:
    counts = found(0.2, 0.02, share, "worse", runs=40, calls=3_000)
    print(f"share {share}: worse after {counts[len(counts) // 2]} calls of it, {counts[-1]} at most")
    assert len(counts) == 40
    assert counts[20] <= usual
    assert counts[-1] <= most


@pytest.mark.parametrize(("rate", "usual", "most"), [(0.0, 90, 90), (0.02, 90, 260)])
def test_a_version_that_works_as_well_passes_within_hundreds_of_calls(rate: float, usual: int, most: int) -> None:
    counts = found(rate, rate, 0.1, "not worse", runs=40, calls=4_000)
    print(f"rate {rate}: not worse after {counts[20]} calls of it, {counts[-1]} at most")
    assert len(counts) == 40
    assert counts[20] <= usual
    assert counts[-1] <= most


@pytest.mark.parametrize(
    ("new", "old", "verdict"),
    [
        (Calls(), Calls(), "not enough"),
        (Calls(), Calls(10_000, 10), "not enough"),
        (Calls(12, 1), Calls(240, 3), "not enough"),
        (Calls(9, 9), Calls(240, 3), "not enough"),  # one conversation
        (Calls(10, 10), Calls(240, 3), "worse"),
        (Calls(30, 12), Calls(240, 3), "worse"),
        (Calls(12, 12), None, "worse"),
        (Calls(12, 12), Calls(), "not enough"),  # it has an old version, of which nothing is known yet
        (Calls(60, 0), Calls(240, 3), "not worse"),
        (Calls(40, 0), None, "not worse"),
        (Calls(100, 90), Calls(100, 90), "not enough"),  # as bad as before: nothing was shown
        (Calls(20_000, 200), Calls(20_000, 200), "not worse"),
    ],
)
def test_what_counts_show(new: Calls, old: Calls | None, verdict: Verdict) -> None:
    assert compare(new, old) == verdict


@given(st.integers(0, 20_000), st.floats(0, 1), st.integers(0, 20_000), st.floats(0, 1))
@example(100, 1.0, 100, 0.95)
@example(1, 1.0, 1, 1.0)
def test_any_counts_have_a_verdict_and_none_is_found_both_ways(
    new: int, new_share: float, old: int, old_share: float
) -> None:
    calls, before = Calls(new, int(new * new_share)), Calls(old, int(old * old_share))
    if compare(calls, before) == "worse":
        assert calls.failed * old > before.failed * new
    assert compare(calls, None) in ("not enough", "not worse", "worse")


def test_a_gate_needs_its_calls_and_what_they_show() -> None:
    def judged(new: Calls, waited: timedelta = timedelta(0), *, all_read: bool = True) -> str:
        return judge(CAREFUL, new, Calls(240, 3), waited, all_read=all_read)

    assert judged(Calls(60)) == "not worse"
    assert judged(Calls(39)) == "waits"
    assert judged(Calls(39), HALF_A_DAY) == "thin"
    assert judged(Calls(), HALF_A_DAY) == "thin"
    assert judged(Calls(), HALF_A_DAY - timedelta(seconds=1)) == "waits"
    assert judged(Calls(), HALF_A_DAY, all_read=False) == "waits", "calls may have come that nobody has read"
    assert judged(Calls(30, 12), HALF_A_DAY) == "worse"
    assert judged(Calls(45, 4), HALF_A_DAY * 10) == "waits", "time stands in for calls, not for what they show"


def test_without_hours_no_time_opens_a_gate() -> None:
    stage = RolloutStage("1 %", 100, gate_calls=40)
    assert judge(stage, Calls(), Calls(), timedelta(days=20), all_read=True) == "waits"


def test_more_failures_than_calls_are_our_bug() -> None:
    with pytest.raises(AssertionError, match="2 of 1 calls"):
        Calls(1, 2)
