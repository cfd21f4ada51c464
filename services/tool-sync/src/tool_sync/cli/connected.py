"""A connection for one command; what stands in the way is one line on stderr and an exit status."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Final

from tool_sync import db

if TYPE_CHECKING:
    from tool_sync.log import EventLog

APPLICATION: Final = "zerotouch cli"
"""Not ``tool-sync …``: that is what a running service calls itself."""


async def answered(work: Awaitable[int | None]) -> int:
    """The exit status of the work (None is 0), or that of what stands in its way."""
    try:
        return await work or 0
    except Exception as error:
        # Whose errors these may be is a long list, which a command that meets none need not read.
        from tool_sync.cli.obstacles import status_of

        if (status := status_of(error)) is None:
            raise
        return status


async def connected(database_url: str, work: Callable[[db.Connection], Awaitable[int | None]]) -> int:
    """Do the work, whose answer is the exit status."""

    async def connect_and_work() -> int | None:
        connection = await db.SESSIONS.connect(database_url, application_name=APPLICATION)
        try:
            return await work(connection)
        finally:
            await connection.close()

    return await answered(connect_and_work())


def pooled(database_url: str) -> db.Pool:
    """Two connections, for work that reads while it writes; open while its block runs."""
    return db.SESSIONS.pool(database_url, size_max=2, application_name=APPLICATION)


@asynccontextmanager
async def log_of(database_url: str) -> AsyncIterator["EventLog"]:
    """The log, to append to."""
    from tool_sync.log import EventLog  # who only reads need not wait for it

    async with pooled(database_url) as pool:
        log = EventLog(pool)
        appending = asyncio.create_task(log.run_forever())
        try:
            yield log
        finally:
            log.stop()
            await appending
