"""What an audit looked at, and what it did not: an all-clear is worth as much as that. Pure."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

from tool_sync.queries.audit.history import History
from zerotouch_platform.times import utc

KEPT_DAYS: Final = 30
"""So long assistant-api keeps saves that are closed."""


@dataclass(frozen=True, slots=True)
class Unreached:
    """One of them. ``what`` is a sentence: which tools, and what stands in the way."""

    org_id: UUID
    agent_id: str
    assistant_id: str | None
    what: str


@dataclass(frozen=True, slots=True)
class LiveRead:
    """``assistants`` were read with so many ``calls``; of ``known`` the log says itself that they cannot book.

    ``not_read`` says which should have been read and were not, ``not_looked_at`` what no read can tell.
    """

    assistants: int
    calls: int
    known: int
    unreached: tuple[Unreached, ...]
    not_read: tuple[str, ...]
    not_looked_at: tuple[str, ...]


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
        yield f"{len(times):,} saves, from {utc(times[0])} to {utc(times[-1])}"
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
        yield f"what came before {utc(since)}"
    if until is not None:
        yield f"saves after {utc(until)}"
    for topic, below in Counter(name for name, _ in history.gone).items():
        yield f"{topic}: records that its retention has deleted, in {below} partition(s)"
    if expired:
        yield f"{expired:,} accepted saves that are older than the first save on the topic"
    if live is None:
        yield "Vapi, which was not read: whether callers reach the tools there now (`tool-sync audit --live`)"
    else:
        yield from (*live.not_read, *live.not_looked_at)
        if live.known:
            yield f"{live.known:,} assistants at Vapi that cannot book as it is: `tool-sync coverage` names them"
        yield "whether the tool server answers, because no phone call is made"
    yield "whether the event log holds together: `tool-sync log verify`"
