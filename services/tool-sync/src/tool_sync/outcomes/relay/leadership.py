"""Who may publish: the holder of a session advisory lock, on the connection that also writes the cursor.

Losing the lock and losing the ability to move the cursor are one event. The connection does nothing else: it is touched
every second, and PostgreSQL ends it after 5 idle seconds, so that a process that hangs loses the lead. What such a
process still sends late is a repeat with a lower ``sequence``, which subscribers ignore.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

import asyncpg

CURSOR: Final = "outcomes-relay"
_LOCK_KEY: Final = 0x7A74_7265_6C61_7931
"""Any number that nothing else locks in this database."""

_ENSURE_CURSOR = "INSERT INTO cursors (name, position) VALUES ($1, 0) ON CONFLICT (name) DO NOTHING"
_READ_CURSOR = "SELECT position FROM cursors WHERE name = $1"
_ADVANCE_CURSOR = "UPDATE cursors SET position = $2 WHERE name = $1 AND position = $3"


class LeadershipLost(Exception):
    """Somebody else moved the cursor. Fields: cursor, expected (position)."""

    def __init__(self, cursor: str, expected: int) -> None:
        self.cursor, self.expected = cursor, expected
        super().__init__(f"cursor {cursor}: not at {expected} any more, another relay leads; resigning")


class Leadership:
    """A candidate's connection; after :meth:`try_lock` said True, the leader's."""

    def __init__(self, connection: "asyncpg.Connection[asyncpg.Record]", *, answer_seconds_max: float) -> None:
        self._connection = connection
        self._answer_seconds_max = answer_seconds_max
        self._one_at_a_time = asyncio.Lock()  # a connection answers one statement at a time

    async def try_lock(self) -> bool:
        """Take the lead if nobody has it."""
        return bool(await self._value("SELECT pg_try_advisory_lock($1)", _LOCK_KEY))

    async def touch_forever(self, every_seconds: float) -> None:
        """Keep the session alive; ends only by the exception that the lost connection raises."""
        while True:
            await asyncio.sleep(every_seconds)
            await self._value("SELECT 1")

    async def cursor(self) -> int:
        """The position up to which everything is published."""
        await self._value(_ENSURE_CURSOR, CURSOR)
        position = await self._value(_READ_CURSOR, CURSOR)
        assert isinstance(position, int)
        return position

    async def advance(self, *, old: int, new: int) -> None:
        """Move the cursor; raises :class:`LeadershipLost` where it is not at ``old``."""
        async with self._one_at_a_time:
            status = await self._connection.execute(_ADVANCE_CURSOR, CURSOR, new, old, timeout=self._answer_seconds_max)
        if status != "UPDATE 1":
            raise LeadershipLost(CURSOR, old)

    async def _value(self, statement: str, *parameters: object) -> object:
        async with self._one_at_a_time:
            return await self._connection.fetchval(statement, *parameters, timeout=self._answer_seconds_max)


@asynccontextmanager
async def candidate(
    database_url: str, *, idle_session_seconds: float, answer_seconds_max: float
) -> AsyncIterator[Leadership]:
    """A connection of its own for trying to lead; the lock, if taken, ends with it."""
    connection = await asyncpg.connect(
        database_url,
        timeout=answer_seconds_max,
        server_settings={
            "application_name": "tool-sync relay",
            "idle_session_timeout": str(int(idle_session_seconds * 1000)),
            "statement_timeout": str(int(answer_seconds_max * 1000)),
        },
    )
    try:
        yield Leadership(connection, answer_seconds_max=answer_seconds_max)
    finally:
        connection.terminate()  # closing politely waits for a server that may be away; the lock ends either way
