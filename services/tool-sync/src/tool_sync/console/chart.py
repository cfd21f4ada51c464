"""Lines over time as drawings that need no script: the server computes the points, the page says the numbers, too."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

BIN: Final = timedelta(minutes=15)
DAY: Final = timedelta(hours=24)
_BINS: Final = DAY // BIN
_HEIGHT: Final = 40.0
_MARKS: Final = 6


@dataclass(frozen=True, slots=True)
class Line:
    """The last 24 hours of one count in pieces of 15 min, drawn on a ground of ``width`` x ``height``.

    ``most`` came in the piece that begins at ``most_at`` (None where nothing came), ``total`` in all. ``marks`` are the
    moments of the axis, at even distances.
    """

    title: str
    total: int
    most: int
    most_at: datetime | None
    points: str
    marks: tuple[datetime, ...]
    width: int = _BINS
    height: int = int(_HEIGHT)


def day_begins(now: datetime) -> datetime:
    """The beginning of the first of the pieces that end with the one of ``now``."""
    bins = int(now.timestamp() // BIN.total_seconds()) + 1 - _BINS
    return datetime.fromtimestamp(bins * BIN.total_seconds(), UTC)


def line(title: str, counts: Mapping[datetime, int], begins: datetime) -> Line:
    """``counts`` by the beginning of each piece; what is not in it is 0."""
    values = [counts.get(begins + number * BIN, 0) for number in range(_BINS)]
    most = max(values)
    # A step for each piece; 1 above the ground, so that a line of zeros is seen.
    heights = [_HEIGHT - 1 - (_HEIGHT - 2) * value / max(most, 1) for value in values]
    points = " ".join(f"{x},{y:.1f} {x + 1},{y:.1f}" for x, y in enumerate(heights))
    most_at = begins + values.index(most) * BIN if most else None
    return Line(title, sum(values), most, most_at, points, tuple(begins + n * DAY / _MARKS for n in range(_MARKS)))
