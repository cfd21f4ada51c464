"""What holds up everything at once: a Vapi key that is paused, as lines of text and as JSON."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any

from tool_sync.queries.waiting import Waiting
from tool_sync.vapi.rate_limit import PausedKey


def account_lines(keys: Sequence[PausedKey], behind: Waiting) -> Iterator[str]:
    """Nothing while no key is paused."""
    for key in keys:
        yield f"VAPI KEY PAUSED since {_time(key.since)}: {key.code} {key.title} (key {key.fingerprint[:8]})"
        yield f"  who acts: {key.who_acts}; what to do: {key.what_to_do}"
    if keys:
        yield f"  waiting behind it: {waiting_line(behind)}"


def waiting_line(behind: Waiting) -> str:
    """How much waits, and since when."""
    if not behind.requests:
        return "no save"
    return (
        f"{behind.requests:,} save(s) of {behind.organizations:,} organization(s), "
        f"the oldest since {_time(behind.oldest)}"
    )


def account_document(keys: Sequence[PausedKey], behind: Waiting) -> dict[str, Any]:
    """For ``--json``."""
    return {"paused_keys": keys, "waiting": behind}


def _time(at: datetime | None) -> str:
    return "an unknown time" if at is None else f"{at:%Y-%m-%d %H:%M:%S} UTC"
