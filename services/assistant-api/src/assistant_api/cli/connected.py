"""A connection for one command."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, TypeVar

import asyncpg
from pydantic import PostgresDsn, TypeAdapter, ValidationError

from assistant_api.cli.exits import EXIT_ENVIRONMENT, database_answers, end

if TYPE_CHECKING:
    from zerotouch_platform.postgres.pool import Session

T = TypeVar("T")


def run_connected(
    database_url: str,
    work: Callable[["Session"], Awaitable[T]],
    *,
    otherwise: str = "the database does not answer",
    command_seconds: float | None = None,
) -> T:
    """What the work answers; the process ends, saying ``otherwise``, where the database does not answer."""
    try:
        TypeAdapter(PostgresDsn).validate_python(database_url)
    except ValidationError:
        end(EXIT_ENVIRONMENT, "DATABASE_URL is no postgresql:// URL")

    async def connected() -> T:
        connection = await asyncpg.connect(database_url, timeout=10, command_timeout=command_seconds)
        try:
            return await work(connection)
        finally:
            await connection.close()

    with database_answers(otherwise, in_full=False):
        return asyncio.run(connected())
