"""A connection for one command; what stands in the way is one line on stderr and an exit status."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Final

import asyncpg

from tool_sync import db
from tool_sync.admin.tool_settings import CannotSwitch
from tool_sync.cli.options import EXIT_REFUSED, EXIT_USAGE
from tool_sync.cli.output import error as say
from tool_sync.log import EventLog, LogUnavailable
from tool_sync.log.codec import UnknownEvent
from tool_sync.log.fork import LogInUse
from tool_sync.outcomes.replay import CannotReplay
from tool_sync.queries.as_of import BeforeFirstEvent
from tool_sync.queries.explain_tool import UnknownTool
from tool_sync.rollouts.command import FleetContended
from zerotouch_platform.kafka.topics import KafkaUnavailable
from zerotouch_platform.postgres.installation import ForeignInstallation

APPLICATION: Final = "zerotouch cli"
"""Not ``tool-sync …``: that is what a running service calls itself."""


class NotFound(Exception):
    """What the command names is not there; the message says what."""


async def answered(work: Awaitable[int]) -> int:
    """The exit status of the work, or that of what stands in its way."""
    try:
        return await work
    except KafkaUnavailable as error:
        say(error)
    except (CannotReplay, LogInUse, ForeignInstallation, asyncpg.InsufficientPrivilegeError) as error:
        say(error)
        return EXIT_REFUSED
    except (NotFound, CannotSwitch, BeforeFirstEvent, UnknownTool) as error:
        say(error)
    except UnknownEvent as error:
        say(f"{error}; a newer release can read it")
    except (FleetContended, LogUnavailable) as error:
        say(f"{error}; look whether it was written before you ask again")
    except (asyncpg.PostgresError, *db.TRANSIENT_ERRORS) as error:
        say(f"the database does not answer: {type(error).__name__}: {error}")
    return EXIT_USAGE


async def connected(database_url: str, work: Callable[[db.Connection], Awaitable[int]]) -> int:
    """Do the work, whose answer is the exit status."""

    async def connect_and_work() -> int:
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
async def log_of(database_url: str) -> AsyncIterator[EventLog]:
    """The log, to append to."""
    async with pooled(database_url) as pool:
        log = EventLog(pool)
        appending = asyncio.create_task(log.run_forever())
        try:
            yield log
        finally:
            log.stop()
            await appending
