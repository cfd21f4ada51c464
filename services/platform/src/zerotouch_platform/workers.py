"""The supervisor of N worker processes of the same command: one process to manage, all cores of a machine used.

    supervisor ── holds the public port, and a line to each worker
      ├─ worker 1   started alone, so that what cannot start says so once
      ├─ worker 2   started when the first one works
      └─ worker N

SIGTERM, SIGINT   every worker stops in order; what is left then is killed
SIGHUP            the workers are restarted one after another, and the port answers throughout
"""

import asyncio
import os
import shutil
import signal
import socket
import tempfile
import time
from asyncio.subprocess import Process
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

import structlog

from zerotouch_platform.loops import either, in_one_line, pause
from zerotouch_platform.process import STOP_SECONDS_MAX
from zerotouch_platform.worker import Worker

STOP_WORKERS_SECONDS_MAX: Final = STOP_SECONDS_MAX + 0.5
"""A worker cuts itself off before that."""
START_SECONDS_MAX: Final = 60.0
"""How long a rolling restart waits for a worker to work before it leaves the others as they are."""
RESTART_SECONDS_MIN: Final = 0.2
RESTART_SECONDS_MAX: Final = 30.0
STEADY_SECONDS: Final = 60.0
"""Who has run for so long is restarted soon, whatever happened before."""
FAILED_STARTS_MAX: Final = 5
"""So many ends of one worker in a row before it worked are nothing that another start mends."""
EXIT_FAILED: Final = 1
EXITS_OF_NO_START: Final = (2, 3)
"""Environment, refused: the process says that it cannot start, and the next one would say the same."""

_log: Final = structlog.get_logger()


@dataclass(slots=True)
class _Slot:
    """The place of one worker. ``works`` is set while its process works, ``stop`` asks that process to end."""

    number: int
    starts: int = 0
    failed_starts: int = 0
    restart_seconds: float = RESTART_SECONDS_MIN
    works: asyncio.Event = field(default_factory=asyncio.Event)
    stop: asyncio.Event = field(default_factory=asyncio.Event)


class Workers:
    """``count`` processes of ``command``, which all serve ``listening``."""

    def __init__(self, command: Sequence[str], count: int, listening: socket.socket) -> None:
        self._command, self._listening = command, listening
        self._slots = [_Slot(number) for number in range(1, count + 1)]
        self._folder = tempfile.mkdtemp(prefix="workers-")
        self._stopping, self._rolling = asyncio.Event(), asyncio.Event()
        self._status = 0

    async def run(self) -> int:
        """Run until a signal, or until workers cannot be started. The exit status is what one process would give."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._stop)
        loop.add_signal_handler(signal.SIGHUP, self._rolling.set)
        _log.info("workers_start", workers=len(self._slots), pid=os.getpid())
        rolling = asyncio.create_task(self._roll(), name="rolling restarts")
        try:
            await asyncio.gather(*(self._tend(slot) for slot in self._slots))
        finally:
            rolling.cancel()
            shutil.rmtree(self._folder, ignore_errors=True)
        _log.info("workers_stopped", status=self._status)
        return self._status

    def _stop(self) -> None:
        self._stopping.set()
        for slot in self._slots:
            slot.stop.set()

    async def _tend(self, slot: _Slot) -> None:
        """Keep one worker running until the end."""
        if slot.number > 1:
            await either(self._slots[0].works, self._stopping)
        while not self._stopping.is_set():
            slot.stop.clear()
            began, status, worked = time.monotonic(), *await self._live(slot)
            if self._stopping.is_set():
                self._status = self._status or (EXIT_FAILED if status else 0)
            elif not slot.stop.is_set():
                await self._ended_by_itself(slot, status, worked, time.monotonic() - began)

    async def _ended_by_itself(self, slot: _Slot, status: int, worked: bool, seconds: float) -> None:
        """Wait until the worker may be started anew; or end all of them, where that is of no use."""
        slot.failed_starts = 0 if worked else slot.failed_starts + 1
        if not worked and (status in EXITS_OF_NO_START or slot.failed_starts >= FAILED_STARTS_MAX):
            _log.error("workers_cannot_start", worker=slot.number, status=status, starts=slot.failed_starts, alarm=True)
            self._status = status if status > 0 else EXIT_FAILED
            self._stop()
            return
        steady = seconds >= STEADY_SECONDS
        slot.restart_seconds = RESTART_SECONDS_MIN if steady else min(slot.restart_seconds * 2, RESTART_SECONDS_MAX)
        _log.warning(
            "worker_ended", worker=slot.number, status=status, seconds=round(seconds, 1), again_in=slot.restart_seconds
        )
        await pause(self._stopping, slot.restart_seconds)

    async def _live(self, slot: _Slot) -> tuple[int, bool]:
        """The life of one process: its exit status, and whether it worked."""
        slot.starts += 1
        ours, theirs = socket.socketpair()
        with ours:
            with theirs:
                try:
                    process = await self._start(slot, theirs)
                except OSError as error:  # no memory, or no process, to be had
                    _log.error("worker_not_started", worker=slot.number, reason=in_one_line(error))
                    return EXIT_FAILED, False
            hearing = asyncio.create_task(_hear(ours, slot.works))
            try:
                status = await _until_ended(process, slot)
                return status, slot.works.is_set()
            finally:
                hearing.cancel()
                slot.works.clear()

    async def _start(self, slot: _Slot, channel: socket.socket) -> Process:
        worker = Worker(
            number=slot.number,
            count=len(self._slots),
            starts=slot.starts,
            listening=self._listening.fileno(),
            channel=channel.fileno(),
            folder=self._folder,
        )
        return await asyncio.create_subprocess_exec(
            *self._command, env=os.environ | worker.environment(), pass_fds=(worker.listening, worker.channel)
        )

    async def _roll(self) -> None:
        """Restart the workers one by one whenever asked; one that does not come back leaves the others as they are."""
        while True:
            await self._rolling.wait()
            self._rolling.clear()
            for slot in self._slots:
                slot.works.clear()
                slot.stop.set()
                if not await pause(slot.works, START_SECONDS_MAX):
                    _log.error("workers_not_restarted", worker=slot.number, seconds=START_SECONDS_MAX, alarm=True)
                    break


async def _hear(channel: socket.socket, works: asyncio.Event) -> None:
    """Set ``works`` when the worker says so: it says nothing else."""
    channel.setblocking(False)
    if await asyncio.get_running_loop().sock_recv(channel, 64):
        works.set()


async def _until_ended(process: Process, slot: _Slot) -> int:
    """The status with which a process ended, by itself or because its slot was asked to stop."""
    ending = asyncio.create_task(process.wait())
    asked = asyncio.create_task(slot.stop.wait())
    await asyncio.wait([ending, asked], return_when=asyncio.FIRST_COMPLETED)
    asked.cancel()
    if not ending.done():
        process.terminate()
        await asyncio.wait([ending], timeout=STOP_WORKERS_SECONDS_MAX)
    if not ending.done():
        _log.error("worker_killed", worker=slot.number, reason=f"it did not stop in {STOP_WORKERS_SECONDS_MAX:g} s")
        process.kill()
    return await ending
