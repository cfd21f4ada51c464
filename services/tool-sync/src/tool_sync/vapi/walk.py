"""A walk through one of Vapi's lists, a page at a time over hours, that goes on where it was. Pure.

The list is cut into windows of ``createdAt``, oldest first, and each is one page. The windows stay from one walk to the
next, so that a walk takes one call for each page, whatever the order of the list. One that is full by now is cut in
two, and two that together fill no page become one.

    [ everything older ─ 874 )[ … ─ 990 )[ … ─ 1,000: full ─────────── )
                                         [ … ─ 999 )[ … everything newer )
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from zerotouch_platform.vapi.paging import ListUnreadable, Window, cut

MERGED_SHARE_MAX: Final = 0.8
"""Of a page: two windows that hold more together would soon be two again."""


@dataclass(frozen=True, slots=True)
class Bound:
    """Where a window begins (None: at the oldest object), and how many objects were found in it when it was read."""

    begins_at: datetime | None
    found: int


BEGINNING: Final = (Bound(None, 0),)


@dataclass(frozen=True, slots=True)
class Walk:
    """``at``: the next window. ``finished``: the walk has just come to its end, and begins anew."""

    bounds: tuple[Bound, ...] = BEGINNING
    at: int = 0
    finished: bool = False

    @property
    def window(self) -> Window:
        """What to ask for next."""
        newer = self.bounds[self.at + 1 :]
        return Window(self.bounds[self.at].begins_at, newer[0].begins_at if newer else None)


def after_page(walk: Walk, answered: Sequence[object], limit: int) -> Walk:
    """The walk after its next page was read; a full page is cut, and its older part is next."""
    if len(answered) >= limit:
        try:
            begins_at, _ = cut(walk.window, list(answered))
        except ListUnreadable:  # whatever of it was not shown is read by its id
            return _counted(walk, len(answered), limit)
        bounds = (*walk.bounds[: walk.at + 1], Bound(begins_at, 0), *walk.bounds[walk.at + 1 :])
        return replace(walk, bounds=bounds, finished=False)
    return _counted(walk, len(answered), limit)


def _counted(walk: Walk, found: int, limit: int) -> Walk:
    older, newer = walk.bounds[: walk.at], walk.bounds[walk.at + 1 :]
    if older and older[-1].found + found <= limit * MERGED_SHARE_MAX:
        bounds = (*older[:-1], replace(older[-1], found=older[-1].found + found), *newer)
        at = walk.at
    else:
        bounds = (*older, replace(walk.bounds[walk.at], found=found), *newer)
        at = walk.at + 1
    finished = at >= len(bounds)
    return Walk(bounds, 0 if finished else at, finished)
