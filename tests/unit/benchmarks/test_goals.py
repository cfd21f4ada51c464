"""A goal's words and the figures that they are held against."""

import pytest
from benchmarks.goals import Limit, limits, met


def test_a_goal_may_be_about_our_figure_and_about_the_ratio() -> None:
    assert limits("≥ 300,000; ratio ≥ 4") == (Limit(False, "≥", 300_000), Limit(True, "≥", 4))


@pytest.mark.parametrize(("goal", "ours", "expected"), [("< 2", 1.9, True), ("< 2", 2.0, False), ("≤ 0.70", 0.7, True)])
def test_a_goal_is_met_by_the_figure_as_it_was_measured(goal: str, ours: float, expected: bool) -> None:
    assert met(goal, ours, None) is expected


def test_one_missed_promise_misses_the_goal() -> None:
    assert met("≥ 100; ratio ≥ 4", 150, 3.9) is False
    assert met("≥ 100; ratio ≥ 4", 99, None) is False


def test_a_goal_beside_a_peer_that_was_not_run_is_neither_met_nor_missed() -> None:
    assert met("ratio ≥ 4", 150, None) is None
    assert met(None, 150, 2.0) is None


def test_words_that_are_no_goal_are_refused() -> None:
    with pytest.raises(ValueError, match="about four"):
        limits("about four")
