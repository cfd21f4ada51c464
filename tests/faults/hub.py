"""The harness's side: starts services through the nursery, arms their points and hears what became of them.

async with hub_in(folder) as hub:
    process = await hub.start("cell-1 tool-sync a", "tool_sync", env, log)
    await process.arm(Point("append ToolRegistrationStarted", "after", "KILL"))
    await process.fired.wait()
"""

import asyncio
import json
import os
import signal
import sys
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final

from tests.faults.channel import NAME, SOCKET
from tests.faults.gate import Point

from devstack import process as devstack_process

NURSERY: Final = "nursery"
PRELOAD_SECONDS: Final = 30.0


class Process:
    """One start of a service. ``passed``: the points that it went by; ``blocked_seconds``: its event loop at worst."""

    def __init__(self, name: str, log: Path) -> None:
        self.name, self.log = name, log
        self.pid = 0
        self.status: int | None = None
        self.started, self.ended = asyncio.Event(), asyncio.Event()
        self.connected, self.armed, self.fired = asyncio.Event(), asyncio.Event(), asyncio.Event()
        self.fired_at = 0.0
        self.passed: set[str] = set()
        self.blocked_seconds = self.late_seconds = 0.0
        self.writer: asyncio.StreamWriter | None = None
        self._kills_itself = False

    async def arm(self, point: Point | None) -> None:
        """Arm a point, or disarm; it is known to the process when it passes its next port.

        One that kills itself at this very moment may not be heard any more: its end says that it fired.
        """
        assert self.writer is not None, f"{self.name} has not connected"
        self.armed.clear()
        self._kills_itself = self._kills_itself or (point is not None and point.action == "KILL")
        try:
            self.writer.write(json.dumps({"arm": None if point is None else point.document()}).encode() + b"\n")
            await self.writer.drain()
        except ConnectionError:
            await self.ended.wait()

    def signal(self, number: int) -> None:
        """Send a signal, unless it has ended."""
        if not self.ended.is_set():
            os.kill(self.pid, number)

    async def kill(self) -> None:
        """SIGKILL, and wait for the end."""
        self._kills_itself = False
        self.signal(signal.SIGKILL)
        await self.ended.wait()

    def has_ended(self, status: int) -> None:
        """Take note of the end: of a process that was to kill itself and was killed by nobody else, it did."""
        self.status = status
        if self._kills_itself and status == -signal.SIGKILL and not self.fired.is_set():
            self.fired_at = time.monotonic()
            self.fired.set()
        self.ended.set()

    def heard(self, report: dict[str, Any]) -> None:
        """Take note of what the process reports."""
        match report["event"]:
            case "passed":
                self.passed.add(report["name"])
            case "armed":
                self.armed.set()
                self._kills_itself = self._kills_itself and report["point"] is not None
            case "fired":
                self.fired_at = time.monotonic()
                self.fired.set()
            case "blocked":
                self.blocked_seconds, self.late_seconds = report["blocked"], report["late"]


class Hub:
    """All processes under test. ``every`` holds each start that there was."""

    def __init__(self, socket: Path) -> None:
        self._socket = socket
        self._names: dict[str, Process] = {}
        self._pids: dict[int, Process] = {}
        self._nursery: asyncio.StreamWriter | None = None
        self._readers: set[asyncio.Task[Any]] = set()
        self.preloaded = asyncio.Event()
        self.every: list[Process] = []

    async def start(self, name: str, service: str, env: Mapping[str, str], log: Path) -> Process:
        """Start a service; returns once the process runs, which does not mean that it is ready."""
        assert self._nursery is not None
        found = Process(name, log)
        self._names[name] = found
        self.every.append(found)
        order = {
            "start": name,
            "service": service,
            "log": str(log),
            "env": {**env, SOCKET: str(self._socket), NAME: name},
        }
        self._nursery.write(json.dumps(order).encode() + b"\n")
        await self._nursery.drain()
        await found.started.wait()
        return found

    async def accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one process until it is gone."""
        try:
            hello = json.loads(await reader.readline())
            if hello["name"] == NURSERY:
                self._nursery = writer
                await self._follow_nursery(reader)
                return
            found = self._names[hello["name"]]
            found.writer = writer
            found.connected.set()
            while line := await reader.readline():
                found.heard(json.loads(line))
        except ConnectionError:
            return  # it was killed; the nursery says so
        finally:
            writer.close()

    async def _follow_nursery(self, reader: asyncio.StreamReader) -> None:
        while line := await reader.readline():
            report = json.loads(line)
            match report["event"]:
                case "ready":
                    self.preloaded.set()
                case "started":
                    found = self._names[report["name"]]
                    found.pid = report["pid"]
                    self._pids[found.pid] = found
                    found.started.set()
                case "ended":
                    found = self._pids.pop(report["pid"])
                    found.has_ended(report["status"])


@asynccontextmanager
async def hub_in(folder: Path) -> AsyncIterator[Hub]:
    """A hub with its nursery; at the end nothing of what it started is left. The folder must exist."""
    socket = folder / "hub.sock"
    hub = Hub(socket)
    server = await asyncio.start_unix_server(hub.accept, str(socket))
    child = devstack_process.start(
        "nursery",
        [sys.executable, "-m", "tests.faults.nursery"],
        log=folder / "nursery.log",
        env={SOCKET: str(socket), NAME: NURSERY},
    )
    try:

        async def not_ready() -> str | None:
            return None if hub.preloaded.is_set() else "it is still importing"

        await child.ready(not_ready, PRELOAD_SECONDS)
        yield hub
    finally:
        await child.kill()
        server.close()
