"""How much of a minute may be used before bulk work takes another request: a curve that rises evenly. Pure.

It is flat at the turn of a minute, where a request is taken from two minutes, and a little before: who comes late for
the last of a minute still gets it. What the curve has not reached yet is the reserve of saves (ADR 40).
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

ROUNDED: Final = timedelta(milliseconds=1)


@dataclass(frozen=True, slots=True)
class Curve:
    """``ceiling`` requests a minute, and what was lent of it, from second ``begins`` to second ``ends`` of it."""

    ceiling: int
    begins: float
    ends: float

    def reached(self, now: datetime, minute: int, lent: int = 0) -> float:
        """The requests of this minute, counted from 1970, that the curve has reached."""
        part = (now.timestamp() - minute * 60 - self.begins) / (self.ends - self.begins)
        return min(max(part, 0.0), 1.0) * (self.ceiling + lent)

    def in_minute(self, now: datetime, minute: int, lent: int = 0) -> int:
        """The whole ones of them."""
        return int(self.reached(now, minute, lent))

    def reaches(self, minute: int, request: int, now: datetime, lent: int = 0) -> datetime:
        """When it reaches the request of this number, from 1; no earlier, whatever is lost in rounding."""
        second = self.begins + request / (self.ceiling + lent) * (self.ends - self.begins)
        return datetime.fromtimestamp(minute * 60 + second, now.tzinfo) + ROUNDED
