"""A connection for one command; what the database says instead is one line on stderr and an exit status."""

import sys
from collections.abc import Awaitable, Callable

from tool_sync import db
from tool_sync.cli.options import EXIT_DATABASE, EXIT_FOUND
from tool_sync.log.codec import UnknownEvent
from tool_sync.log.fork import LogInUse
from tool_sync.outcomes.replay import CannotReplay

APPLICATION: str = "zerotouch cli"
"""Not ``tool-sync …``: that is what a running service calls itself."""


async def connected(database_url: str, work: Callable[[db.Connection], Awaitable[int]]) -> int:
    """Do the work, whose answer is the exit status."""
    try:
        connection = await db.connect(database_url, application_name=APPLICATION)
        try:
            return await work(connection)
        finally:
            await connection.close()
    except (CannotReplay, LogInUse, UnknownEvent) as error:
        print(f"tool-sync: {error}", file=sys.stderr)
        return EXIT_FOUND
    except db.TRANSIENT_ERRORS as error:  # fmt: skip
        print(f"tool-sync: the database does not answer: {type(error).__name__}: {error}", file=sys.stderr)
        return EXIT_DATABASE
