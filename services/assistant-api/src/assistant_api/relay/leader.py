"""Who relays: the holder of a session advisory lock, on a connection that does nothing else.

The connection is touched every second, so a leader learns within that time that it is none any more; and the server
ends a session that is silent for four seconds, so that a frozen leader does not hold up the others.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

import asyncpg

ADVISORY_LOCK: Final = 0x7A74_0002
TOUCH_SECONDS: Final = 1.0
SILENCE_MILLISECONDS_MAX: Final = 4000


class LeadershipLost(Exception):
    """The lock's connection is gone; somebody else may lead."""


@asynccontextmanager
async def leadership(url: str) -> AsyncIterator["asyncio.Task[None] | None"]:
    """The task that keeps the lock, or None where somebody else has it. The task ends only when the lock is lost."""
    connection = await asyncpg.connect(
        url,
        timeout=5,
        command_timeout=2,
        server_settings={
            "application_name": "assistant-api relay",
            "idle_session_timeout": str(SILENCE_MILLISECONDS_MAX),
        },
    )
    try:
        if not await connection.fetchval("SELECT pg_try_advisory_lock($1)", ADVISORY_LOCK):
            yield None
            return
        keeper = asyncio.create_task(_keep(connection), name="relay lock")
        try:
            yield keeper
        finally:
            keeper.cancel()
            await asyncio.wait([keeper])
    finally:
        connection.terminate()  # frees the lock at once, also where a polite farewell would hang


async def _keep(connection: asyncpg.Connection) -> None:
    while True:
        await asyncio.sleep(TOUCH_SECONDS)
        try:
            await connection.fetchval("SELECT 1")
        except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
            raise LeadershipLost(f"{type(error).__name__}: {error}") from error
