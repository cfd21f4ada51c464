"""Connections to PostgreSQL: the pool, one tenant's transaction, and the installation that owns this database.

Connections come back to the pool without a reset, which would cost as much as a query: so nothing may change a session.
Settings are made with ``SET LOCAL``, locks are transaction locks, and whoever needs a session opens a connection of its
own with `connect`.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TypeAlias
from uuid import UUID

import asyncpg
from asyncpg.pool import PoolConnectionProxy
from pydantic_core import from_json, to_json

from zerotouch_platform.postgres import installation

Pool: TypeAlias = "asyncpg.Pool[asyncpg.Record]"
Connection: TypeAlias = "asyncpg.Connection[asyncpg.Record] | PoolConnectionProxy[asyncpg.Record]"

ACQUIRE_SECONDS = 5.0
COMMAND_SECONDS = 30.0

TRANSIENT_ERRORS = (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError)
"""What a database that is away, restarting or being killed makes asyncpg raise. The last is its own confusion about a
connection that died between two statements; whether something was committed is as unknown as for the others."""


def _server_settings(application_name: str) -> dict[str, str]:
    return {
        "application_name": application_name,
        "idle_in_transaction_session_timeout": "5000",
        "lock_timeout": "10000",
        "statement_timeout": "30000",
        "timezone": "UTC",
    }


async def _set_codecs(connection: "asyncpg.Connection[asyncpg.Record]") -> None:
    await connection.set_type_codec(
        "jsonb", schema="pg_catalog", encoder=lambda value: to_json(value).decode(), decoder=from_json, format="text"
    )


async def connect(database_url: str, *, application_name: str) -> "asyncpg.Connection[asyncpg.Record]":
    """Opens a connection with a session of its own (for session locks); the caller closes it."""
    connection = await asyncpg.connect(
        database_url,
        timeout=ACQUIRE_SECONDS,
        command_timeout=COMMAND_SECONDS,
        server_settings=_server_settings(application_name),
    )
    await _set_codecs(connection)
    return connection


async def create_pool(database_url: str, *, size_max: int = 10, application_name: str = "tool-sync") -> Pool:
    """Opens the pool of this process; jsonb values are Python values on its connections.

    Raises ``OSError`` or `asyncpg.PostgresError` where the database does not answer.
    """
    return await asyncpg.create_pool(
        database_url,
        min_size=min(2, size_max),
        max_size=size_max,
        timeout=ACQUIRE_SECONDS,
        command_timeout=COMMAND_SECONDS,
        max_inactive_connection_lifetime=300.0,
        reset=_no_reset,
        init=_set_codecs,
        server_settings=_server_settings(application_name),
    )


async def _no_reset(_connection: "asyncpg.Connection[asyncpg.Record]") -> None:
    """Nothing to undo: see the module's docstring. asyncpg itself rolls back an open transaction."""


@asynccontextmanager
async def transaction(pool: Pool) -> AsyncIterator[Connection]:
    """A transaction with the service's rights."""
    async with pool.acquire(timeout=ACQUIRE_SECONDS) as connection, connection.transaction():
        yield connection


@asynccontextmanager
async def tenant_tx(pool: Pool, org_id: UUID) -> AsyncIterator[Connection]:
    """A read-only transaction as one tenant: row-level security shows the rows of ``org_id`` and no others."""
    async with pool.acquire(timeout=ACQUIRE_SECONDS) as connection, connection.transaction(readonly=True):
        await connection.execute("SET LOCAL ROLE tool_sync_tenant")
        await connection.execute("SELECT set_config('app.org_id', $1, true)", str(org_id))
        yield connection


_FOREIGN = (
    "the database belongs to installation {found}, the setting says {expected}; a copied database needs a log of its "
    "own before it may start, or it would touch the other installation's tools"
)


async def claim_installation(connection: Connection, installation_id: UUID) -> UUID:
    """Makes this database ``installation_id``'s at the first start; the id of its log. Raises `ForeignInstallation`."""
    await installation.claim_installation(connection, installation_id, refusal=_FOREIGN)
    return await read_log_id(connection)


async def read_log_id(connection: Connection) -> UUID:
    """The id of this log, made with it; every record that is published carries it."""
    log_id: UUID = await connection.fetchval("SELECT log_id FROM log")
    return log_id
