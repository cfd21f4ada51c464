"""The sandbox's resources, in memory, per Vapi org and kind.

A shelf keeps two sorted lists of (milliseconds, id), by creation and by change, so that a list of 100 among 100,000
tools is two bisections and a slice. New keys arrive in order, so an insert is an append; a removal moves pointers only.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass

from vapi_sandbox.clock import Clock
from vapi_sandbox.records import Kind, Resource

_FOREVER_MS = 1 << 62
LIST_LAG_MS_MAX = 60_000

Key = tuple[int, str]


@dataclass(frozen=True, slots=True)
class Window:
    """Which resources a list asks for: creation and change each in [from, until), in milliseconds since 1970."""

    created_from: int = 0
    created_until: int = _FOREVER_MS
    updated_from: int = 0
    updated_until: int = _FOREVER_MS

    @property
    def any_update(self) -> bool:
        """Say whether the time of change does not matter."""
        return self.updated_from <= 0 and self.updated_until >= _FOREVER_MS

    def holds(self, resource: Resource) -> bool:
        """Say whether a resource lies in the window."""
        return (
            self.created_from <= resource.created_ms < self.created_until
            and self.updated_from <= resource.updated_ms < self.updated_until
        )


@dataclass(frozen=True, slots=True)
class _Change:
    at_seconds: float
    id: str
    before: Resource | None


class Shelf:
    """The tools, or the assistants, of one Vapi org."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._by_id: dict[str, Resource] = {}
        self._by_created: list[Key] = []
        self._by_updated: list[Key] = []
        self._changes: deque[_Change] = deque()

    def __len__(self) -> int:
        return len(self._by_id)

    def get(self, resource_id: str) -> Resource | None:
        """Return the resource, or None."""
        return self._by_id.get(resource_id)

    def all(self) -> Iterable[Resource]:
        """Return all resources, oldest first."""
        return [self._by_id[key] for _, key in self._by_created]

    def pinning(self, tool_id: str) -> list[str]:
        """Return the ids of the assistants whose `toolRefs` pin a tool."""
        return [r.id for r in self._by_id.values() if tool_id in r.facts.pins]

    def put(self, resource: Resource) -> None:
        """Add a resource, or replace the one with its id."""
        before = self._by_id.get(resource.id)
        if before is None:
            insort(self._by_created, (resource.created_ms, resource.id))
        else:
            _remove(self._by_updated, (before.updated_ms, before.id))
        insort(self._by_updated, (resource.updated_ms, resource.id))
        self._by_id[resource.id] = resource
        self._remember(resource.id, before)

    def remove(self, resource: Resource) -> None:
        """Remove a resource that is there."""
        del self._by_id[resource.id]
        _remove(self._by_created, (resource.created_ms, resource.id))
        _remove(self._by_updated, (resource.updated_ms, resource.id))
        self._remember(resource.id, resource)

    def select(self, window: Window, limit: int, lag_ms: int = 0) -> list[Resource]:
        """Return at most `limit` resources of the window, newest first; equal times by id.

        With a lag the answer is the one of `lag_ms` ago: newer resources are missing, changed ones show their old
        content, deleted ones are still there.
        """
        before = self._states_before(lag_ms) if lag_ms > 0 else {}
        found = [r for r in self._newest(window, limit + len(before)) if r.id not in before]
        if before:
            found.extend(r for r in before.values() if r is not None and window.holds(r))
            found.sort(key=lambda r: (r.created_ms, r.id), reverse=True)
        return found[:limit]

    def _newest(self, window: Window, limit: int) -> list[Resource]:
        start = bisect_left(self._by_created, (window.created_from, ""))
        end = bisect_left(self._by_created, (window.created_until, ""))
        if window.any_update:
            return [self._by_id[key] for _, key in reversed(self._by_created[max(start, end - limit) : end])]
        updated_start = bisect_left(self._by_updated, (window.updated_from, ""))
        updated_end = bisect_left(self._by_updated, (window.updated_until, ""))
        if updated_end - updated_start < end - start:
            ids = (key for _, key in self._by_updated[updated_start:updated_end])
            found = [r for r in map(self._by_id.__getitem__, ids) if window.holds(r)]
            found.sort(key=lambda r: (r.created_ms, r.id), reverse=True)
            return found[:limit]
        by_age = (self._by_id[key] for _, key in reversed(self._by_created[start:end]))
        return [r for r in by_age if window.holds(r)][:limit]

    def _states_before(self, lag_ms: int) -> dict[str, Resource | None]:
        horizon = self._clock.monotonic() - lag_ms / 1000
        before: dict[str, Resource | None] = {}
        for change in reversed(self._changes):
            if change.at_seconds <= horizon:
                break
            before[change.id] = change.before  # the oldest change within the lag is seen last, and it counts
        return before

    def _remember(self, resource_id: str, before: Resource | None) -> None:
        now = self._clock.monotonic()
        self._changes.append(_Change(now, resource_id, before))
        while self._changes[0].at_seconds < now - LIST_LAG_MS_MAX / 1000:
            self._changes.popleft()


class Store:
    """All shelves, and the time of the newest write: resources are never made out of order, even if the clock steps."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._shelves: dict[tuple[str, Kind], Shelf] = {}
        self._newest_ms = 0

    def shelf(self, vapi_org: str, kind: Kind) -> Shelf:
        """Return the shelf of an org, empty where nothing was stored yet."""
        shelf = self._shelves.get((vapi_org, kind))
        if shelf is None:
            shelf = self._shelves[(vapi_org, kind)] = Shelf(self._clock)
        return shelf

    def vapi_orgs(self) -> list[str]:
        """List the Vapi orgs that something was stored or looked for in."""
        return sorted({vapi_org for vapi_org, _ in self._shelves})

    def now_ms(self) -> int:
        """Return the time to stamp on a write; it never runs backwards."""
        self._newest_ms = max(self._newest_ms, self._clock.wall_ms())
        return self._newest_ms

    def clear(self) -> None:
        """Forget every resource."""
        self._shelves.clear()


def _remove(keys: list[Key], key: Key) -> None:
    position = bisect_left(keys, key)
    assert keys[position] == key, f"index lost {key}"
    del keys[position]
