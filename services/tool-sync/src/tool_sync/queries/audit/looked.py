"""What an audit looked at, and what it did not: an all-clear is worth as much as that. Pure."""

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Final

from tool_sync.queries.audit.history import History
from tool_sync.queries.audit.unreached import LiveRead

KEPT_DAYS: Final = 30
"""So long assistant-api keeps saves that are closed."""


def looked_at(history: History, accepted: int | None, live: LiveRead | None) -> Iterator[str]:
    """Sentences, for people. ``accepted``: how many saves assistant-api named; None where it was not asked.

    ``live``: what was read at Vapi; None where that was not asked, either.
    """
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
    if live is not None:
        yield f"{live.assistants:,} assistants at Vapi that the log calls synced, with {live.calls:,} calls"


def not_looked_at(
    history: History,
    accepted: int | None,
    expired: int,
    since: datetime | None,
    until: datetime | None,
    live: LiveRead | None,
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
    yield from _not_read(live)
    yield "whether the event log holds together: `tool-sync log verify`"


def _not_read(live: LiveRead | None) -> Iterator[str]:
    if live is None:
        yield "Vapi, which was not read: whether callers reach the tools there now (`tool-sync audit --live`)"
        return
    yield from live.not_read
    yield from live.not_looked_at
    if live.known:
        yield f"{live.known:,} assistants at Vapi that cannot book as it is: `tool-sync coverage` names them"
    yield "whether the tool server answers, because no phone call is made"


def _gone(gone: Mapping[tuple[str, int], int]) -> dict[str, int]:
    found: dict[str, int] = {}
    for topic, _ in gone:
        found[topic] = found.get(topic, 0) + 1
    return found


def _time(at: datetime) -> str:
    return f"{at:%Y-%m-%d %H:%M:%S} UTC"
