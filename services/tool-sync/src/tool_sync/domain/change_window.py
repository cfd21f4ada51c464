"""When a clinic lets orders change its tools: every day from one local time to another, such as 22:00 to 06:00.

A day of the clinic's time zone may be longer or shorter than 24 hours, lack the time at which the window opens, or have
it twice. So a window is looked up day by day, and each day has one:

    opens    the first moment of the day's clock at or after the opening time
    closes   the first moment at or after the closing time, and never within an hour of the opening
"""

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from typing import Final
from zoneinfo import ZoneInfo

WINDOW_MINUTES_MIN: Final = 60
"""A rollout needs some minutes to reach a clinic; a window that is shorter would be missed by chance."""
TIME_ZONE_DEFAULT: Final = "UTC"
_WRITTEN: Final = re.compile(r"([01]\d|2[0-3]):([0-5]\d)-([01]\d|2[0-3]):([0-5]\d)", re.ASCII)
_DAY_MINUTES: Final = 24 * 60
_SECOND: Final = timedelta(seconds=1)


@dataclass(frozen=True, slots=True)
class ChangeWindow:
    """Local times of day as ``HH:MM``. One that closes before it opens closes on the next day."""

    opens: str
    closes: str

    def __str__(self) -> str:
        return f"{self.opens}-{self.closes}"


@dataclass(frozen=True, slots=True)
class WindowState:
    """A window at one moment: when it closes, where it is open, and when it opens next."""

    closes_at: datetime | None
    opens_at: datetime


def parse_window(text: str) -> ChangeWindow | str:
    """The window that a text such as ``22:00-06:00`` means, or what is wrong with it."""
    if _WRITTEN.fullmatch(text) is None:
        return "a change window is two times of day, such as 22:00-06:00"
    window = ChangeWindow(text[:5], text[6:])
    minutes = (_minutes(window.closes) - _minutes(window.opens)) % _DAY_MINUTES
    if not minutes:
        return "a change window opens and closes at two different times; without one, orders come at any time"
    if minutes < WINDOW_MINUTES_MIN:
        return f"a change window of {minutes} minutes is too short: give it at least {WINDOW_MINUTES_MIN}"
    return window


def state_of_window(window: ChangeWindow, time_zone: str, now: datetime) -> WindowState:
    """Whether it is open, and when it opens next; all times are UTC."""
    today = now.astimezone(zone_of(time_zone)).date()
    # A window that opened yesterday may be open still; a zone may leave out a whole day, and has done so.
    periods = [period(window, time_zone, today + timedelta(days=days)) for days in range(-2, 4)]
    closing = [closes_at for opens_at, closes_at in periods if opens_at <= now < closes_at]
    return WindowState(max(closing, default=None), min(opens_at for opens_at, _ in periods if opens_at > now))


@lru_cache(maxsize=4096)
def period(window: ChangeWindow, time_zone: str, day: date) -> tuple[datetime, datetime]:
    """From when to when the window of this local day is open, in UTC."""
    zone = zone_of(time_zone)
    next_day = timedelta(days=_minutes(window.closes) <= _minutes(window.opens))
    opens_at = _first_moment(zone, datetime.combine(day, time.fromisoformat(window.opens)))
    closes_at = _first_moment(zone, datetime.combine(day + next_day, time.fromisoformat(window.closes)))
    return opens_at, max(closes_at, opens_at + timedelta(minutes=WINDOW_MINUTES_MIN))


@lru_cache(maxsize=1024)
def zone_of(name: str) -> ZoneInfo:
    """The zone of this name. One that this release does not know comes from a newer producer, and counts as UTC."""
    try:
        return ZoneInfo(name)
    except (ValueError, OSError, LookupError):
        return ZoneInfo(TIME_ZONE_DEFAULT)


def local_time(at: datetime, time_zone: str) -> str:
    """A moment as the clinic's clock shows it."""
    zone = zone_of(time_zone)
    return f"{at.astimezone(zone):%Y-%m-%d %H:%M} {zone.key}"


def _first_moment(zone: ZoneInfo, wall: datetime) -> datetime:
    """The first moment at which the zone's clock shows this time; where it is left out, that of the time after it."""
    found = wall.replace(tzinfo=zone).astimezone(UTC)
    if found.astimezone(zone).replace(tzinfo=None) == wall:
        return found
    # The clock was put forward over it: between these two, in UTC, and `found` has the offset of afterwards.
    before, after = wall.replace(tzinfo=zone, fold=1).astimezone(UTC), found
    offset = after.astimezone(zone).utcoffset()
    while after - before > _SECOND:
        middle = before + timedelta(seconds=(after - before) // _SECOND // 2)
        if middle.astimezone(zone).utcoffset() == offset:
            after = middle
        else:
            before = middle
    return after


def _minutes(text: str) -> int:
    return int(text[:2]) * 60 + int(text[3:])
