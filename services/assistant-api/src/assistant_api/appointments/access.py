"""Transactions that see and write one organization's calendar, and nothing else.

Row-level security holds in them for writing too: a statement without a WHERE, or with another organization's id,
touches nothing of anybody else.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final
from uuid import UUID

from assistant_api.db import Connection, Database
from zerotouch_platform.postgres.pool import Connection as AnyConnection

BECOME_CALENDAR: Final = "SELECT set_config('role', 'assistant_api_calendar', true), set_config('app.org_id', $1, true)"

# Who erases a patient waits for all who work on the clinic's calendar, and they wait for him, before they have any
# other lock: so what is there is either erased or made after the erasure.
_ERASING: Final = 0x7A74_0006
_ENTER: Final = f"{BECOME_CALENDAR}, pg_advisory_xact_lock_shared({_ERASING}, hashtext($1))"
ALONE_IN_CALENDAR: Final = f"SELECT pg_advisory_xact_lock({_ERASING}, hashtext($1))"

_LEAVE: Final = "SELECT set_config('role', 'none', true)"

_BRIEFLY: Final = """
SELECT set_config('idle_in_transaction_session_timeout', '2s', true), set_config('lock_timeout', '2s', true)
"""


@asynccontextmanager
async def as_calendar(connection: AnyConnection, org_id: UUID) -> AsyncIterator[None]:
    """The block's statements, in the caller's transaction, see and write ``org_id``'s calendar; nobody waits for it."""
    await connection.execute(BECOME_CALENDAR, str(org_id))
    yield
    await connection.execute(_LEAVE)  # not after an error: the transaction is over


@asynccontextmanager
async def calendar_of(database: Database, org_id: UUID) -> AsyncIterator[Connection]:
    """A transaction over ``org_id``'s calendar; it is committed unless the block raises."""
    async with database.connection() as connection, connection.transaction():
        await connection.execute(_ENTER, str(org_id))
        yield connection


@asynccontextmanager
async def tried_calendar_of(database: Database, org_id: UUID) -> AsyncIterator[Connection]:
    """A transaction over ``org_id``'s calendar that is rolled back, whatever happens in the block.

    It holds a slot and the clinic's lock while it runs, and a caller may want them. A process that sleeps in it is cut
    off by the server after two seconds.
    """
    async with database.connection() as connection:
        transaction = connection.transaction()
        await transaction.start()
        try:
            await connection.execute(_BRIEFLY)
            await connection.execute(_ENTER, str(org_id))
            yield connection
        finally:
            await transaction.rollback()
