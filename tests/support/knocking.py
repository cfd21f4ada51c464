"""A client that asks again and again over new connections, and remembers every one that was refused, reset or cut."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from types import MappingProxyType

import aiohttp

PAUSE_SECONDS = 0.01
ANSWER_SECONDS_MAX = 20.0


@dataclass(slots=True)
class Knocks:
    """``answers`` are statuses; ``failures`` the connections that ended without one."""

    answers: list[int] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)


@asynccontextmanager
async def knocking(
    url: str, headers: Mapping[str, str] = MappingProxyType({}), *, clients: int = 4
) -> AsyncIterator[Knocks]:
    """Asks for a page, each time over a new connection, while the block runs."""
    knocks, stopping = Knocks(), asyncio.Event()

    async def client(session: aiohttp.ClientSession) -> None:
        while not stopping.is_set():
            try:
                async with session.get(url, headers=headers) as answer:
                    await answer.read()
                knocks.answers.append(answer.status)
            except (aiohttp.ClientError, OSError) as error:
                knocks.failures.append(f"{type(error).__name__}: {error}")
            await asyncio.sleep(PAUSE_SECONDS)

    timeout = aiohttp.ClientTimeout(total=ANSWER_SECONDS_MAX)
    connector = aiohttp.TCPConnector(force_close=True)
    async with aiohttp.ClientSession(timeout=timeout, connector=connector) as session, asyncio.TaskGroup() as asking:
        for _ in range(clients):
            asking.create_task(client(session))
        try:
            yield knocks
        finally:
            stopping.set()
