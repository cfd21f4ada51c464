"""A replica of a service and what keeps it running: started anew when it ends, and when its liveness probe fails.

As a container runtime does it: a probe every 5 s, 2 s for its answer, killed after four failures in a row. Until it
has answered once it has a minute: on a busy machine the imports alone may take longer than four probes.
"""

import asyncio
import json
import os
import signal
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import httpx
from tests.faults.proxy import Proxy

from devstack import guard, process, services
from devstack.databases import Service
from devstack.options import say

PROBE_SECONDS: Final = 5.0
PROBE_ANSWER_SECONDS: Final = 2.0
PROBE_FAILURES_MAX: Final = 4
STARTING_FAILURES_MAX: Final = 12
RESTART_SECONDS: Final = 0.3
WATCH_SECONDS: Final = 0.1
STOP_SECONDS: Final = 5.0
READY_SECONDS: Final = 120.0


@dataclass(slots=True)
class Replica:
    """One process of a service, in its many lives. `held` keeps it from being started; `stopped` are its pauses.

    `code`: environment variables that name the release whose code it runs; empty for this one.
    """

    name: str
    service: Service
    port: int
    env: Mapping[str, str]
    folder: Path
    database: Proxy
    vapi: Proxy
    code: Mapping[str, str] = field(default_factory=dict)
    child: process.Child | None = None
    held: bool = False
    restarts: int = 0
    killed_by_probe: int = 0
    slow_stops: int = 0
    stopped: list[tuple[float, float]] = field(default_factory=list)
    _failures: int = 0
    _probe_at: float = 0.0
    _was_live: bool = False

    @property
    def url(self) -> str:
        """Where it listens."""
        return services.base_url(self.port)

    @property
    def log(self) -> Path:
        """What it prints."""
        return self.folder / f"{self.name}.log"

    @property
    def blocks_file(self) -> Path:
        """Where its event loop's blocks are written."""
        return self.folder / f"{self.name}.blocks.jsonl"

    @property
    def running(self) -> bool:
        """Says whether there is a process, working or not."""
        return self.child is not None and self.child.returncode is None

    def start(self) -> None:
        """Start the process; does not wait for it."""
        self._failures, self._probe_at, self._was_live = 0, time.monotonic() + PROBE_SECONDS, False
        self.child = process.start(
            self.name,
            [sys.executable, "-m", "tests.chaos.watch", self.service, str(self.blocks_file), "run"],
            log=self.log,
            env={**os.environ, **self.env, **self.code},
        )

    async def supervise(self) -> None:
        """Keep it running until cancelled. Whatever goes wrong with that is said, and tried again at the next look."""
        async with httpx.AsyncClient(base_url=self.url, timeout=PROBE_ANSWER_SECONDS) as http:
            while True:
                await asyncio.sleep(WATCH_SECONDS)
                if self.held:
                    continue
                try:
                    await self._keep(http)
                except Exception as error:
                    say(f"  {self.name} is not looked after: {error!r}")

    async def _keep(self, http: httpx.AsyncClient) -> None:
        if not self.running:
            await asyncio.sleep(RESTART_SECONDS)
            if self.held:
                return
            self.restarts += 1
            self.start()
        elif time.monotonic() >= self._probe_at:
            self._probe_at = time.monotonic() + PROBE_SECONDS
            await self._probe(http)

    async def _probe(self, http: httpx.AsyncClient) -> None:
        is_live = await _live(http)
        self._failures = 0 if is_live else self._failures + 1
        self._was_live = self._was_live or is_live
        most = PROBE_FAILURES_MAX if self._was_live else STARTING_FAILURES_MAX
        if self._failures >= most and self.child is not None:
            self.killed_by_probe += 1
            await self.child.kill()

    def signal(self, number: int) -> None:
        """Signal the process, where there is one."""
        if self.child is not None and self.running:
            guard.signal_group(self.child.pid, number)

    async def pause(self, seconds: float) -> None:
        """Stop the process and let it go on; if the probe kills it meanwhile, that is as it should be."""
        child, began = self.child, time.time()
        self.signal(signal.SIGSTOP)
        try:
            await asyncio.sleep(seconds)
        finally:
            if child is self.child:
                self.signal(signal.SIGCONT)
            self.stopped.append((began, time.time()))

    async def terminate(self) -> float:
        """Ask it to stop; returns how long that took, counting and killing one that takes too long."""
        child, began = self.child, time.monotonic()
        self.signal(signal.SIGTERM)
        while child is not None and child.returncode is None:
            if time.monotonic() - began > STOP_SECONDS:
                self.slow_stops += 1
                await child.kill()
            await asyncio.sleep(0.02)
        return time.monotonic() - began

    async def ready(self) -> None:
        """Wait until `/readyz` answers 200."""
        reason = await process.wait_until(lambda: services.not_ready(self.url), READY_SECONDS)
        if reason is not None:
            raise process.StartFailed(self.name, reason, self.log)

    def blocks(self) -> list[dict[str, Any]]:
        """The blocks of its event loop that no pause of ours explains."""
        if not self.blocks_file.exists():
            return []
        lines = [json.loads(line) for line in self.blocks_file.read_text().splitlines() if line.endswith("}")]
        return [line for line in lines if not any(a - 0.1 <= line["at"] <= b + 1 for a, b in self.stopped)]


async def _live(http: httpx.AsyncClient) -> bool:
    try:
        return (await http.get("/livez")).status_code == 200
    except httpx.HTTPError:
        return False
