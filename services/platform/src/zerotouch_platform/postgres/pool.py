"""A service's sessions: those of its pool, and one that somebody has for himself.

Connections come back to the pool without a reset, which would cost as much as a query: so nothing may change a session.
Settings are made with ``SET LOCAL``, locks are transaction locks, and whoever needs a session opens a connection of its
own with :meth:`Sessions.connect`.
"""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, TypeAlias
from uuid import UUID

import asyncpg
from asyncpg.pool import PoolConnectionProxy

Pool: TypeAlias = "asyncpg.Pool[asyncpg.Record]"
Session: TypeAlias = "asyncpg.Connection[asyncpg.Record]"
Connection: TypeAlias = "asyncpg.Connection[asyncpg.Record] | PoolConnectionProxy[asyncpg.Record]"

ACQUIRE_SECONDS: Final = 5.0

_BECOME_TENANT: Final = "SELECT set_config('role', $1, true), set_config('app.org_id', $2, true)"


@dataclass(frozen=True, slots=True)
class Sessions:
    """How the sessions of a service begin. ``encode``, ``decode``: a jsonb value in Python."""

    application_name: str
    command_seconds: float
    size_min: int
    settings: Mapping[str, str]
    encode: Callable[[Any], str]
    decode: Callable[[str], Any]

    async def connect(self, url: str, *, application_name: str) -> Session:
        """Open a connection with a session of its own (for session locks); the caller closes it."""
        connection = await asyncpg.connect(
            url,
            timeout=ACQUIRE_SECONDS,
            command_timeout=self.command_seconds,
            server_settings={**self.settings, "application_name": application_name},
        )
        await self.prepare(connection)
        return connection

    def pool(self, url: str, *, size_max: int = 10, application_name: str | None = None) -> Pool:
        """A pool, open when it is awaited or its block begins.

        That raises ``OSError`` or asyncpg's errors where the database does not answer.
        """
        return asyncpg.create_pool(
            url,
            min_size=min(self.size_min, size_max),
            max_size=size_max,
            timeout=ACQUIRE_SECONDS,
            command_timeout=self.command_seconds,
            max_inactive_connection_lifetime=300.0,
            reset=_no_reset,
            init=self.prepare,
            server_settings={**self.settings, "application_name": application_name or self.application_name},
        )

    async def prepare(self, connection: Session) -> None:
        """Make jsonb columns Python values."""
        await connection.set_type_codec("jsonb", schema="pg_catalog", encoder=self.encode, decoder=self.decode)


async def _no_reset(_connection: Session) -> None:
    """Nothing to undo: see the module's docstring. asyncpg itself rolls back an open transaction."""


async def become_tenant(connection: Connection, role: str, org_id: UUID) -> None:
    """From here to the end of the transaction row-level security shows the rows of ``org_id`` and no others."""
    await connection.execute(_BECOME_TENANT, role, str(org_id))


async def close_pool(pool: Pool, *, seconds_max: float) -> None:
    """Close the pool; connections that do not end in time are cut."""
    try:
        async with asyncio.timeout(seconds_max):
            await pool.close()
    except TimeoutError:
        pool.terminate()
