"""What serving a request costs everybody else: the time in which its own code keeps the event loop to itself.

A task runs from one wait to the next, and only it can say how long each of these pieces took. What it waits for costs
nobody anything. The clock is the wall's: on a busy machine a piece takes longer, and so do others who wait for it.
"""

import time
from collections.abc import Awaitable, Callable, Generator
from contextvars import ContextVar
from typing import Any, Final, Generic, TypeVar

T = TypeVar("T")

PIECE_SECONDS_MAX: Final = 0.1
"""What one piece counts for at most: no input keeps the loop for longer (ADR 55). A longer one is a pause of the
machine, a collection of garbage or a fault of ours with its stack, and none of these shuts a clinic out by itself."""
TOLD_SECONDS: Final = 0.005
"""Pieces are told together: most are far shorter. What lasts, as a stream, is told as it goes on."""


def _nobodys(_seconds: float) -> None:
    """Outside of a request nothing is limited."""


spent_now: Final[ContextVar[Callable[[float], None]]] = ContextVar("spent_now", default=_nobodys)
"""Who is told what the request costs that is being served: for tasks of its own, which are not in what is awaited."""


class Metered(Generic[T]):
    """Await it instead of ``work``; ``spent`` is told the seconds of all its pieces, also where it raises."""

    def __init__(
        self, work: Awaitable[T], spent: Callable[[float], None], clock: Callable[[], float] = time.perf_counter
    ) -> None:
        self._work, self._spent, self._clock = work, spent, clock

    def __await__(self) -> Generator[Any, Any, T]:
        """Run piece by piece, each as the event loop asks for it."""
        work, seconds = self._work.__await__(), 0.0
        run, given = work.send, None  # type: Callable[[Any], Any], Any
        try:
            while True:
                began = self._clock()
                try:
                    awaited = run(given)
                except StopIteration as end:
                    result: T = end.value
                    return result
                finally:
                    seconds += min(self._clock() - began, PIECE_SECONDS_MAX)
                if seconds >= TOLD_SECONDS:
                    self._spent(seconds)
                    seconds = 0.0
                try:
                    run, given = work.send, (yield awaited)
                except BaseException as error:  # what the loop throws in is the work's to handle: cancellations, mostly
                    run, given = work.throw, error
        finally:
            self._spent(seconds)
