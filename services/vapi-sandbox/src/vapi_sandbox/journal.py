"""The journal: every request to the API in the order of arrival, with what became of it. It only grows.

It is the judge of fault tests: `executed` is true where the operation took place, whatever the caller was told, and
`delivered` where the whole answer was handed to an open connection.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, Literal

from vapi_sandbox.clock import Clock, iso_ms
from vapi_sandbox.javascript import from_json

Origin = Literal["client", "dial", "call"]


@dataclass(slots=True)
class Entry:
    """One request. Mutable, because it is written on arrival and completed when the request ends.

    Clocks: `at_ms` is the wall clock, `arrived` and `executed_at` the monotonic one in seconds. `origin` is `dial` for
    an edit that a dial made in the name of another writer, and `call` for a webhook of a simulated call: there `path`
    is its URL, `status` the answer's, and nothing is ever executed.
    """

    sequence: int
    at_ms: int
    arrived: float
    method: str
    path: str
    query: str
    body: bytes
    body_sha256: str
    origin: Origin = "client"
    key: str | None = None
    vapi_org: str | None = None
    route: str | None = None
    rule: str | None = None
    executed: bool = False
    executed_at: float | None = None
    created: list[str] = field(default_factory=list)
    status: int | None = None
    delivered: bool = False
    finished: bool = False

    def document(self) -> dict[str, Any]:
        """Return the entry as JSON; `body` is null where it is no JSON or was not kept."""
        return {
            "sequence": self.sequence,
            "at": iso_ms(self.at_ms),
            "monotonic_seconds": self.arrived,
            "origin": self.origin,
            "method": self.method,
            "path": self.path,
            "query": self.query,
            "route": self.route,
            "key": self.key,
            "vapi_org": self.vapi_org,
            "body_sha256": self.body_sha256,
            "body": _json_or_none(self.body),
            "rule": self.rule,
            "executed": self.executed,
            "executed_monotonic_seconds": self.executed_at,
            "created": self.created,
            "status": self.status,
            "delivered": self.delivered,
            "finished": self.finished,
        }


class Journal:
    """All entries since the last reset; sequence numbers start at 1 and have no holes."""

    def __init__(self, clock: Clock, keep_bodies: bool) -> None:
        self._clock = clock
        self._keep_bodies = keep_bodies
        self._entries: list[Entry] = []

    def open(self, method: str, path: str, query: str, body: bytes, origin: Origin = "client") -> Entry:
        """Write the entry of a request that has just arrived."""
        entry = Entry(
            sequence=len(self._entries) + 1,
            at_ms=self._clock.wall_ms(),
            arrived=self._clock.monotonic(),
            method=method,
            path=path,
            query=query,
            body=body if self._keep_bodies else b"",
            body_sha256=hashlib.sha256(body).hexdigest(),
            origin=origin,
        )
        self._entries.append(entry)
        return entry

    def page(self, after: int, limit: int, method: str | None, path: str | None) -> list[Entry]:
        """Return the next entries above a sequence number; `path` is a path or the path of a route (`/tool/{id}`)."""
        return list(islice(self._matching(after, method, path), limit))

    def __len__(self) -> int:
        return len(self._entries)

    @property
    def in_flight(self) -> int:
        """Count the requests that are not over yet."""
        return sum(not entry.finished for entry in self._entries)

    def clear(self) -> None:
        """Forget every entry; the next one has sequence number 1."""
        self._entries.clear()

    def _matching(self, after: int, method: str | None, path: str | None) -> Iterator[Entry]:
        for position in range(after, len(self._entries)):  # an islice would walk over all the entries before
            entry = self._entries[position]
            if method is not None and entry.method != method:
                continue
            if path is not None and path != entry.path and not (entry.route or "").endswith(f" {path}"):
                continue
            yield entry


def _json_or_none(body: bytes) -> Any:
    try:
        return from_json(body)
    except ValueError:
        return None
