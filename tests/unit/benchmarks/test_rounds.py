"""Rounds in turn: who is first, and what happens to a peer that cannot be run."""

from io import StringIO

import pytest
from benchmarks import sides
from benchmarks.__main__ import exit_status
from benchmarks.errors import NotMeasured
from benchmarks.figures import alternate, in_turn
from benchmarks.rows import Row, show
from benchmarks.sides import Side
from rich.console import Console

SIDES = (sides.OURS, sides.PEER, sides.DBOS)


async def test_each_side_is_first_once() -> None:
    order = []

    async def one_round(side: Side) -> float:
        order.append(side)
        return 1.0

    runs = await in_turn(3, SIDES, one_round)
    assert [order[0], order[3], order[6]] == list(SIDES)
    assert {name: len(rounds) for name, rounds in runs.rounds.items()} == {side.name: 3 for side in SIDES}


async def test_a_peer_that_cannot_be_run_costs_the_others_nothing() -> None:
    asked = []

    async def one_round(side: Side) -> float:
        asked.append(side)
        if side is sides.DBOS:
            raise NotMeasured("dbos ended with status 1: No module named 'dbos'")
        return 1.0

    runs = await in_turn(2, SIDES, one_round)
    assert runs.rounds == {sides.OURS.name: [1.0, 1.0], sides.PEER.name: [1.0, 1.0], sides.DBOS.name: []}
    assert "No module named" in runs.not_run[sides.DBOS.name]
    assert asked.count(sides.DBOS) == 1


async def fails_in_its_second_round(side: Side, asked: list[Side]) -> float:
    """A round of a peer that breaks down."""
    asked.append(side)
    if side is sides.PEER and asked.count(side) == 2:
        raise NotMeasured("plain-handler ended with status 1")
    return 1.0


async def test_a_peer_that_fails_in_its_second_round_has_no_figure_of_its_first() -> None:
    asked: list[Side] = []
    runs = await in_turn(2, (sides.OURS, sides.PEER), lambda side: fails_in_its_second_round(side, asked))
    assert (runs.rounds[sides.PEER.name], len(runs.rounds[sides.OURS.name])) == ([], 2)


async def test_a_row_of_two_sides_needs_both() -> None:
    asked: list[Side] = []
    with pytest.raises(NotMeasured):
        await alternate(2, lambda side: fails_in_its_second_round(side, asked))


async def test_a_round_of_ours_that_fails_is_no_figure_at_all() -> None:
    async def one_round(side: Side) -> float:
        raise NotMeasured(f"{side.name} ended")

    with pytest.raises(NotMeasured, match="tool-sync ended"):
        await in_turn(1, SIDES, one_round)


def test_a_row_whose_peer_was_not_run_says_so_and_so_does_the_exit_status() -> None:
    row = Row("r", "x/s", "higher", (1.0,), peer_name="DBOS", goal="ratio ≥ 8", not_run="not installed")
    text = StringIO()
    show([row], Console(file=text, width=140))
    assert "NOT RUN" in text.getvalue()
    assert (exit_status([row], {}), exit_status([], {"claim": "TimeoutError"})) == (1, 1)


def test_a_missed_goal_is_shown_and_is_no_failure() -> None:
    row = Row("r", "x/s", "higher", (1.0,), (2.0,), "peer", goal="ratio ≥ 8")
    text = StringIO()
    show([row], Console(file=text, width=140))
    assert "missed" in text.getvalue()
    assert exit_status([row], {}) == 0
