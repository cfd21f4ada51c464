"""Every object of a list, whatever its order: Vapi documents neither an order nor a cursor.

A page that is full may have left something out, so its window of ``createdAt`` is cut in two and each part is asked for
anew, until every part fits a page. Where the page lies in an order, the cut is made at its end, which costs about two
requests a page (four without any order); nothing depends on that guess. A window is given by creation, which never
changes: what existed throughout is in exactly one of them.
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from zerotouch_platform.vapi.answers import TooLarge

MILLISECOND: Final = timedelta(milliseconds=1)
REQUESTS_MAX: Final = 20_000
"""Of one list; twenty million objects. More means that the server does not do what we ask."""

Ask = Callable[[dict[str, str]], Awaitable[object]]
"""Makes one request with this query; returns the parsed body. Raises `TooLarge` where it is longer than is read."""


class NoList(Exception):
    """The answers do not make a list: not an array, or more objects of one millisecond than a page holds."""


@dataclass(frozen=True, slots=True)
class Window:
    """``since <= createdAt < until``; None is open."""

    since: datetime | None = None
    until: datetime | None = None

    def query(self, limit: int) -> dict[str, str]:
        """As Vapi takes it."""
        bounds = {"createdAtGe": self.since, "createdAtLt": self.until}
        return {"limit": str(limit), **{name: vapi_time(at) for name, at in bounds.items() if at is not None}}

    def holds(self, at: datetime) -> bool:
        """Whether a time lies inside."""
        return (self.since is None or self.since <= at) and (self.until is None or at < self.until)


async def listed(
    ask: Ask, window: Window, *, limit: int, on_unreadable: Callable[[object], None] = lambda _: None
) -> AsyncIterator[dict[str, Any]]:
    """Every object of the window, once, each with a text ``id``. Raises :class:`NoList` and what ``ask`` raises.

    What is no object, or has no id, is left out and given to ``on_unreadable``, once a page: who relies on the absence
    of something must look there, too.
    """
    seen: set[str] = set()
    windows, requests = [window], 0
    while windows:
        part = windows.pop()
        requests += 1
        if requests > REQUESTS_MAX:
            raise NoList(f"more than {REQUESTS_MAX} requests for one list")
        try:
            page = await ask(part.query(limit))
        except TooLarge:
            if limit == 1:
                raise
            limit = max(1, limit // 4)
            windows.append(part)
            continue
        if not isinstance(page, list):
            raise NoList("the list is not an array")
        for item in page:
            if not _is_readable(item):
                on_unreadable(item)
            elif item["id"] not in seen:
                seen.add(item["id"])
                yield item
        if len(page) >= limit:
            windows += _halves(part, page)


def _is_readable(item: object) -> bool:
    return isinstance(item, dict) and isinstance(item.get("id"), str) and bool(item["id"])


def _halves(window: Window, page: Sequence[object]) -> tuple[Window, Window]:
    """The two parts of a window whose page was full."""
    times = [at for item in page if (at := created_at(item)) is not None and window.holds(at)]
    cut = _cut(window, times)
    if cut is None:
        raise NoList("more objects of one time than a page holds, or a list that does not keep to the window")
    return replace(window, until=cut), replace(window, since=cut)


def _cut(window: Window, times: Sequence[datetime]) -> datetime | None:
    """A time that truly divides the window; None where there is none."""
    ordered = sorted({_floor(at) for at in times})
    if len(ordered) > 1:
        if times == sorted(times, reverse=True):
            return ordered[1]  # newest first: all from the second oldest on fit a page, the rest is older
        return ordered[-1] if times == sorted(times) else ordered[len(ordered) // 2]
    # One time alone, or none that can be read: beside it, or by halving what has two ends.
    beside = [at for at in (*ordered, *(at + MILLISECOND for at in ordered)) if _divides(window, at)]
    if beside or window.since is None or window.until is None:
        return beside[0] if beside else None
    middle = _floor(window.since + (window.until - window.since) / 2)
    return middle if _divides(window, middle) else None


def _divides(window: Window, at: datetime) -> bool:
    return (window.since is None or window.since < at) and (window.until is None or at < window.until)


def _floor(at: datetime) -> datetime:
    return at.replace(microsecond=at.microsecond // 1000 * 1000)


def vapi_time(at: datetime) -> str:
    """A time as Vapi writes it, in milliseconds."""
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def created_at(item: object) -> datetime | None:
    """``createdAt`` in UTC, or None where it is missing or no time."""
    raw = item.get("createdAt") if isinstance(item, dict) else None
    try:
        at = datetime.fromisoformat(raw) if isinstance(raw, str) else None
    except ValueError:
        return None
    return None if at is None or at.tzinfo is None else at.astimezone(UTC)
