"""Who may publish: the holder of a session advisory lock, on a connection that does nothing else.

The leader touches the connection, so it learns within that time that it leads no more; and the server ends a session
that is silent for longer, so that a process that hangs does not hold up the others.
"""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

import asyncpg

from zerotouch_platform.postgres.pool import Session

ANSWER_SECONDS_MAX: Final = 2.0
"""How long the connection may take for one statement; well below its idle limit."""


class LeadershipLost(Exception):
    """Somebody else may lead; the message says how that was seen."""


class Candidate:
    """A candidate's session; after :meth:`try_lock` said True, the leader's."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._answered_at = time.monotonic()
        self._one_at_a_time = asyncio.Lock()  # a connection answers one statement at a time

    async def try_lock(self, key: int) -> bool:
        """Take the lead if nobody has it. ``key``: a number that nothing else locks in this database."""
        return bool(await self.fetchval("SELECT pg_try_advisory_lock($1)", key))

    async def touch_forever(self, every_seconds: float) -> None:
        """Keep the session alive; ends only by the exception that the lost connection raises.

        A session that answered within ``every_seconds`` is not asked: its leader's own statements touch it.
        """
        while True:
            if (rest_seconds := self._answered_at + every_seconds - time.monotonic()) > 0:
                await asyncio.sleep(rest_seconds)
            else:
                await self.fetchval("SELECT 1")

    async def fetchval(self, statement: str, *parameters: object) -> object:
        """What a statement answers, on the session that holds the lock."""
        async with self._one_at_a_time:
            answer: object = await self._session.fetchval(statement, *parameters, timeout=ANSWER_SECONDS_MAX)
            self._answered_at = time.monotonic()
            return answer


@asynccontextmanager
async def candidate(
    url: str, *, application_name: str, connect_seconds: float, idle_session_seconds: float
) -> AsyncIterator[Candidate]:
    """A session of its own for trying to lead; the lock, if taken, ends with it."""
    session = await asyncpg.connect(
        url,
        timeout=connect_seconds,
        server_settings={
            "application_name": application_name,
            "idle_session_timeout": str(int(idle_session_seconds * 1000)),
            "statement_timeout": str(int(ANSWER_SECONDS_MAX * 1000)),
        },
    )
    try:
        yield Candidate(session)
    finally:
        session.terminate()  # closing politely waits for a server that may be away; the lock ends either way
