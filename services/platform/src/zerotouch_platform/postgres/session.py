"""Is there a session behind a connection? A pooler in transaction mode (PgBouncer, Supavisor, Odyssey, RDS Proxy) hands
out another one for each transaction: session locks are left behind on it, LISTEN hears nothing, prepared statements and
timeouts are somebody else's. So it is looked for before anything is done through it.

    settings     given at the start of the session and read back: PgBouncer drops or refuses them, in its session
                 mode as well, and they are what ends a statement that hangs
    two backends A asks for its own twice, and B holds a transaction in between: in one session it stays the same
"""

import asyncio
from contextlib import AsyncExitStack
from typing import Final

import asyncpg

CONNECT_SECONDS: Final = 5.0
ROUNDS: Final = 3
PROBE: Final = {"lock_timeout": "7999", "idle_in_transaction_session_timeout": "29999"}
"""Odd values, which no role and no pooler has by chance."""
ADVICE: Final = "use the URL of the PostgreSQL server itself"

_READ: Final = "SELECT name, setting FROM pg_settings WHERE name = ANY($1::text[])"
_BACKEND: Final = "SELECT pg_backend_pid()"
_NO_SESSION: Final = (asyncpg.InvalidSQLStatementNameError, asyncpg.DuplicatePreparedStatementError)
"""A statement that was prepared in one session is asked for in another, or is there already."""


async def session_problem(database_url: str) -> str | None:
    """Why the connections of this URL have no session of their own, in words for an operator; None where they have.

    Raises ``OSError``, ``TimeoutError`` and asyncpg's errors where the database does not answer.
    """
    try:
        async with AsyncExitStack() as stack:
            first, second = await _connected(stack, database_url), await _connected(stack, database_url)
            if (lost := await _settings_lost(first)) is not None:
                return _reason(f"a session loses its setting {lost}")
            if await _is_shared(first, second):
                return _reason("a connection is moved to another session")
    except _NO_SESSION:
        return _reason("a connection loses its prepared statements")
    except (asyncpg.ProtocolViolationError, asyncpg.PostgresConnectionError) as error:
        if "startup parameter" in str(error) or "pooling mode" in str(error):
            return _reason(f"it says: {error}")
        raise
    return None


def _reason(seen: str) -> str:
    return f"a pooler without sessions is between this service and PostgreSQL ({seen}); {ADVICE}"


async def _connected(stack: AsyncExitStack, url: str) -> "asyncpg.Connection[asyncpg.Record]":
    connection = await asyncpg.connect(
        url, timeout=CONNECT_SECONDS, command_timeout=CONNECT_SECONDS, statement_cache_size=0, server_settings=PROBE
    )
    stack.push_async_callback(_close, connection)
    return connection


async def _close(connection: "asyncpg.Connection[asyncpg.Record]") -> None:
    try:
        await connection.close(timeout=CONNECT_SECONDS)
    except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError):
        connection.terminate()


async def _settings_lost(connection: "asyncpg.Connection[asyncpg.Record]") -> str | None:
    async with connection.transaction():  # a transaction has one session, whoever is in between
        found = {row["name"]: row["setting"] for row in await connection.fetch(_READ, list(PROBE))}
    return next((name for name, value in PROBE.items() if found.get(name) != value), None)


async def _is_shared(first: "asyncpg.Connection[asyncpg.Record]", second: "asyncpg.Connection[asyncpg.Record]") -> bool:
    for _ in range(ROUNDS):
        before = await _backend(first)
        async with second.transaction():
            other = await second.fetchval(_BACKEND)
            async with asyncio.timeout(CONNECT_SECONDS):
                after = await _backend(first)
        if other == before or after != before:
            return True
    return False


async def _backend(connection: "asyncpg.Connection[asyncpg.Record]") -> int:
    async with connection.transaction():
        pid: int = await connection.fetchval(_BACKEND)
    return pid
