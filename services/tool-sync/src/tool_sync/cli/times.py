"""Times as people type them, in every option that takes one."""

import re
from datetime import UTC, datetime, timedelta
from typing import Final

import typer

FORMS: Final = "2026-11-28, 2026-11-28 14:30, 2026-11-28T14:30:00Z, 30m, 2h or 3d (ago), yesterday, today, now"
AGO: Final = re.compile(r"(\d{1,6})([smhd])")
UNITS: Final = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}


def parse_time(text: str, now: datetime | None = None) -> datetime:
    """The moment that is meant; without a zone it is UTC, and a day begins at midnight UTC."""
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
        raise typer.BadParameter(f"{text!r} is not a time; write it as {FORMS}. Without a zone it is UTC.") from None
    return found if found.tzinfo is not None else found.replace(tzinfo=UTC)
