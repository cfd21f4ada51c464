"""tool-sync's sessions at PostgreSQL: how they begin, one tenant's transaction, and whose this database is."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Final, TypeAlias
from uuid import UUID

from pydantic_core import from_json, to_json

from zerotouch_platform.postgres import installation
from zerotouch_platform.postgres import pool as postgres
from zerotouch_platform.postgres.errors import TRANSIENT_ERRORS, WAITED_OUT_ERRORS
from zerotouch_platform.postgres.pool import ACQUIRE_SECONDS, Sessions, become_tenant

__all__ = ["TRANSIENT_ERRORS", "WAITED_OUT_ERRORS"]

Pool: TypeAlias = postgres.Pool
Connection: TypeAlias = postgres.Connection

SESSIONS: Final = Sessions(
    application_name="tool-sync",
    command_seconds=30.0,
    size_min=2,
    settings={
        "idle_in_transaction_session_timeout": "5000",
        "lock_timeout": "10000",
        "statement_timeout": "30000",
        "timezone": "UTC",
    },
    encode=lambda value: to_json(value).decode(),
    decode=from_json,
)

_FOREIGN: Final = (
    "the database belongs to installation {found}, but INSTALLATION_ID is {expected}; a copied database needs a log of "
    "its own before it may start, or it would touch the other installation's tools"
)


@asynccontextmanager
async def transaction(pool: Pool) -> AsyncIterator[Connection]:
    """A transaction with the service's rights."""
    async with pool.acquire(timeout=ACQUIRE_SECONDS) as connection, connection.transaction():
        yield connection


@asynccontextmanager
async def tenant_tx(pool: Pool, org_id: UUID) -> AsyncIterator[Connection]:
    """A read-only transaction as one tenant: row-level security shows the rows of ``org_id`` and no others."""
    async with pool.acquire(timeout=ACQUIRE_SECONDS) as connection, connection.transaction(readonly=True):
        await become_tenant(connection, "tool_sync_tenant", org_id)
        yield connection


async def read_now(connection: "Connection | Pool") -> datetime:
    """The database's time."""
    now: datetime = await connection.fetchval("SELECT clock_timestamp()", timeout=ACQUIRE_SECONDS)
    return now


async def claim_installation(connection: Connection, installation_id: UUID) -> UUID:
    """Makes this database ``installation_id``'s at the first start; the id of its log. Raises `ForeignInstallation`."""
    await installation.claim_installation(connection, installation_id, refusal=_FOREIGN)
    return await read_log_id(connection)


async def read_log_id(connection: Connection) -> UUID:
    """The id of this log, made with it; every record that is published carries it."""
    log_id: UUID = await connection.fetchval("SELECT log_id FROM log")
    return log_id
