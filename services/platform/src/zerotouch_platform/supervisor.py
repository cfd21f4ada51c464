"""The supervisor of a process's loops: starts them, watches that none ends by itself, stops them in order.

Each part runs in a task of its own. One that ends before it was asked to, whatever it ended with, ends the process, so
that it is started anew.
"""

import asyncio
from collections.abc import Coroutine
from typing import Any, Final, Protocol

import structlog

from zerotouch_platform.telemetry import start_loop

CANCEL_SECONDS_MAX: Final = 0.5

_log: Final = structlog.get_logger()


class Part(Protocol):
    """What runs until it is asked to stop. ``stop`` only asks."""

    def run_forever(self) -> Coroutine[Any, Any, None]: ...

    def stop(self) -> None: ...


class LoopEnded(Exception):
    """A loop that should run for ever ended: a bug of ours. The process stops, so that it is started anew."""

    def __init__(self, name: str) -> None:
        self.name = name
        super().__init__(f"the loop {name!r} ended by itself")


class Loops:
    """The running loops by name."""

    def __init__(self) -> None:
        self._parts: dict[str, Part] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}

    def start(self, name: str, part: Part) -> None:
        """Run a part, with an empty context."""
        self._parts[name] = part
        self._tasks[name] = start_loop(part.run_forever(), name=name)

    async def until_ended(self, stopping: asyncio.Event) -> None:
        """Return when ``stopping`` is set; raises :class:`LoopEnded` where a loop ended before that."""
        asked = asyncio.create_task(stopping.wait(), name="until stopped")
        try:
            await asyncio.wait([asked, *self._tasks.values()], return_when=asyncio.FIRST_COMPLETED)
        finally:
            asked.cancel()
        if not stopping.is_set():
            name, task = next((name, task) for name, task in self._tasks.items() if task.done())
            raise LoopEnded(name) from None if task.cancelled() else task.exception()

    async def stop(self, *names: str, seconds_max: float) -> None:
        """Ask loops to end, side by side; cancel those that have not ended in time. Unknown names are passed over."""
        ending = {self._tasks.pop(name) for name in names if name in self._tasks}
        for name in names:
            if (part := self._parts.pop(name, None)) is not None:
                part.stop()
        if not ending:
            return
        ended, late = await asyncio.wait(ending, timeout=seconds_max)
        for task in late:
            _log.warning("stop: a loop did not end in time", loop=task.get_name(), seconds=seconds_max)
            task.cancel()
        if late:
            await asyncio.wait(late, timeout=CANCEL_SECONDS_MAX)
        for task in ended:
            if not task.cancelled() and (error := task.exception()) is not None:
                _log.error("stop: a loop ended with an error", loop=task.get_name(), exc_info=error)
