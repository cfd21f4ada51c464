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
from vapi_sandbox.lists import LIST_LAG_MS_MAX, PLAIN, Lag, Order, View
from vapi_sandbox.records import Kind, Resource
from vapi_sandbox.splits import Splits

_FOREVER_MS = 1 << 62
# Of one resource, beside the current one. What a traffic split names is kept by the split itself.
VERSIONS_KEPT_MAX = 50

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

    def __init__(self, clock: Clock, kind: Kind) -> None:
        self._clock = clock
        self.kind = kind
        self._by_id: dict[str, Resource] = {}
        self._by_created: list[Key] = []
        self._by_updated: list[Key] = []
        self._changes: deque[_Change] = deque()
        # The versions before the current one. Most resources are never changed, and cost nothing here.
        self._replaced: dict[str, deque[Resource]] = {}

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
            if before.version != resource.version:
                self._replaced.setdefault(resource.id, deque(maxlen=VERSIONS_KEPT_MAX)).append(before)
        insort(self._by_updated, (resource.updated_ms, resource.id))
        self._by_id[resource.id] = resource
        self._remember(resource.id, before)

    def remove(self, resource: Resource) -> None:
        """Remove a resource that is there."""
        del self._by_id[resource.id]
        self._replaced.pop(resource.id, None)
        _remove(self._by_created, (resource.created_ms, resource.id))
        _remove(self._by_updated, (resource.updated_ms, resource.id))
        self._remember(resource.id, resource)

    def version(self, resource_id: str, label: str) -> Resource | None:
        """Return a version of a resource by its label (`v3`), the current one included; None where it is not kept."""
        return next((kept for kept in self.versions(resource_id) if kept.label == label), None)

    def versions(self, resource_id: str) -> list[Resource]:
        """Return the versions of a resource that are kept, oldest first; the last one is the current one."""
        current = self._by_id.get(resource_id)
        return [] if current is None else [*self._replaced.get(resource_id, ()), current]

    def select(self, window: Window, limit: int, view: View = PLAIN) -> list[Resource]:
        """Return at most `limit` resources of the window in the order of the view; equal times by id.

        With a lag the answer is the one of so long ago: newer resources are missing, changed ones show their old
        content, deleted ones are still there.
        """
        before = self._states_before(view.lag)
        found = [r for r in self._in_order(window, limit + len(before), view.order) if r.id not in before]
        if before:
            found.extend(r for r in before.values() if r is not None and window.holds(r))
            _sort(found, view.order)
        if view.order == "random":
            view.dice.shuffle(found)
        return found[:limit]

    def _in_order(self, window: Window, limit: int, order: Order) -> list[Resource]:
        """Return at least the first `limit` resources of the window, in order; of the order `random` all of them."""
        start = bisect_left(self._by_created, (window.created_from, ""))
        end = bisect_left(self._by_created, (window.created_until, ""))
        if window.any_update:
            if order == "newest":
                start = max(start, end - limit)
            elif order == "oldest":
                end = min(end, start + limit)
            found = [self._by_id[key] for _, key in self._by_created[start:end]]
            return found[::-1] if order == "newest" else found
        updated_start = bisect_left(self._by_updated, (window.updated_from, ""))
        updated_end = bisect_left(self._by_updated, (window.updated_until, ""))
        fewest = min(
            self._by_updated[updated_start:updated_end], self._by_created[start:end], key=lambda keys: len(keys)
        )
        found = [r for _, key in fewest if window.holds(r := self._by_id[key])]
        _sort(found, order)
        return found

    def _states_before(self, lag: Lag) -> dict[str, Resource | None]:
        """Return what lists still show of what was changed within its lag; None: nothing yet."""
        if lag.longest_ms <= 0:
            return {}
        now = self._clock.monotonic()
        before: dict[str, Resource | None] = {}
        for change in reversed(self._changes):
            age_ms = (now - change.at_seconds) * 1000
            if age_ms >= lag.longest_ms:
                break
            if age_ms < lag.of_ms(change.id):
                before[change.id] = change.before  # the oldest change within the lag is seen last, and it counts
        return before

    def _remember(self, resource_id: str, before: Resource | None) -> None:
        now = self._clock.monotonic()
        self._changes.append(_Change(now, resource_id, before))
        while self._changes[0].at_seconds < now - LIST_LAG_MS_MAX / 1000:
            self._changes.popleft()


class Store:
    """All shelves, and the time of the newest write: resources are never made out of order, even if the clock steps.

    `skew_ms` is by how much the clock of this API is ahead of the real one; a change of it is a step, and does show.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._shelves: dict[tuple[str, Kind], Shelf] = {}
        self._newest_ms = 0
        self.splits = Splits()
        self.skew_ms = 0

    def shelf(self, vapi_org: str, kind: Kind) -> Shelf:
        """Return the shelf of an org, empty where nothing was stored yet."""
        shelf = self._shelves.get((vapi_org, kind))
        if shelf is None:
            shelf = self._shelves[(vapi_org, kind)] = Shelf(self._clock, kind)
        return shelf

    def vapi_orgs(self) -> list[str]:
        """List the Vapi orgs that something was stored or looked for in."""
        return sorted({vapi_org for vapi_org, _ in self._shelves})

    def now_ms(self) -> int:
        """Return the time to stamp on a write; it never runs backwards."""
        self._newest_ms = max(self._newest_ms, self._clock.wall_ms())
        return self._newest_ms + self.skew_ms

    def clear(self) -> None:
        """Forget every resource, version and traffic split."""
        self._shelves.clear()
        self.splits.clear()


def _sort(found: list[Resource], order: Order) -> None:
    found.sort(key=lambda r: (r.created_ms, r.id), reverse=order == "newest")


def _remove(keys: list[Key], key: Key) -> None:
    position = bisect_left(keys, key)
    assert keys[position] == key, f"index lost {key}"
    del keys[position]
