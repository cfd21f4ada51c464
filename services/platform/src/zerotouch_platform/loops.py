"""Loops: what runs until it is asked to stop.

    Loop(sweep.run_once, settings.sweep_seconds, "sweep_postponed", TRANSIENT_ERRORS)

A part with a shape of its own (a relay that leads, a subscriber that connects) has ``run_forever()`` and ``stop()``
itself, made of :class:`Wake` and :func:`pause`. `supervisor` runs either.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import KW_ONLY, dataclass, field
from typing import Any, Final

import structlog

CUT_OFF_AGAIN_SECONDS: Final = 1.0

_log: Final = structlog.get_logger()


async def pause(until: asyncio.Event, seconds: float) -> bool:
    """Return when ``until`` is set, at the latest after ``seconds``; whether it was set."""
    try:
        async with asyncio.timeout(seconds):
            return await until.wait()
    except TimeoutError:
        return False


async def either(*events: asyncio.Event) -> None:
    """Return when one of ``events`` is set."""
    waiting = [asyncio.create_task(event.wait()) for event in events]
    try:
        await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in waiting:
            task.cancel()


async def cut_off(*tasks: "asyncio.Task[Any]") -> None:
    """Cancel tasks and return when they have ended, however they did.

    Again until they have: a library may take the first cancellation for that of a task of its own, and go on.
    """
    while running := [task for task in tasks if not task.done()]:
        for task in running:
            task.cancel()
        await asyncio.wait(running, timeout=CUT_OFF_AGAIN_SECONDS)
    for task in tasks:
        _ = task.cancelled() or task.exception()  # else asyncio says at some later time that nobody looked at it


class Wake:
    """A signal for one waiter. A call while nobody waits is remembered; several count once."""

    def __init__(self) -> None:
        self._event = asyncio.Event()

    def __call__(self) -> None:
        """Wake the waiter."""
        self._event.set()

    def forget(self) -> None:
        """Forget what was called before: it is about to be looked at."""
        self._event.clear()

    async def wait(self, timeout_seconds: float) -> None:
        """Return when called, at the latest after ``timeout_seconds``."""
        try:
            await pause(self._event, timeout_seconds)
        finally:
            self._event.clear()


@dataclass(frozen=True, slots=True)
class Loop:
    """Runs ``run_once`` until :meth:`stop`; pauses in between, but not while :meth:`wake` is called.

    ``eager``: a run that found something to do, which it says by what it returns, is followed by the next at once.
    ``transient`` errors are waited out; ``waits`` is logged once, and again after it worked in between. With ``fault``
    any other error is logged likewise, as an alarm; without, it ends the loop and so the process.
    ``at_end`` runs when the loop ends, however it does.
    """

    run_once: Callable[[], Awaitable[object]]
    pause_seconds: float | Callable[[], float]
    waits: str
    transient: tuple[type[Exception], ...]
    _: KW_ONLY
    fault: str | None = None
    level: int = logging.WARNING
    eager: bool = False
    wake: Wake = field(default_factory=Wake)
    at_end: Callable[[], Awaitable[None]] | None = None
    _stopping: asyncio.Event = field(default_factory=asyncio.Event, init=False)

    @property
    def stopping(self) -> bool:
        """Whether it was asked to stop: a long run looks at it."""
        return self._stopping.is_set()

    def stop(self) -> None:
        """End :meth:`run_forever` after the run at hand."""
        self._stopping.set()
        self.wake()

    async def run_forever(self) -> None:
        """Run until :meth:`stop`."""
        said: str | None = None
        try:
            while not self.stopping:
                self.wake.forget()  # before the run: what comes after its look wakes us again
                found: object = None
                try:
                    found = await self.run_once()
                    said = None
                except Exception as error:
                    said = self._tell(error, said)
                if not (self.eager and found):
                    await self.wake.wait(self.pause_seconds() if callable(self.pause_seconds) else self.pause_seconds)
        finally:
            if self.at_end is not None:
                await self.at_end()

    def _tell(self, error: Exception, said: str | None) -> str:
        """Say why it waits, unless that was ``said``; what is said by now. Raises what it does not wait out."""
        if isinstance(error, self.transient):
            if said != self.waits:
                _log.log(self.level, self.waits, reason=in_one_line(error))
            return self.waits
        if self.fault is None:
            raise error
        if said != self.fault:
            _log.exception(self.fault, reason=type(error).__name__, alarm=True)
        return self.fault


def in_one_line(error: BaseException) -> str:
    """An error in words for an operator."""
    return f"{type(error).__name__}: {error}".splitlines()[0][:300].rstrip(": ")
