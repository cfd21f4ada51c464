"""Percentiles, and rounds in which each side has its turn."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from math import ceil
from typing import Generic, TypeVar

from benchmarks import sides
from benchmarks.errors import NotMeasured
from benchmarks.sides import Side
from devstack.process import StartFailed

T = TypeVar("T")
Say = Callable[[str], None]


def percentile(values: Sequence[float], percent: float) -> float:
    """The nearest-rank percentile: the smallest value that ``percent`` of all values do not exceed."""
    return sorted(values)[max(0, ceil(len(values) * percent / 100) - 1)]


@dataclass(frozen=True, slots=True)
class Runs(Generic[T]):
    """What the rounds of each side gave, by the side's name; ``not_run`` says of a peer why it has none."""

    rounds: dict[str, list[T]]
    not_run: dict[str, str] = field(default_factory=dict)


async def in_turn(rounds: int, competitors: Sequence[Side], one_round: Callable[[Side], Awaitable[T]]) -> Runs[T]:
    """Run the rounds of all sides in turn. Raises what ours raises.

    Whoever is first meets other caches than whoever is second, so each side is first in turn. A peer that fails once
    is not run again, and has no rounds: it is no reason to lose ours.
    """
    runs: Runs[T] = Runs({side.name: [] for side in competitors})
    for number in range(rounds):
        first = number % len(competitors)
        for side in (*competitors[first:], *competitors[:first]):
            if side.name in runs.not_run:
                continue
            try:
                runs.rounds[side.name].append(await one_round(side))
            except (NotMeasured, StartFailed) as error:
                if side is sides.OURS:
                    raise
                runs.not_run[side.name] = str(error)
                runs.rounds[side.name] = []
    return runs


async def alternate(rounds: int, one_round: Callable[[Side], Awaitable[T]]) -> tuple[list[T], list[T]]:
    """Run the rounds of both sides in turn; returns what ours and the peer's gave. Raises :class:`NotMeasured`."""
    runs = await in_turn(rounds, (sides.OURS, sides.PEER), one_round)
    for reason in runs.not_run.values():
        raise NotMeasured(reason)
    return runs.rounds[sides.OURS.name], runs.rounds[sides.PEER.name]
