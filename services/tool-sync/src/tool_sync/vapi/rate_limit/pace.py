"""The pace of one process's bulk work, and the places of those who wait for it. No call of it awaits."""

import math
from datetime import datetime
from typing import Final

from tool_sync.vapi.rate_limit.curve import Curve
from tool_sync.vapi.rate_limit.durations import minute_of

CATCH_UP_SECONDS: Final = 3.0
"""For what was not used of the curve: a clinic that waits is claimed up to a poll after its time."""
CATCH_UP_MIN: Final = 2.0
QUEUED_SECONDS: Final = 1.0

Place = tuple[int, int]
"""A minute since 1970 and a request of it, from 1. Minutes differ by what was lent of them."""


class BulkPace:
    """``_taken`` and ``_place`` are on the curve."""

    def __init__(self, curve: Curve) -> None:
        self._curve = curve
        self._lent: dict[int, int] = {}
        self._taken: Place = (0, 0)
        self._place: Place = (0, 0)

    def lent(self, minute: int) -> int:
        """What this minute has beside the curve's own requests, as far as this process knows."""
        return self._lent.get(minute, 0)

    def borrow(self, minute: int, lent: int) -> None:
        """The minute has so many more, all in all: from now on its curve is as steep as if it had begun with them."""
        if lent > self.lent(minute):
            self._lent = {one: of for one, of in self._lent.items() if one >= minute - 1} | {minute: lent}

    def take(self, now: datetime) -> datetime | None:
        """Begin with one request; when to ask again where it is too soon."""
        taken = self._after(max(self._taken, self._caught_up(now)))
        if taken > self._at(now):
            return self.wait(now)
        self._taken = taken
        return None

    def went_on(self) -> None:
        """Something that was begun has taken one more: others begin later."""
        self._taken = self._after(self._taken)

    def wait(self, now: datetime) -> datetime:
        """The moment of the next place that nobody was told of.

        Places are up to a minute ahead, and then are given anew: whoever was told of one may never come back.
        """
        next_one = self._after(max(self._taken, self._at(now)))
        self._place = max(self._after(self._place), next_one)
        if self._place > (next_one[0] + 1, next_one[1]):
            self._place = next_one
        minute, request = self._place
        return self._curve.reaches(minute, request, now, self.lent(minute))

    def is_queued(self, now: datetime) -> bool:
        """Whether those who were told of a place are more than the next second has room for."""
        minute, request = self._after(max(self._taken, self._at(now)))
        ahead = (self._place[0] - minute) * self._curve.ceiling + self._place[1] - request
        return ahead > max(QUEUED_SECONDS * self._curve.ceiling / 60, 1)

    def _of(self, minute: int) -> int:
        return self._curve.ceiling + self.lent(minute)

    def _at(self, now: datetime) -> Place:
        minute = minute_of(now)
        return minute, self._curve.in_minute(now, minute, self.lent(minute))

    def _after(self, place: Place) -> Place:
        minute, request = place
        return (minute, request + 1) if request < self._of(minute) else (minute + 1, 1)

    def _caught_up(self, now: datetime) -> Place:
        """Where the curve was a moment ago: what was not used before then is not made up for."""
        minute = minute_of(now)
        per_second = self._of(minute) / (self._curve.ends - self._curve.begins)
        left = self._curve.reached(now, minute, self.lent(minute)) - max(CATCH_UP_SECONDS * per_second, CATCH_UP_MIN)
        if left >= 0:
            return minute, math.floor(left)
        return minute - 1, max(0, math.floor(self._of(minute - 1) + left))
