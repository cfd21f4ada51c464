"""An event loop on virtual time. Nothing scheduled is an error, and a seed decides the order of what is ready.

It is asyncio's own loop without files, threads and a debug mode, in one function: most of a run is waking up.
"""

import asyncio
from collections.abc import Callable
from contextvars import Context, copy_context
from heapq import heappop, heappush
from random import Random
from typing import Any

JITTER_SECONDS = 1e-4
"""By which half of all callbacks are late, so that what is ready at once runs in any order."""
RESOLUTION_SECONDS = 1e-9
"""What is due within it is due now; asyncio asks the machine, and a replay must not depend on that."""


class Deadlock(Exception):
    """Everything waits and nothing is scheduled: it would wait for ever."""


class _Call(float):
    """A callback that waits for its turn, as asyncio's handles; its value is when it is due, so that a heap sorts it.

    ``callback`` None: cancelled.
    """

    __slots__ = ("args", "callback", "context")

    callback: Callable[..., object] | None
    args: tuple[Any, ...]
    context: Context

    def cancel(self) -> None:
        """Let it never run."""
        self.callback, self.args = None, ()

    def cancelled(self) -> bool:
        """Whether it will never run."""
        return self.callback is None

    def when(self) -> float:
        """The virtual second in which it is due."""
        return float(self)


class VirtualLoop(asyncio.BaseEventLoop):
    """``now`` is seconds since the beginning of the run. With a seed, callbacks are shuffled a little."""

    _stopping: bool  # asyncio's: set by what run_until_complete waits for

    def __init__(self, seed: int | None) -> None:
        super().__init__()
        self.now = 0.0
        self._chance = None if seed is None else Random(seed).random
        self._calls: list[_Call] = []
        self._soon: list[_Call] = []

    def time(self) -> float:
        """Virtual seconds."""
        return self.now

    def forget(self) -> None:
        """Drop all that waits, and take nothing more."""
        self._calls.clear()
        self._soon.clear()
        self.close()

    def call_soon(  # type: ignore[override]
        self, callback: Callable[..., object], *args: Any, context: Context | None = None
    ) -> Any:
        """At once, or a tenth of a millisecond later."""
        chance = self._chance
        if chance is not None and chance() < 0.5:
            return self.call_at(self.now + chance() * JITTER_SECONDS, callback, *args, context=context)
        self._soon.append(call := self._call(self.now, callback, args, context))
        return call

    def call_soon_threadsafe(  # type: ignore[override]
        self, callback: Callable[..., object], *args: Any, context: Context | None = None
    ) -> Any:
        """There is one thread. Asynchronous generators are ended by it, where nothing holds them any more."""
        self._soon.append(call := self._call(self.now, callback, args, context))
        return call

    def call_later(  # type: ignore[override]
        self, delay: float, callback: Callable[..., object], *args: Any, context: Context | None = None
    ) -> Any:
        """After ``delay`` seconds."""
        return self.call_at(self.now + delay, callback, *args, context=context)

    def call_at(  # type: ignore[override]
        self, when: float, callback: Callable[..., object], *args: Any, context: Context | None = None
    ) -> Any:
        """At this virtual second."""
        heappush(self._calls, call := self._call(when, callback, args, context))
        return call

    def _call(
        self, when: float, callback: Callable[..., object], args: tuple[Any, ...], context: Context | None
    ) -> _Call:
        if self._closed:  # type: ignore[attr-defined]
            raise RuntimeError("the run is over")
        call = _Call(when)
        call.callback, call.args = callback, args
        call.context = context if context is not None else copy_context()
        return call

    def _run_once(self) -> None:
        """Until the loop is stopped: let time pass where nothing is ready, then run what is."""
        calls = self._calls
        while not self._stopping:
            while calls and calls[0].callback is None:
                heappop(calls)
            if not self._soon:
                if not calls:
                    raise Deadlock("nothing is scheduled")
                self.now += max(0.0, calls[0] - self.now)
            ready, self._soon = self._soon, []  # what these make ready has its turn after time was looked at
            until = self.now + RESOLUTION_SECONDS
            while calls and calls[0] < until:
                ready.append(heappop(calls))
            for call in ready:
                if call.callback is not None:
                    self._run(call, call.callback)

    def _run(self, call: _Call, callback: Callable[..., object]) -> None:
        try:
            call.context.run(callback, *call.args)
        except (SystemExit, KeyboardInterrupt):
            raise
        except BaseException as error:
            self.call_exception_handler({"message": f"in {callback!r}", "exception": error})


async def sleep_until(seconds: float) -> None:
    """Until then, or now where that has passed."""
    await asyncio.sleep(max(0.0, seconds - asyncio.get_running_loop().time()))
