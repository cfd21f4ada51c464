"""A service as several workers behind one supervisor, as a process, seen over its public port."""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
from tests.support.eventually import eventually

from devstack import process
from devstack.process import Child

START_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Machine:
    """The running supervisor; ``http`` asks whichever worker takes the connection."""

    child: Child
    http: httpx.AsyncClient

    async def workers(self) -> dict[str, Any]:
        """What the page of all workers says, by number; None is one that is not there."""
        answer = await self.http.get("/workers")
        assert answer.status_code == 200, process.tail(self.child.log)
        found: dict[str, Any] = answer.json()["workers"]
        return found

    async def pids(self) -> dict[str, int]:
        """The workers' pids by number, once all are there and ready."""

        async def ready() -> dict[str, int] | None:
            try:
                found = await self.workers()
            except httpx.TransportError:
                return None
            good = [worker is not None and worker["live"] == worker["ready"] == {} for worker in found.values()]
            return {number: worker["pid"] for number, worker in found.items()} if all(good) else None

        pids: dict[str, int] = await eventually(ready, within_seconds=START_SECONDS)
        return pids

    async def ended(self) -> int:
        """The exit status, once it has ended."""
        await eventually(self._has_ended, within_seconds=20)
        assert self.child.returncode is not None
        return self.child.returncode

    async def _has_ended(self) -> bool:
        return self.child.returncode is not None

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to the supervisor alone."""
        os.kill(self.child.pid, number)


@asynccontextmanager
async def machine(package: str, environment: Mapping[str, str], log: Path, *options: str) -> AsyncIterator[Machine]:
    """Lends ``python -m package run`` with options, told by its environment alone."""
    command = ["env", "-i", f"PATH={os.environ['PATH']}", *(f"{key}={value}" for key, value in environment.items())]
    child = process.start(package, [*command, sys.executable, "-m", package, "run", *options], log=log)
    # Each request over a connection of its own: the next one may be another worker's.
    limits = httpx.Limits(max_keepalive_connections=0)
    url = f"http://127.0.0.1:{environment['PORT']}"
    try:
        async with httpx.AsyncClient(base_url=url, timeout=20, limits=limits) as http:
            yield Machine(child, http)
    finally:
        await child.stop()


def runs(pid: int) -> bool:
    """Whether there is such a process; a zombie is none."""
    found = subprocess.run(["ps", "-o", "stat=", "-p", str(pid)], capture_output=True, text=True, check=False)
    return found.stdout.strip()[:1] not in ("", "Z")


async def until_none_runs(*pids: int) -> None:
    """Wait until all have ended."""

    async def ended() -> bool:
        return not any([await asyncio.to_thread(runs, pid) for pid in pids])

    await eventually(ended, within_seconds=10)
