"""I5: the log. Positions, versions, ids, owners, and every hash computed anew from its written definition."""

import hashlib
from collections import Counter, defaultdict

from tests.checker.history import Event, History
from tests.checker.verdict import Result


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
    streams: dict[str, list[Event]] = defaultdict(list)
    for event in history.events:
        streams[event.row["stream"]].append(event)
        if event.org is not None and event.row["stream"] not in (f"org-{event.org}", f"toolset-{event.org}"):
            result.broken("an event stands in another organization's stream", org=event.org, **event.brief())
    for events in streams.values():
        _stream(events, result)
    return result


def _stream(events: list[Event], result: Result) -> None:
    previous = b""
    for expected, event in enumerate(events, 1):
        if event.row["version"] != expected:
            result.broken(f"version {event.row['version']} stands where {expected} is due", **event.brief())
            return
        computed = event_hash(event, previous)
        if event.row["hash"] != computed.hex():
            result.broken("the hash is not that of the event", computed=computed.hex(), **event.brief())
            return
        previous = computed


def event_hash(event: Event, previous: bytes) -> bytes:
    """SHA-256 over nine parts, each after its length in four bytes: see the comment on the SQL function."""
    row = event.row
    texts = (
        row["stream"], str(row["version"]), str(row["event_id"]), row["type"], str(row["schema"]),
        row["recorded_at_text"], row["data_text"], row["meta_text"],
    )  # fmt: skip
    parts = (previous, *(text.encode() for text in texts))
    return hashlib.sha256(b"".join(len(part).to_bytes(4, "big") + part for part in parts)).digest()
