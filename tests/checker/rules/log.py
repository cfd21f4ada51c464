"""I5: the log. Positions, versions, ids, owners, and every hash computed anew from its written definition."""

import hashlib
from collections import Counter, defaultdict
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Final
from uuid import UUID

from tests.checker.history import Event, History
from tests.checker.verdict import Result

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


def check(history: History) -> Result:
    """Judge the table ``events`` by itself."""
    result = Result("I5", "the log has no hole and no double, and its hashes are right", judged=len(history.events))
    for expected, event in enumerate(history.events, 1):
        if event.position != expected:
            result.broken(f"position {event.position} stands where {expected} is due", **event.brief())
            break
    for event_id, count in Counter(event.id for event in history.events).items():
        if count > 1:
            result.broken(f"event id {event_id} is there {count} times")
    streams: dict[str, int] = defaultdict(int)
    for event in history.events:
        streams[event.row["stream"]] += 1
        if event.row["version"] != streams[event.row["stream"]]:
            due = streams[event.row["stream"]]
            result.broken(f"version {event.row['version']} stands where {due} is due", **event.brief())
            break
    for event in history.events:
        if event.org is not None and event.row["stream"] not in (f"org-{event.org}", f"toolset-{event.org}"):
            result.broken("an event stands in another organization's stream", org=event.org, **event.brief())
    _chain(history.events, result)
    return result


def _chain(events: Sequence[Event], result: Result) -> None:
    """Every run begins with an empty log, so all of it has the newest form of the hashes."""
    previous = b""
    for before, event in pairwise((None, *events)):
        assert event is not None
        if before is not None and _micros(event) < _micros(before):
            result.broken("it is recorded as earlier than the event before it", **event.brief())
        computed = event_hash(event, previous)
        if event.row["hash"] != computed.hex():
            result.broken("the hash is not that of the event", computed=computed.hex(), **event.brief())
            return
        previous = computed


def event_hash(event: Event, previous: bytes) -> bytes:
    """SHA-256 of form 2: see the comment on the SQL function."""
    row = event.row
    numbers = ((event.position, 8), (_micros(event), 8), (row["version"], 4), (row["schema"], 2))
    texts = (row["stream"], row["type"], row["data_text"], row["meta_text"])
    owner = UUID(str(row["org_id"])).bytes if row["org_id"] else bytes(16)
    return hashlib.sha256(
        b"\x02"
        + _sized(previous)
        + b"".join(number.to_bytes(size, "big") for number, size in numbers)
        + UUID(str(row["event_id"])).bytes
        + owner
        + b"".join(_sized(text.encode()) for text in texts)
    ).digest()


def _sized(part: bytes) -> bytes:
    return len(part).to_bytes(4, "big") + part


def _micros(event: Event) -> int:
    """Exactly: a float of seconds has no room for the last digit."""
    return (datetime.fromisoformat(event.row["recorded_at_text"]) - _EPOCH) // timedelta(microseconds=1)
