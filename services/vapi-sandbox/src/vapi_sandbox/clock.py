"""Time as the API writes it: whole milliseconds, ISO 8601 with `Z`."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from time import monotonic, time

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class Clock:
    """The two clocks of a sandbox and its way to wait, as arguments so that a test can turn them; all in seconds."""

    wall: Callable[[], float] = time
    monotonic: Callable[[], float] = monotonic
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep

    def wall_ms(self) -> int:
        """Return the wall clock in whole milliseconds since 1970."""
        return int(self.wall() * 1000)


def iso_ms(milliseconds: int) -> str:
    """Write milliseconds since 1970 as `2026-01-31T08:15:00.123Z`."""
    seconds, rest = divmod(milliseconds, 1000)
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%S}.{rest:03d}Z"


def parse_iso_us(text: str) -> int | None:
    """Read an ISO 8601 date-time as microseconds since 1970 (UTC where no offset is given); None if it is not one."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return (moment - _EPOCH) // _MICROSECOND


def floor_ms(microseconds: int) -> int:
    """Return the last whole millisecond not after the given microsecond."""
    return microseconds // 1000


def ceil_ms(microseconds: int) -> int:
    """Return the first whole millisecond not before the given microsecond."""
    return math.ceil(microseconds / 1000)
