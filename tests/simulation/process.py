"""A process of the simulation: all tasks that it starts, which can be killed or paused between any two steps.

A kill is a kill -9: no task of it takes another step, so no ``finally`` and no ``except`` runs. A pause is a SIGSTOP:
its tasks take no step until it goes on, while time passes and what they wait for arrives.
"""

import asyncio
import inspect
import types
from collections.abc import Callable, Coroutine, Generator
from typing import Any

OnStep = Callable[["Process", int], None]

SCATTER = 0x9E3779B1
"""Knuth's: neighbouring numbers far apart, so that sets of tasks are not simply in the order of their beginning."""


class Process:
    """``steps`` counts the awaits that its tasks have come to. ``on_step`` is told each, and may kill or pause."""

    def __init__(self, name: str, on_step: OnStep) -> None:
        self.name = name
        self.steps = 0
        self.dead = False
        self._on_step = on_step
        self.tasks: list[_Task] = []
        """All of them, to the end of the run: one that is thrown away would clean up, which a killed one does not."""
        self._gate: asyncio.Future[None] | None = None

    def kill(self) -> None:
        """Let nothing of it ever run again."""
        self.dead = True

    def pause(self, seconds: float) -> None:
        """Let nothing of it run for a time."""
        loop = asyncio.get_running_loop()
        if self._gate is None:
            self._gate = loop.create_future()
            loop.call_later(seconds, self._go_on)

    @property
    def paused(self) -> bool:
        """Whether it is standing still now."""
        return self._gate is not None

    def _go_on(self) -> None:
        gate, self._gate = self._gate, None
        if gate is not None and not gate.done():
            gate.set_result(None)

    @types.coroutine
    def run(self, inner: Coroutine[Any, Any, Any]) -> Generator[Any, Any, Any]:
        """Step ``inner``; at each of its awaits it may be that no further step follows."""
        thrown: BaseException | None = None
        while True:
            late = False
            while self.dead or self._gate is not None:
                loop = asyncio.get_running_loop()
                waiting = loop.create_future() if self._gate is None else asyncio.shield(self._gate)
                try:
                    yield from waiting
                except asyncio.CancelledError:  # a deadline that passed meanwhile: it is met at the next await, as what
                    late = True  # was ready before it runs first; so a request can be sent long after it was checked
            try:
                waited = inner.send(None) if thrown is None else inner.throw(thrown)
            except StopIteration as end:
                return end.value
            thrown = None
            self.steps += 1
            self._on_step(self, self.steps)
            if late:
                _meet_deadline(waited)
            try:
                yield waited
            except BaseException as error:  # a cancellation: the task's own business
                thrown = error


def _meet_deadline(waited: Any) -> None:
    """Cancel what is waited for, unless the deadline was lifted meanwhile."""
    task = asyncio.current_task()
    if task is not None and task.cancelling() and waited is not None:
        waited.cancel()


class _Task(asyncio.Task[Any]):
    """A task of a process. ``asyncio.wait`` answers with sets: by its own hash a task's place in them is the same in
    every replay, where an address would be another each time."""

    def __init__(self, process: Process, coro: Any, loop: asyncio.AbstractEventLoop, **options: Any) -> None:
        self.process, self._inner = process, coro
        self._hash = len(process.tasks) * SCATTER & 0xFFFF_FFFF
        process.tasks.append(self)
        super().__init__(_as_coroutine(process.run(coro)), loop=loop, **options)

    def __hash__(self) -> int:
        return self._hash

    def forget(self) -> None:
        """Close a coroutine that was never begun, of which Python would warn."""
        if inspect.getcoroutinestate(self._inner) == inspect.CORO_CREATED:
            self._inner.close()


_outside = False


def _factory(loop: asyncio.AbstractEventLoop, coro: Any, **options: Any) -> asyncio.Task[Any]:
    """Tasks belong to the process of the task that starts them."""
    process = None if _outside else _process_of(asyncio.current_task(loop))
    return asyncio.Task(coro, loop=loop, **options) if process is None else _Task(process, coro, loop, **options)


def _process_of(task: "asyncio.Task[Any] | None") -> Process | None:
    return task.process if isinstance(task, _Task) else None


async def _as_coroutine(stepping: Any) -> Any:
    return await stepping


def install(loop: asyncio.AbstractEventLoop) -> None:
    """Make the loop's tasks inherit their process."""
    loop.set_task_factory(_factory)


def start(process: Process, coro: Coroutine[Any, Any, Any]) -> "asyncio.Task[Any]":
    """The first task of a process."""
    return _Task(process, coro, asyncio.get_running_loop())


def outside(coro: Coroutine[Any, Any, Any]) -> "asyncio.Task[Any]":
    """A task of the world around: what was sent to a server goes on there, whatever becomes of the sender."""
    global _outside
    _outside = True
    try:
        return asyncio.get_running_loop().create_task(coro)
    finally:
        _outside = False


def process_of_current_task() -> Process | None:
    """The process whose code runs now; None for the world around."""
    return _process_of(asyncio.current_task())
