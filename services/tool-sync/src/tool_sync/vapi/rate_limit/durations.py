"""How long an answer pauses a key. Pure."""

from datetime import datetime, timedelta
from typing import Final

RETRY_AFTER_SECONDS_MIN: Final = 1.0
"""``Retry-After: 0`` from somebody who just refused is not believed."""
SPREAD_SECONDS: Final = 2.0


def minute_of(at: datetime) -> int:
    """UTC minutes since 1970: Vapi counts in these and starts anew with each (its SDK 3.0.0, read 2026-11)."""
    return int(at.timestamp() // 60)


def minute_starts(minute: int, now: datetime) -> datetime:
    """The first moment of a minute."""
    return datetime.fromtimestamp(minute * 60, now.tzinfo)


def rate_limit_ends(now: datetime, jitter: float, retry_after_seconds: float | None) -> datetime:
    """After 429: as long as was asked for, else until the next UTC minute; a little more, so that clocks may differ."""
    if retry_after_seconds is not None:
        seconds = max(retry_after_seconds, RETRY_AFTER_SECONDS_MIN)
        return now + timedelta(seconds=seconds + 0.1 * SPREAD_SECONDS * jitter)
    return minute_starts(minute_of(now) + 1, now) + timedelta(seconds=0.25 + SPREAD_SECONDS * jitter)


def refusal_ends(now: datetime, seconds: float, jitter: float) -> datetime:
    """After 401, 402 and 403: somebody has to act first, so it is tried about once a minute."""
    return now + timedelta(seconds=seconds * (1 + 0.05 * jitter))


def opening_ends(now: datetime, openings: int, seconds_base: float, seconds_max: float) -> datetime:
    """An open breaker: the ``openings``-th in a row (0, 1, 2 …) lasts twice as long as the one before."""
    return now + timedelta(seconds=min(seconds_max, seconds_base * 2 ** min(openings, 30)))
