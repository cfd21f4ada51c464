"""A session of the owner's role for one rebuild or verify, and PostgreSQL's errors in our words."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final, TypeAlias

import asyncpg

from tool_sync import db
from tool_sync.log.projections.errors import DatabaseTrouble, DiskFull

Owner: TypeAlias = "asyncpg.Connection[asyncpg.Record]"

APPEND_LOCK: Final = 7311
"""The key that the SQL function ``append`` locks."""

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
    except db.TRANSIENT_ERRORS as error:  # fmt: skip
        raise DatabaseTrouble(name, f"{type(error).__name__}: {error}") from error
