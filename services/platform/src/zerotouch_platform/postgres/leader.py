"""Who may publish: the holder of a session advisory lock, on a connection that does nothing else.

The leader touches the connection, so it learns within that time that it leads no more; and the server ends a session
that is silent for longer, so that a process that hangs does not hold up the others.
"""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from typing import Final

import asyncpg

from zerotouch_platform.postgres.errors import WAITED_OUT_ERRORS
from zerotouch_platform.postgres.pool import ACQUIRE_SECONDS, Session

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


class Lead:
    """The lead of whoever looks now and then whether it has it: taken where nobody has it, kept while its session
    answers. ``key`` as for :meth:`Candidate.try_lock`."""

    def __init__(self, url: str, key: int, *, application_name: str, idle_session_seconds: float) -> None:
        self._url, self._key, self._name, self._idle_seconds = url, key, application_name, idle_session_seconds
        self._session: tuple[AsyncExitStack, Candidate] | None = None

    @property
    def is_held(self) -> bool:
        """Whether this process leads, as far as it knows."""
        return self._session is not None

    async def is_kept(self) -> bool:
        """Whether it still leads. Where the session is gone the lock is, too, and somebody else may have led since."""
        if self._session is None:
            return False
        with suppress(*WAITED_OUT_ERRORS):
            await self._session[1].fetchval("SELECT 1")
            return True
        await self.resign()
        return False

    async def take(self) -> bool:
        """Lead, if nobody else does. Raises what connecting raises."""
        async with AsyncExitStack() as stack:
            session = await stack.enter_async_context(
                candidate(
                    self._url,
                    application_name=self._name,
                    connect_seconds=ACQUIRE_SECONDS,
                    idle_session_seconds=self._idle_seconds,
                )
            )
            if await session.try_lock(self._key):
                self._session = stack.pop_all(), session
        return self.is_held

    async def resign(self) -> None:
        """Lead no more."""
        session, self._session = self._session, None
        if session is not None:
            await session[0].aclose()
