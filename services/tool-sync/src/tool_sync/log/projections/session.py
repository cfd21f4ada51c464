"""A session of the owner's role for one rebuild or verify, and PostgreSQL's errors in our words.

In it we may hold the append lock for a moment: nobody appends meanwhile, everybody reads.
"""

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Final, TypeAlias

import asyncpg

from tool_sync import db
from tool_sync.log.projections.errors import DatabaseTrouble, DiskFull

Owner: TypeAlias = "asyncpg.Connection[asyncpg.Record]"

APPEND_LOCK: Final = 7311
"""The key that the SQL function ``append`` locks."""
HELD_SECONDS_MAX: Final = 5
"""PostgreSQL ends a statement under the lock after this; and our session, if we idle under it for 1 s."""

CONNECT_SECONDS: Final = 10.0
STATEMENT_SECONDS: Final = 600

_SETTINGS: Final = {
    "search_path": "public",  # PostgreSQL looks for tables in pg_temp before it
    "temp_buffers": "64MB",
    "work_mem": "64MB",
    "jit": "off",
    "plan_cache_mode": "force_custom_plan",  # pages differ in what is in them
    "statement_timeout": f"{STATEMENT_SECONDS}s",
    "idle_in_transaction_session_timeout": "5s",
    "timezone": "UTC",
}


@asynccontextmanager
async def session(owner_url: str, name: str) -> AsyncIterator[Owner]:
    """Lends a connection; what is temporary in it goes with it. Raises `DiskFull` and `DatabaseTrouble`."""
    try:
        connection = await asyncpg.connect(
            owner_url,
            timeout=CONNECT_SECONDS,
            server_settings=_SETTINGS | {"application_name": f"tool-sync projection {name}"},
        )
        try:
            yield connection
        finally:
            connection.terminate()
    except asyncpg.DiskFullError as error:
        raise DiskFull(name, str(error)) from error
    except (asyncpg.PostgresError, *db.TRANSIENT_ERRORS) as error:  # fmt: skip
        raise DatabaseTrouble(name, f"{type(error).__name__}: {error}") from error


@dataclass(slots=True)
class WritersPause:
    """How long the lock was held, known afterwards."""

    seconds: float = 0.0


@asynccontextmanager
async def append_locked(connection: Owner) -> AsyncIterator[WritersPause]:
    """A transaction under the lock; what it writes is there when appends go on."""
    pause = WritersPause()
    async with connection.transaction(isolation="read_committed"):
        await connection.execute(
            f"SET LOCAL idle_in_transaction_session_timeout = '1s'; SET LOCAL statement_timeout = '{HELD_SECONDS_MAX}s'"
        )
        # A statement of its own: the next one's snapshot is taken after the wait, and sees every append.
        await connection.execute(f"SELECT pg_advisory_xact_lock({APPEND_LOCK})")
        since = time.monotonic()
        yield pause
    pause.seconds = time.monotonic() - since
