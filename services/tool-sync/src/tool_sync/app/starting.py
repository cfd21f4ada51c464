"""What a process of either kind begins with: the database that is waited for, and which log it holds."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final, TypeVar
from urllib.parse import urlsplit
from uuid import UUID

import structlog

from tool_sync import db
from tool_sync.db import Pool
from tool_sync.log import AppendRejected, LogUnavailable
from tool_sync.readiness import database_problem
from tool_sync.settings import Settings
from zerotouch_platform.health import Health
from zerotouch_platform.loops import pause
from zerotouch_platform.postgres.errors import meaning_of, needs_a_person
from zerotouch_platform.postgres.pool import ACQUIRE_SECONDS, close_pool
from zerotouch_platform.postgres.session import session_problem

log = structlog.get_logger(__name__)

T = TypeVar("T")

_AWAY: Final = (*db.WAITED_OUT_ERRORS, LogUnavailable, AppendRejected)
CLOSE_POOL_SECONDS: Final = 0.5


class NotThere(Exception):
    """What the start needs is missing; the message says what, for an operator. It is tried again."""


class Stopped(Exception):
    """The process was asked to stop while it was still starting."""


async def open_database(settings: Settings) -> Pool:
    """The service's connections. Raises :class:`NotThere` where they cannot be worked with."""
    try:
        if (problem := await session_problem(settings.database_url)) is not None:
            raise NotThere(problem)
        pool = await db.SESSIONS.pool(settings.database_url, size_max=settings.database_pool_max)
    except db.WAITED_OUT_ERRORS as error:
        at = urlsplit(settings.database_url)
        raise NotThere(f"{at.hostname}:{at.port or 5432}: {meaning_of(error)}") from error
    if (reason := await database_problem(pool)) is not None:
        await close_pool(pool, seconds_max=CLOSE_POOL_SECONDS)
        raise NotThere(reason)
    return pool


async def log_id_of(settings: Settings, pool: Pool) -> UUID:
    """Of the log in it, which is this installation's from now on. Raises `ForeignInstallation`."""
    async with pool.acquire(timeout=ACQUIRE_SECONDS) as connection:
        return await db.claim_installation(connection, settings.installation_id)


async def until_there(
    act: Callable[[], Awaitable[T]], health: Health, stopping: asyncio.Event, retry_seconds: float
) -> T:
    """Do ``act`` until it succeeds; a new reason is logged once and is what ``/readyz`` says. Raises `Stopped`."""
    while not stopping.is_set():
        try:
            return await act()
        except (NotThere, *_AWAY) as error:
            reason = str(error) if isinstance(error, NotThere) else f"{type(error).__name__}: {error}"
            for_a_person = needs_a_person(error.__cause__ or error)
        if reason != health.starting:
            (log.error if for_a_person else log.warning)("tool-sync waits", reason=reason, alarm=for_a_person)
        health.starting = reason
        await pause(stopping, retry_seconds)
    raise Stopped
