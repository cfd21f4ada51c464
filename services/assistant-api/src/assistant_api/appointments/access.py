"""Transactions that see and write one organization's calendar, and nothing else.

Row-level security holds in them for writing too: a statement without a WHERE, or with another organization's id,
touches nothing of anybody else.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final
from uuid import UUID

from assistant_api.db import Connection, Database

BECOME_CALENDAR: Final = "SELECT set_config('role', 'assistant_api_calendar', true), set_config('app.org_id', $1, true)"

_BRIEFLY: Final = """
SELECT set_config('idle_in_transaction_session_timeout', '2s', true), set_config('lock_timeout', '2s', true)
"""


@asynccontextmanager
async def calendar_of(database: Database, org_id: UUID, *, readonly: bool = False) -> AsyncIterator[Connection]:
    """A transaction over ``org_id``'s calendar; it is committed unless the block raises."""
    async with database.connection() as connection, connection.transaction(readonly=readonly):
        await connection.execute(BECOME_CALENDAR, str(org_id))
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
            await connection.execute(BECOME_CALENDAR, str(org_id))
            yield connection
        finally:
            await transaction.rollback()
