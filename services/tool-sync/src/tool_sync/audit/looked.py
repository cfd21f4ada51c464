"""What an audit looked at, and what it did not: an all-clear is worth as much as that. Pure."""

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Final

from tool_sync.audit.history import History

KEPT_DAYS: Final = 30
"""So long assistant-api keeps saves that are closed."""


def looked_at(history: History, accepted: int | None) -> Iterator[str]:
    """Sentences, for people. ``accepted``: how many saves assistant-api named; None where it was not asked."""
    for topic in dict.fromkeys(topic for topic, _ in history.read):
        spans = [span for (name, _), span in history.read.items() if name == topic]
        records = sum(end - begin for begin, end in spans)
        yield f"{topic}: {records:,} offsets of {len(spans)} partitions"
    times = sorted(save.at for save in history.saves.values())
    if times:
        yield f"{len(times):,} saves, from {_time(times[0])} to {_time(times[-1])}"
    else:
        yield "no save at all"
    if accepted is not None:
        yield f"{accepted:,} saves that assistant-api accepted"


def not_looked_at(
    history: History, accepted: int | None, expired: int, since: datetime | None, until: datetime | None
) -> Iterator[str]:
    """Sentences. ``expired``: accepted saves that are older than what lies on the topic."""
    if accepted is None:
        yield "not compared with what assistant-api accepted: as it was told (--only-topics)"
    else:
        yield f"saves that assistant-api closed more than {KEPT_DAYS} days ago: it has forgotten them"
    if since is not None:
        yield f"what came before {_time(since)}"
    if until is not None:
        yield f"saves after {_time(until)}"
    for topic, below in _gone(history.gone).items():
        yield f"{topic}: records that its retention has deleted, in {below} partition(s)"
    if expired:
        yield f"{expired:,} accepted saves that are older than the first save on the topic"
    yield "whether callers reach the tools at Vapi now: `tool-sync check --live`"
    yield "whether the event log holds together: `tool-sync log verify`"


def _gone(gone: Mapping[tuple[str, int], int]) -> dict[str, int]:
    found: dict[str, int] = {}
    for topic, _ in gone:
        found[topic] = found.get(topic, 0) + 1
    return found


def _time(at: datetime) -> str:
    return f"{at:%Y-%m-%d %H:%M:%S} UTC"
