"""Vapi's time, by the ``Date`` of its answers: what was made around an attempt of ours is looked for in it.

No two wall clocks are compared: ``Date`` is set beside this machine's monotonic clock, and an age, which is the same by
every clock, is taken off. ``Date`` has whole seconds (RFC 9110, 6.6.1) and was written between request and answer, so
half a second after it, at the midpoint, is right within half a second and half the way::

    sent ──────── Date + 0.5 s, about here ──────── received          error = 0.5 s + (received - sent) / 2
"""

import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from zerotouch_platform.vapi.dates import http_date

RECENT_SECONDS: Final = 60.0
"""After so long a worse measurement replaces a better one: clocks drift."""
REMEMBERED_SECONDS: Final = 3600.0
"""A clock that was set makes two times of one moment: so long both are looked at."""
STEPS_MAX: Final = 100
UNKNOWN_SKEW: Final = timedelta(days=1)
"""How far Vapi's clock may be from this machine's while nobody has told: no clock that serves TLS is further off."""


@dataclass(frozen=True, slots=True)
class _Measured:
    """``offset``: Vapi's seconds since 1970, less the monotonic clock's, within ``error``."""

    offset: float
    error: float
    at: float

    def contradicts(self, other: "_Measured") -> bool:
        return abs(self.offset - other.offset) > self.error + other.error


class VapiClock:
    """One for a client. ``monotonic`` and ``wall`` are this machine's clocks, as arguments so that tests can decide."""

    def __init__(
        self, monotonic: Callable[[], float] = time.monotonic, wall: Callable[[], datetime] = lambda: datetime.now(UTC)
    ) -> None:
        self.monotonic: Final = monotonic
        self._wall = wall
        self._best: _Measured | None = None
        self._before: deque[_Measured] = deque(maxlen=STEPS_MAX)

    def heard(self, headers: Mapping[str, str], sent_at: float, received_at: float) -> None:
        """Take in the headers of an answer; both times are the monotonic clock's. Without a usable Date, nothing."""
        date = _date_of(headers)
        if date is None:
            return
        middle, half_way = (sent_at + received_at) / 2, (received_at - sent_at) / 2
        measured = _Measured(date.timestamp() + 0.5 - middle, 0.5 + half_way, received_at)
        best = self._best
        if best is None:
            self._best = measured
        elif measured.contradicts(best):  # somebody's clock was set, or this machine slept
            self._before.append(_Measured(best.offset, best.error, received_at))
            self._best = measured
        elif measured.error <= best.error or received_at - best.at > RECENT_SECONDS:
            self._best = measured

    def now(self) -> datetime | None:
        """Vapi's time, within about a second; None while no answer has told."""
        return None if self._best is None else _time(self._best.offset + self.monotonic())

    def age_of(self, at: datetime) -> timedelta | None:
        """How long ago a time of Vapi's was; None while no answer has told."""
        now = self.now()
        return None if now is None else now - at

    def around(
        self, age_seconds: float, margin: timedelta, *, after_seconds: float | None = None
    ) -> tuple[datetime, datetime | None]:
        """Between which ``createdAt`` lies of what was made around a moment ``age_seconds`` ago.

        The end is open (nothing that exists is beyond now) unless ``after_seconds`` says until when after that moment.
        """
        earliest, latest = self._bounds(age_seconds)
        return earliest - margin, None if after_seconds is None else latest + timedelta(seconds=after_seconds) + margin

    def _bounds(self, age_seconds: float) -> tuple[datetime, datetime]:
        if self._best is None:
            at = self._wall() - timedelta(seconds=age_seconds)
            return at - UNKNOWN_SKEW, at + UNKNOWN_SKEW
        now = self.monotonic()
        recent = [self._best, *(one for one in self._before if now - one.at <= REMEMBERED_SECONDS)]
        offsets = [one.offset for one in recent]
        return _time(min(offsets) + now - age_seconds), _time(max(offsets) + now - age_seconds)


def _date_of(headers: Mapping[str, str]) -> datetime | None:
    # An answer with an age is a cache's (RFC 9111, 5.1): as old as it says, or older.
    return None if "age" in headers else http_date(headers.get("date", ""))


def _time(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)
