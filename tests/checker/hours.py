"""A clinic's change window by its wall clock: between two times of day, orders may change its tools."""

from datetime import datetime, timedelta
from functools import lru_cache
from typing import Final
from zoneinfo import ZoneInfo

DAY_MINUTES: Final = 24 * 60
AN_HOUR: Final = timedelta(hours=1)
ZONE: Final = "UTC"
"""Where the clinic's calendar names none, or one that nobody knows."""


def is_shut(opens: str, closes: str, zone: str, at: datetime) -> bool:
    """Whether the window, two times ``HH:MM``, is surely closed.

    Around a change of the clocks a time of day comes twice or never, and the wall clock alone does not say which moment
    is meant: within an hour of one, the window counts as open where it is open shortly before or after.
    """
    known = _zone(zone)
    offsets = {moment.astimezone(known).utcoffset() for moment in (at - 2 * AN_HOUR, at, at + 2 * AN_HOUR)}
    moments = (at,) if len(offsets) == 1 else (at - AN_HOUR, at, at + AN_HOUR)
    return all(_is_outside(_minute(opens), _minute(closes), moment.astimezone(known)) for moment in moments)


def _is_outside(opens: int, closes: int, wall: datetime) -> bool:
    minute = 60 * wall.hour + wall.minute
    return (minute - opens) % DAY_MINUTES >= (closes - opens) % DAY_MINUTES


def _minute(text: str) -> int:
    hours, _, minutes = text.partition(":")
    return 60 * int(hours) + int(minutes)


@lru_cache(maxsize=256)
def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (ValueError, OSError, LookupError):
        return ZoneInfo(ZONE)
