"""A row's goal in words, read: whether it is met, and where its line stands in a drawing.

goal    = limit { "; " limit }
limit   = [ "ratio " ] ( "≥" | "≤" | "<" | ">" ) " " number        300,000 is one number
"""

import operator
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

_LIMIT: Final = re.compile(r"(?P<ratio>ratio )?(?P<sign>[≥≤<>]) (?P<number>[\d,]+(?:\.\d+)?)")
_HOLDS: Final[Mapping[str, Callable[[float, float], bool]]] = {
    "≥": operator.ge,
    "≤": operator.le,
    "<": operator.lt,
    ">": operator.gt,
}


@dataclass(frozen=True, slots=True)
class Limit:
    """One promise. ``of_ratio``: about ours beside the peer's, larger being better; else about our own figure."""

    of_ratio: bool
    sign: str
    number: float

    def holds(self, ours: float, ratio: float | None) -> bool | None:
        """Whether the figures keep it; None where it is about a peer that was not run."""
        figure = ratio if self.of_ratio else ours
        return None if figure is None else _HOLDS[self.sign](figure, self.number)


def limits(goal: str | None) -> tuple[Limit, ...]:
    """The promises of a goal. Raises ``ValueError`` for words that are none, so that no goal is passed over."""
    return tuple(_limit(words) for words in goal.split("; ")) if goal else ()


def met(goal: str | None, ours: float, ratio: float | None) -> bool | None:
    """Whether every promise is kept; None where there is none, or where none is missed and one cannot be judged."""
    kept = [limit.holds(ours, ratio) for limit in limits(goal)]
    if False in kept:
        return False
    return None if None in kept or not kept else True


def _limit(words: str) -> Limit:
    found = _LIMIT.fullmatch(words)
    if found is None:
        raise ValueError(f"a goal reads 'ratio ≥ 3' or '< 2', found {words!r}")
    return Limit(found["ratio"] is not None, found["sign"], float(found["number"].replace(",", "")))
