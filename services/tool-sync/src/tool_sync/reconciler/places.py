"""Places for exchanges with Vapi: as many at once as this process can serve in time.

Whoever announces a write must send it within the send window. With more at work than the CPU, the log or the machine can
serve, appends take longer than that, and what was announced has to be taken back and done again. So the number of
places follows the time that appends take: one more for each quick one, a quarter fewer when they are slow.
"""

import asyncio
from collections import deque
from collections.abc import Callable
from types import TracebackType
from typing import Final

PLACES_MIN: Final = 16
PLACES_FIRST: Final = 128
SHRINK: Final = 0.75


class Places:
    """An asynchronous context manager per exchange; first come, first served.

    ``slow_seconds``: an append that takes longer means too many. ``monotonic`` is in seconds.
    """

    def __init__(self, places_max: int, *, slow_seconds: float, monotonic: Callable[[], float]) -> None:
        self._max = places_max
        self._slow_seconds = slow_seconds
        self._monotonic = monotonic
        self._limit = float(min(PLACES_FIRST, places_max))
        self._taken = 0
        self._waiting: deque[asyncio.Future[None]] = deque()
        self._shrunk_at = float("-inf")

    @property
    def limit(self) -> int:
        """How many places there are now."""
        return int(self._limit)

    def note(self, append_seconds: float) -> None:
        """Learn how long an append took, from queued to answered."""
        if append_seconds < self._slow_seconds:
            self._limit = min(self._max, self._limit + 1)
            self._let_in()
        elif self._monotonic() - self._shrunk_at > self._slow_seconds:  # once for all that waited together
            self._shrunk_at = self._monotonic()
            self._limit = max(min(PLACES_MIN, self._max), self._limit * SHRINK)

    async def __aenter__(self) -> None:
        if self._taken < self.limit and not self._waiting:
            self._taken += 1
            return
        turn = asyncio.get_running_loop().create_future()
        self._waiting.append(turn)
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():  # let in and cancelled at once: the place goes to the next
                self._taken -= 1
                self._let_in()
            raise

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._taken -= 1
        self._let_in()

    def _let_in(self) -> None:
        while self._waiting and self._taken < self.limit:
            turn = self._waiting.popleft()
            if not turn.done():
                self._taken += 1
                turn.set_result(None)
