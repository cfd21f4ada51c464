"""The loops of a process: what runs until it is asked to stop, and what happens where one does not."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, Protocol


class Loop(Protocol):
    """What runs until it is asked to stop."""

    def run_forever(self) -> Coroutine[Any, Any, None]: ...


class LoopEnded(Exception):
    """A loop ended that should not have: a bug. The process ends, so that it is started anew."""


async def run(loop: Loop, is_stopping: Callable[[], bool]) -> None:
    """Run a loop. Raises :class:`LoopEnded` where it ends before it was asked to.

    Also where a library raised ``CancelledError`` of its own accord: a group of tasks takes that for an end in order.
    """
    task = asyncio.current_task()
    try:
        await loop.run_forever()
    except asyncio.CancelledError:
        if task is None or task.cancelling():
            raise
    if not is_stopping():
        raise LoopEnded(f"the loop {type(loop).__name__} ended by itself")
