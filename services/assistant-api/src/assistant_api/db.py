"""The database: one pool, made when PostgreSQL answers, and transactions that see one organization only.

The service's role may see every row (policy `service_all`). What an organization's token reads goes through
:meth:`Database.tenant`, where row-level security holds even if a WHERE is forgotten.
"""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Final
from uuid import UUID

import asyncpg
from asyncpg.pool import PoolConnectionProxy

from assistant_api.settings import Settings
from zerotouch_platform.health import Health
from zerotouch_platform.loops import in_one_line
from zerotouch_platform.postgres import installation
from zerotouch_platform.postgres.errors import TRANSIENT_ERRORS, WAITED_OUT_ERRORS, meaning_of
from zerotouch_platform.postgres.pool import ACQUIRE_SECONDS, Pool, Sessions, become_tenant, close_pool
from zerotouch_platform.postgres.session import session_problem
from zerotouch_platform.turns import Turns

__all__ = ["TRANSIENT_ERRORS"]

Connection = PoolConnectionProxy

_FOREIGN: Final = (
    "the database belongs to installation {found}, but INSTALLATION_ID is {expected}; if this database is a copy that"
    " is to live on its own, empty the table installation first"
)
_LOG_ID: Final = "SELECT log_id FROM installation"


TURN_SECONDS: Final = 15.0
"""So long a request waits for its turn. A thousand saves that come at once are answered in 9 s by two cores, each in
turns of 5 s and more: that is a crowd, and no database that does not answer."""


class NoSession(Exception):
    """A pooler in transaction mode is in the way; the message says how that was seen, and what to do."""


class DatabaseUnavailable(Exception):
    """PostgreSQL does not answer; ``str()`` is safe to show."""


DATABASE_AWAY: Final = (DatabaseUnavailable, *WAITED_OUT_ERRORS)
"""What the database's absence looks like: it is waited out."""


class Database:
    """The pool. Before :meth:`connect` has succeeded everything raises :class:`DatabaseUnavailable`."""

    def __init__(self, settings: Settings, health: Health) -> None:
        self._settings = settings
        self._health = health
        self._pool: Pool | None = None
        self._turns = Turns.of_connections(settings.database_connections_max)
        self.sessions: Final = Sessions(
            application_name="assistant-api",
            command_seconds=settings.database_command_timeout_seconds,
            size_min=1,
            settings={"idle_in_transaction_session_timeout": "30s", "lock_timeout": "8s"},
            encode=json.dumps,
            decode=json.loads,
        )

    async def connect(self) -> None:
        """Try until PostgreSQL answers, with sessions; the reason is in /readyz meanwhile."""
        delay_seconds, url = 0.1, self._settings.database_url.get_secret_value()
        while True:
            try:
                if (problem := await session_problem(url)) is not None:
                    raise NoSession(problem)
                self._pool = await self.sessions.pool(url, size_max=self._settings.database_connections_max)
            except (NoSession, *TRANSIENT_ERRORS, asyncpg.PostgresError) as error:
                self._health.fails(
                    "database", in_one_line(error) if isinstance(error, NoSession) else meaning_of(error)
                )
                await asyncio.sleep(delay_seconds)
                delay_seconds = min(delay_seconds * 2, self._settings.reconnect_seconds_max)
            else:
                self._health.works("database")
                return

    async def check(self) -> str | None:
        """One round trip; the reason where it fails."""
        try:
            async with asyncio.timeout(2), self.connection() as connection:
                await connection.fetchval("SELECT 1")
        except (DatabaseUnavailable, *TRANSIENT_ERRORS, asyncpg.PostgresError) as error:
            return str(error) if isinstance(error, DatabaseUnavailable) else meaning_of(error)
        return None

    async def now(self) -> datetime:
        """The database's time."""
        async with self.connection() as connection:
            now: datetime = await connection.fetchval("SELECT clock_timestamp()")
        return now

    @asynccontextmanager
    async def connection(self) -> AsyncIterator[Connection]:
        """A connection with the service's rights, in turn; each statement is a transaction of its own."""
        if self._pool is None:
            raise DatabaseUnavailable(self._health.reasons().get("database", "not connected"))
        async with self._turns.place(TURN_SECONDS):
            try:
                connection = await self._pool.acquire(timeout=ACQUIRE_SECONDS)
            except asyncpg.PostgresError as error:  # who lets nobody in says so in many ways: 55000, 3D000, 28000
                raise DatabaseUnavailable(meaning_of(error)) from error
            try:
                yield connection
            finally:
                await self._pool.release(connection)

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Connection]:
        """A transaction with the service's rights."""
        async with self.connection() as connection, connection.transaction():
            yield connection

    @asynccontextmanager
    async def tenant(self, org_id: UUID) -> AsyncIterator[Connection]:
        """A transaction that may only read, and sees ``org_id``'s rows only."""
        async with self.transaction() as connection:
            await become_tenant(connection, "assistant_api_tenant", org_id)
            yield connection

    async def close(self) -> None:
        """Close the pool; connections that do not end within a second are cut."""
        if self._pool is not None:
            await close_pool(self._pool, seconds_max=1)


async def claim_installation(connection: Connection | asyncpg.Connection, installation_id: UUID) -> UUID:
    """Make this database ``installation_id``'s at the first start; the id of the log that its messages form.

    Raises :class:`~zerotouch_platform.postgres.installation.ForeignInstallation`.
    """
    await installation.claim_installation(connection, installation_id, refusal=_FOREIGN)
    log_id: UUID = await connection.fetchval(_LOG_ID)
    return log_id
