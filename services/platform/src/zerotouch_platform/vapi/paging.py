"""Whole lists of Vapi's, which come in pages. Nothing here depends on their order, which is undocumented.

There is no cursor, offset or total: only ``limit`` and filters by ``createdAt`` and ``updatedAt`` (OpenAPI,
2026-08-20). So a window of
``createdAt`` counts as read only by a page that is not full; a full one is cut in two, and both are asked for.

    [ low ─────────────── full ─────────────── high )
    [ low ── full ── cut )[ cut ── not full: read ─ high )

Where it is cut decides the number of calls only: beside the last item of a page that is sorted, as most servers sort,
which is two calls for a page (about 2N/limit); else at the middle item. An object that exists all the time lies in one
window that was read whole, so that nothing is missed while the list changes. Each object is told once.
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any, Final, Literal

from zerotouch_platform.vapi import json
from zerotouch_platform.vapi.answers import resource_of
from zerotouch_platform.vapi.json import UnreadableItem

TimeField = Literal["createdAt", "updatedAt"]
MILLISECOND: Final = timedelta(milliseconds=1)
"""The precision of ``createdAt``: windows begin and end at whole ones."""
CALLS_SPARE: Final = 100
CALLS_PER_PAGE_MAX: Final = 12
"""More calls than this for each page of items that were found is a server that does not do what it is asked."""
LIMIT_MIN: Final = 2
"""Of one item no page tells whether it is the last one of its millisecond."""


class PageTooLarge(Exception):
    """Raised by ``ask`` for a page of too many bytes: it is asked for again in smaller ones."""


class ListUnreadable(Exception):
    """A list that cannot be read whole. Says why, without anything of its content."""


@dataclass(frozen=True, slots=True)
class Window:
    """``low <= createdAt < high``; None is open. Whole milliseconds: ``low`` is rounded down and ``high`` up.

    ``by``: the time that is meant. What is updated while it is listed by ``updatedAt`` moves to the newest window.
    """

    low: datetime | None = None
    high: datetime | None = None
    by: TimeField = "createdAt"

    def query(self, limit: int) -> dict[str, str]:
        """The parameters that ask for it."""
        query = {"limit": str(limit)}
        if self.low is not None:
            query[f"{self.by}Ge"] = vapi_time(self.low)
        if self.high is not None:
            query[f"{self.by}Lt"] = vapi_time(self.high)
        return query

    def holds(self, time: datetime) -> bool:
        """Whether an object of this time belongs to it."""
        return (self.low is None or self.low <= time) and (self.high is None or time < self.high)


@dataclass(frozen=True, slots=True)
class Page:
    """What one call told that no other had."""

    items: tuple[Mapping[str, Any], ...]
    """Objects with an id."""
    unreadable: tuple[object, ...] = ()
    """What stands beside them: no object, an object without a usable id, or an :class:`UnreadableItem`. Whoever
    concludes from a list that something is nowhere has to search these too."""


Ask = Callable[[Mapping[str, str]], Awaitable[list[object]]]
"""One page by its parameters, as :func:`zerotouch_platform.vapi.json.read_list` reads it."""


async def pages(ask: Ask, window: Window, limit: int) -> AsyncIterator[Page]:
    """Everything in ``window``, ``limit`` at a time. Raises :class:`ListUnreadable`, and what ``ask`` raises."""
    window = Window(_whole(window.low), _whole(window.high, up=True), window.by)
    seen: set[str | bytes] = set()
    open_windows, calls = [(window, max(limit, LIMIT_MIN))], 0
    while open_windows:
        window, limit_now = open_windows.pop()
        calls += 1
        if calls > CALLS_SPARE + CALLS_PER_PAGE_MAX * (len(seen) // limit_now):
            raise ListUnreadable(f"{calls} calls brought only {len(seen)} items")
        try:
            answered = await ask(window.query(limit_now))
        except PageTooLarge:
            if limit_now <= LIMIT_MIN:
                raise ListUnreadable("the smallest page is too large") from None
            open_windows.append((window, max(LIMIT_MIN, limit_now // 4)))
            continue
        yield _fresh(answered, seen)
        if len(answered) >= limit_now:
            at, newer_first = cut(window, answered)
            older, newer = Window(window.low, at, window.by), Window(at, window.high, window.by)
            first, then = (newer, older) if newer_first else (older, newer)
            open_windows += [(then, limit_now), (first, limit_now)]


def created_at(document: object) -> datetime | None:
    """``createdAt`` in UTC, or None where it is missing or no time."""
    return _time_of(document, "createdAt")


def _time_of(document: object, field: TimeField) -> datetime | None:
    raw = document.get(field) if isinstance(document, dict) else None
    try:
        time = datetime.fromisoformat(raw) if isinstance(raw, str) else None
        return None if time is None or time.tzinfo is None else time.astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def vapi_time(time: datetime) -> str:
    """A time as Vapi writes it."""
    return time.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _fresh(answered: list[object], seen: set[str | bytes]) -> Page:
    items: list[Mapping[str, Any]] = []
    unreadable: list[object] = []
    for item in answered:
        resource = resource_of(item)
        key = resource["id"] if resource is not None else _text_of(item)
        if key in seen:
            continue
        seen.add(key)
        if resource is None:
            unreadable.append(item)
        else:
            items.append(resource)
    return Page(tuple(items), tuple(unreadable))


def _text_of(item: object) -> bytes:
    return item.text.encode("utf-8", "surrogatepass") if isinstance(item, UnreadableItem) else json.write(item)


def cut(window: Window, answered: list[object]) -> tuple[datetime, bool]:
    """Where to cut a window whose page was full, strictly inside of it, and whether to go on with its newer part.

    Raises :class:`ListUnreadable` where it cannot be cut.
    """
    times = [time for item in answered if (time := _time_of(item, window.by)) is not None]
    inside = [_floor(time) for time in times if window.holds(time)]
    if len(inside) * 2 < len(times):
        raise ListUnreadable(f"Vapi ignored the filter by {window.by}")
    newest_first = all(a >= b for a, b in pairwise(inside))
    oldest_first = all(a <= b for a, b in pairwise(inside))
    ordered = sorted(inside)
    if not inside:
        wished = []
    elif newest_first and ordered[0] != ordered[-1]:
        wished = [ordered[0] + MILLISECOND]
    elif oldest_first and ordered[0] != ordered[-1]:
        wished = [ordered[-1]]
    else:
        wished = [ordered[len(ordered) // 2], ordered[len(ordered) // 2] + MILLISECOND]
    for cut in (*wished, *_middle(window)):
        if (window.low is None or window.low < cut) and (window.high is None or cut < window.high):
            return cut, not oldest_first or newest_first
    if inside:
        raise ListUnreadable("more items in one millisecond than a page holds")
    raise ListUnreadable(f"a full page without a usable {window.by}")


def _middle(window: Window) -> tuple[datetime, ...]:
    if window.low is None or window.high is None:
        return ()
    return (_floor(window.low + (window.high - window.low) / 2),)


def _floor(time: datetime) -> datetime:
    return time.replace(microsecond=time.microsecond // 1000 * 1000)


def _whole(time: datetime | None, *, up: bool = False) -> datetime | None:
    if time is None:
        return None
    floor = _floor(time)
    return floor + MILLISECOND if up and floor < time else floor
