"""Percentiles, and the row of a thing that was measured round by round on both sides."""

from collections.abc import Awaitable, Callable, Sequence
from math import ceil
from typing import TypeVar

from benchmarks import sides
from benchmarks.sides import Side

T = TypeVar("T")
Say = Callable[[str], None]


def percentile(values: Sequence[float], percent: float) -> float:
    """The nearest-rank percentile: the smallest value that ``percent`` of all values do not exceed."""
    return sorted(values)[max(0, ceil(len(values) * percent / 100) - 1)]


async def alternate(rounds: int, one_round: Callable[[Side], Awaitable[T]]) -> tuple[list[T], list[T]]:
    """Run the rounds of both sides in turn; returns what ours and the peer's gave.

    Whoever is first meets other caches than whoever is second, so each side is first in turn.
    """
    found: dict[str, list[T]] = {sides.OURS.name: [], sides.PEER.name: []}
    for number in range(rounds):
        for side in (sides.OURS, sides.PEER) if number % 2 == 0 else (sides.PEER, sides.OURS):
            found[side.name].append(await one_round(side))
    return found[sides.OURS.name], found[sides.PEER.name]
