"""What is counted over everything, kept in the process: made again only where it can have changed.

A count reads every row that there is, seconds beside 500,000 of them, and what it says is a function of the log alone.
So it is kept while the log stands still, and one that takes long is made so rarely that counting takes a thirtieth of
the time at most. Whoever asks waits for such a one only where there is none yet.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Hashable
from contextlib import AbstractAsyncContextManager
from typing import Final, Generic, TypeVar

import structlog

from tool_sync.db import Connection

SHARE: Final = 30
"""A count of one second is made every 30 s, however often somebody asks."""
WAITED_SECONDS_MAX: Final = 0.01
"""What takes no longer is made whenever the log has moved; what does, beside those who ask: they get the one before."""
KEPT_SECONDS_MAX: Final = 600.0
"""A rebuild may mend rows without a new event."""

KEYS_MAX: Final = 20

Connect = Callable[[], AbstractAsyncContextManager[Connection]]
"""Lends a connection to whoever counts beside those who ask."""

_log = structlog.get_logger(__name__)

T = TypeVar("T")
K = TypeVar("K", bound=Hashable)


class Kept(Generic[T]):
    """The newest that ``make`` has made. ``clock`` is monotonic, in seconds.

    Without ``connect`` whoever asks makes it, however long that takes.
    """

    def __init__(
        self,
        make: Callable[[Connection], Awaitable[T]],
        clock: Callable[[], float] = time.monotonic,
        connect: Connect | None = None,
    ) -> None:
        self._make, self._clock, self.connect = make, clock, connect
        self._renewing: asyncio.Task[None] | None = None
        self._newest: tuple[int, T] | None = None
        self._made_at = self._took_seconds = 0.0
        self._making = asyncio.Lock()

    async def at(self, connection: Connection, head: int) -> T:
        """What was made just now, or is kept. ``head`` is where the log stands.

        Whoever asks while it is made gets the one before, if there is one.
        """
        if self._newest is not None and (self._making.locked() or not self._is_due(self._newest[0], head)):
            return self._newest[1]
        if self._newest is not None and self.connect is not None and self._took_seconds > WAITED_SECONDS_MAX:
            if self._renewing is None or self._renewing.done():
                self._renewing = asyncio.create_task(self._renew(self.connect, head))
            return self._newest[1]
        return await self._made(connection, head)

    async def _renew(self, connect: Connect, head: int) -> None:
        try:
            async with connect() as connection:
                await self._made(connection, head)
        except Exception as error:
            # Nobody waits for it. The next one who asks tries again, and where the database is away hears so elsewhere.
            _log.warning("count_not_made_again", error=repr(error))

    async def _made(self, connection: Connection, head: int) -> T:
        async with self._making:
            if self._newest is None or self._is_due(self._newest[0], head):
                began_at = self._clock()
                made = await self._make(connection)
                self._made_at, self._took_seconds = began_at, self._clock() - began_at
                self._newest = head, made
            return self._newest[1]

    def _is_due(self, made_of: int, head: int) -> bool:
        age_seconds = self._clock() - self._made_at
        if made_of == head:
            return age_seconds >= KEPT_SECONDS_MAX
        return self._took_seconds <= WAITED_SECONDS_MAX or age_seconds >= SHARE * self._took_seconds


class KeptBy(Generic[K, T]):
    """The same of the newest few keys that somebody asked for."""

    def __init__(self, make: Callable[[Connection, K], Awaitable[T]], connect: Connect | None = None) -> None:
        self._make, self._connect = make, connect
        self._by_key: dict[K, Kept[T]] = {}

    async def at(self, key: K, connection: Connection, head: int) -> T:
        """What of ``key`` was made just now, or is kept."""
        kept = self._by_key.pop(key, None) or Kept(
            lambda connection: self._make(connection, key), connect=self._connect
        )
        self._by_key[key] = kept  # the newest one last
        for oldest in list(self._by_key)[:-KEYS_MAX]:
            del self._by_key[oldest]
        return await kept.at(connection, head)
