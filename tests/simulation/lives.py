"""Processes beside tool-sync's workers, of which each does one thing: they are killed and paused like those."""

import asyncio
from collections.abc import Coroutine
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from . import process
from .faults import KILL_RESTART_SECONDS, Faults
from .process import Process


@dataclass(slots=True)
class Lives:
    """``processes``: all of them, see `Process.tasks`."""

    faults: Faults
    processes: list[Process] = field(default_factory=list)

    async def live(self, name: str, doing: Coroutine[Any, Any, Any]) -> None:
        """Do it in a process of its own, until that has ended; or was killed, and another one could begin."""
        ended: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        worker = Process(name, partial(self._on_step, ended))
        self.processes.append(worker)
        process.start(worker, doing).add_done_callback(partial(_end, ended))
        await ended

    def _on_step(self, ended: "asyncio.Future[None]", worker: Process, _steps: int) -> None:
        point = self.faults.at_step()
        if point is not None and point.kills:
            worker.kill()
            asyncio.get_running_loop().call_later(KILL_RESTART_SECONDS, _end, ended)
        elif point is not None:
            worker.pause(point.seconds)


def _end(ended: "asyncio.Future[None]", _task: "asyncio.Task[Any] | None" = None) -> None:
    if not ended.done():
        ended.set_result(None)
