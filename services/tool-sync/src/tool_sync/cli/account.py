"""What holds up everything at once: a Vapi key that is paused, as lines of text and as JSON."""

from collections.abc import Iterator, Sequence
from typing import Any

from tool_sync.cli.output import utc
from tool_sync.queries.waiting import Waiting
from tool_sync.vapi.rate_limit import PausedKey


def account_lines(keys: Sequence[PausedKey], behind: Waiting) -> Iterator[str]:
    """Nothing while no key is paused."""
    for key in keys:
        which = f"key {key.fingerprint[:8]}{key.whose}"
        yield f"VAPI KEY PAUSED since {utc(key.since)}: {key.code} {key.title} ({which})"
        yield f"  who acts: {key.who_acts}; what to do: {key.what_to_do}"
    if keys and not behind.requests:
        yield "  waiting behind it: no save"
    elif keys:
        saves = f"{behind.requests:,} save(s) of {behind.organizations:,} organization(s)"
        yield f"  waiting behind it: {saves}, the oldest since {utc(behind.oldest)}"


def account_document(keys: Sequence[PausedKey], behind: Waiting) -> dict[str, Any]:
    """For ``--json``."""
    return {"paused_keys": keys, "waiting": behind}
