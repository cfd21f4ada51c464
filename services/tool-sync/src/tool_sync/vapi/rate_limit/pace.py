"""The pace of one process's bulk work, and the places of those who wait for it. No call of it awaits."""

import math
from datetime import datetime
from typing import Final

from tool_sync.vapi.rate_limit.curve import Curve

CATCH_UP_SECONDS: Final = 3.0
"""For what was not used of the curve: a clinic that waits is claimed up to a poll after its time."""
CATCH_UP_MIN: Final = 2.0


class BulkPace:
    """``_taken`` and ``_place`` are on the curve, in whole requests since 1970."""

    def __init__(self, curve: Curve) -> None:
        self._curve = curve
        per_second = curve.ceiling / (curve.ends - curve.begins)
        self._catch_up = max(CATCH_UP_SECONDS * per_second, CATCH_UP_MIN)
        self._taken = 0
        self._place = 0

    def take(self, now: datetime) -> datetime | None:
        """Begin with one request; when to ask again where it is too soon."""
        at = self._curve.at(now)
        taken = max(self._taken, math.floor(at - self._catch_up)) + 1
        if taken > at:
            return self.wait(now)
        self._taken = taken
        return None

    def went_on(self) -> None:
        """Something that was begun has taken one more: others begin later."""
        self._taken += 1

    def wait(self, now: datetime) -> datetime:
        """The moment of the next place that nobody was told of.

        Places are up to a minute ahead, and then are given anew: whoever was told of one may never come back.
        """
        next_one = max(self._taken, math.floor(self._curve.at(now))) + 1
        self._place = max(self._place + 1, next_one)
        if self._place > next_one + self._curve.ceiling:
            self._place = next_one
        return self._curve.reaches(self._place, now)
