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
    """``ceiling`` requests a minute, from second ``begins`` to second ``ends`` of it."""

    ceiling: int
    begins: float
    ends: float

    def at(self, now: datetime) -> float:
        """The requests that the curve has reached since 1970."""
        minute, second = divmod(now.timestamp(), 60)
        part = (second - self.begins) / (self.ends - self.begins)
        return (minute + min(max(part, 0.0), 1.0)) * self.ceiling

    def in_minute(self, now: datetime, minute: int) -> int:
        """The whole requests that it has reached within this minute."""
        return int(min(max(self.at(now) - minute * self.ceiling, 0.0), self.ceiling))

    def reaches(self, place: int, now: datetime) -> datetime:
        """When it reaches so many requests since 1970; no earlier, whatever is lost in rounding."""
        minute, before = divmod(place - 1, self.ceiling)  # the last request of a minute is reached in it
        second = self.begins + (before + 1) / self.ceiling * (self.ends - self.begins)
        return datetime.fromtimestamp(minute * 60 + second, now.tzinfo) + ROUNDED
