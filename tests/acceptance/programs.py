"""The services' own commands, run by a test in an environment of its choice."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from devstack import guard, process, services
from devstack.databases import DatabaseUrls, Service
from devstack.ports import HOST, free_port

from .world import World

START_SECONDS = 20.0
STOP_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class Running:
    """A service that was started, whether or not it can work."""

    service: Service
    child: process.Child
    http: httpx.AsyncClient

    async def ready_reasons(self) -> dict[str, str]:
        """What `/readyz` says is missing; fails where the service is ready."""
        answer = await self.http.get("/readyz")
        assert answer.status_code == 503, answer.text
        body: dict[str, Any] = answer.json()
        reasons: dict[str, str] = body["problems" if self.service == "tool_sync" else "reasons"]
        return reasons

    async def not_ready_because(self, *words: str, nor: str | None = None) -> None:
        """Waits until the reasons hold all these words, and none is of ``nor``; the process must be live all along."""
        seen: dict[str, str] = {}

        async def named() -> bool:
            assert (await self.http.get("/livez")).status_code == 200
            seen.clear()
            seen.update(await self.ready_reasons())
            return all(word in str(seen) for word in words) and nor not in seen

        reason = await process.wait_until(lambda: _unless(named), START_SECONDS)
        assert reason is None, f"{self.service}: {words} not named within {START_SECONDS:g} s, but {seen}"

    async def gets_ready(self) -> None:
        """Waits until `/readyz` answers 200."""
        reason = await process.wait_until(lambda: services.not_ready(str(self.http.base_url)), START_SECONDS)
        assert reason is None, reason

    async def ends_on_sigterm(self) -> None:
        """Asks it to stop; it must end by itself in time, with status 0."""
        guard.signal_group(self.child.pid, signal.SIGTERM)

        async def running() -> str | None:
            return None if self.child.returncode is not None else "it still runs"

        assert await process.wait_until(running, STOP_SECONDS) is None, process.tail(self.child.log)
        assert self.child.returncode == 0, process.tail(self.child.log)


@asynccontextmanager
async def started(
    world: World, service: Service, folder: Path, database: DatabaseUrls | str, **changes: str
) -> AsyncIterator[Running]:
    """Runs a service with the stack's settings but for the database and `changes`; it listens when this returns."""
    port = free_port()
    urls = DatabaseUrls(database, database, database) if isinstance(database, str) else database
    env = world.stack.surroundings.env(service, urls, port) | changes | {"LOG_FILE": str(folder / f"{service}.jsonl")}
    child = process.start(service, [sys.executable, "-m", service, "run"], log=folder / f"{service}.log", env=env)
    try:
        async with httpx.AsyncClient(base_url=services.base_url(port), timeout=10) as http:
            running = Running(service, child, http)
            await child.ready(lambda: _not_live(running), START_SECONDS)
            yield running
    finally:
        await child.stop()


@asynccontextmanager
async def forwarding(port: int, to_port: int) -> AsyncIterator[None]:
    """Lets a port of this machine answer as another one does: what was not there comes up."""

    async def copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while chunk := await reader.read(65_536):
                writer.write(chunk)
                await writer.drain()
        finally:
            writer.close()

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there, back = await asyncio.open_connection(HOST, to_port)
        # Either side may cut its connection, as a killed client does.
        await asyncio.gather(copy(reader, back), copy(there, writer), return_exceptions=True)

    async with await asyncio.start_server(connected, HOST, port) as server:
        yield
        server.close()


async def run_to_its_end(service: Service, command: str, env: Mapping[str, str]) -> tuple[int | None, str]:
    """Runs a command with nothing but `env` around it; its exit status, and all that it printed."""
    program = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        service,
        command,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        env={"PATH": os.environ["PATH"], **env},
    )
    try:
        async with asyncio.timeout(START_SECONDS):
            output, _ = await program.communicate()
    finally:
        if program.returncode is None:
            program.kill()
            await program.wait()
    return program.returncode, output.decode()


async def _unless(check: Callable[[], Awaitable[bool]]) -> str | None:
    return None if await check() else "not yet"


async def _not_live(running: Running) -> str | None:
    try:
        answer = await running.http.get("/livez")
    except httpx.HTTPError as error:
        return f"{type(error).__name__}: {error}"
    return None if answer.status_code == 200 else f"/livez answers {answer.status_code}"
