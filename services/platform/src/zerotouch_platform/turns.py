"""Places that are given out in turns of those who want them: nobody waits behind all that somebody else wants.

    wants a place ─► one is free, and its owner holds less than one may? ─► holds it ─► gives it back: whose turn is it?
                     │ no
                     └─► waits in its owner's own queue; the queues take turns, whatever their lengths

Work that belongs to nobody in particular (loops, health) is an owner, too, and may hold all places.
"""

import asyncio
from collections import Counter, OrderedDict, deque
from collections.abc import AsyncIterator, Hashable
from contextlib import asynccontextmanager
from contextvars import ContextVar
from typing import Final, Self

owner_now: Final[ContextVar[Hashable | None]] = ContextVar("owner_now", default=None)
"""Whose work is being done; None is nobody's in particular."""


class NoTurn(TimeoutError):
    """No place came in time: others held all of them, and whatever the places are of may be well."""


class Turns:
    """``places`` in all, of which one owner may hold ``of_one_max``. Not for threads."""

    def __init__(self, places: int, of_one_max: int) -> None:
        self._free, self._of_one_max = places, of_one_max
        self._held: Counter[Hashable | None] = Counter()
        self._waiting: OrderedDict[Hashable | None, deque[asyncio.Future[None]]] = OrderedDict()
        """Those at the front have waited longest for their turn."""

    @classmethod
    def of_connections(cls, connections_max: int) -> Self:
        """Those of a pool: half of them are enough for one, and leave the database's own cores to others."""
        return cls(connections_max, max(1, connections_max // 2))

    @asynccontextmanager
    async def place(self, timeout_seconds: float) -> AsyncIterator[None]:
        """Hold a place for the owner whose work this is. Raises :class:`NoTurn` where none comes in time."""
        owner = owner_now.get()
        try:
            async with asyncio.timeout(timeout_seconds):
                await self._take(owner)
        except TimeoutError:
            raise NoTurn(f"waited {timeout_seconds:g} s behind others") from None
        try:
            yield
        finally:
            self._give_back(owner)

    async def _take(self, owner: Hashable | None) -> None:
        place: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(owner, deque()).append(place)
        self._hand_out()
        try:
            await place
        except asyncio.CancelledError:
            if place.done() and not place.cancelled():  # handed out at the moment of the cancellation
                self._give_back(owner)
            raise

    def _give_back(self, owner: Hashable | None) -> None:
        self._free += 1
        self._held[owner] -= 1
        if not self._held[owner]:
            del self._held[owner]
        self._hand_out()

    def _hand_out(self) -> None:
        while self._free and (owner := self._next()) is not _NOBODY:
            queue = self._waiting[owner]
            place = queue.popleft()
            if queue:
                self._waiting.move_to_end(owner)
            else:
                del self._waiting[owner]
            if not place.done():  # else its owner has gone
                place.set_result(None)
                self._free -= 1
                self._held[owner] += 1

    def _next(self) -> Hashable | None:
        """The owner who has waited longest, of those who may hold one more."""
        return next((one for one in self._waiting if one is None or self._held[one] < self._of_one_max), _NOBODY)


_NOBODY: Final = object()
