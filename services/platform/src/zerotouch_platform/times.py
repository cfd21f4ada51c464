"""Times as people type and read them. The standard library only: command lines are to be quick."""

import re
from datetime import UTC, datetime, timedelta
from typing import Final

FORMS: Final = "2026-11-28, 2026-11-28 14:30, 2026-11-28T14:30:00Z, 30m, 2h or 3d (ago), yesterday, today, now"
AGO: Final = re.compile(r"(\d{1,6})([smhd])")
UNITS: Final = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}


def parse_time(text: str, now: datetime | None = None) -> datetime:
    """The moment that is meant; without a zone it is UTC, and a day begins at midnight UTC.

    ``ValueError`` says which forms there are.
    """
    now = now or datetime.now(UTC)
    word = text.strip().lower()
    midnight = now.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    words = {"now": now, "today": midnight, "yesterday": midnight - timedelta(days=1)}
    if word in words:
        return words[word]
    try:
        if ago := AGO.fullmatch(word):
            return now - timedelta(**{UNITS[ago[2]]: int(ago[1])})
        found = datetime.fromisoformat(text.strip())
    except (ValueError, OverflowError):
        raise ValueError(f"{text!r} is not a time; write it as {FORMS}. Without a zone it is UTC.") from None
    return found if found.tzinfo is not None else found.replace(tzinfo=UTC)


def utc(at: datetime | None) -> str:
    """A moment to the second, for people; nothing where there is none."""
    return "" if at is None else f"{at.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"


def lasting(seconds: float | timedelta | None) -> str:
    """How long, in the two largest units."""
    if seconds is None:
        return ""
    exact = seconds.total_seconds() if isinstance(seconds, timedelta) else seconds
    if 0 < exact < 1:
        return "less than a second"
    whole = int(exact)
    days, hours, minutes = whole // 86400, whole // 3600 % 24, whole // 60 % 60
    if days:
        return f"{days} d {hours} h"
    if hours:
        return f"{hours} h {minutes} min"
    return f"{minutes} min {whole % 60} s" if minutes else f"{whole} s"
