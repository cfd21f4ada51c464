"""A wrong password, database or right is said where people look, and not taken for a database that is away."""

from urllib.parse import urlsplit, urlunsplit

import asyncpg
import pytest
from tests.support.rights import revoke_all

from devstack.databases import DatabaseUrls
from tool_sync import db
from tool_sync.readiness import database_problem
from zerotouch_platform.postgres.errors import meaning_of, needs_a_person

NO_SUCH_DATABASE = "no such database"
NO_RIGHT = "denies this service's role a right"
REFUSED = "user or password"


def of_another(url: str, *, user: str | None = None, database: str | None = None) -> str:
    """The URL with another user or database."""
    parts = urlsplit(url)
    host = parts.netloc.rpartition("@")[2]
    netloc = parts.netloc if user is None else f"{user}:wrong@{host}"
    return urlunsplit((parts.scheme, netloc, parts.path if database is None else f"/{database}", parts.query, ""))


@pytest.mark.parametrize(
    ("change", "says"), [({"user": "nobody_known"}, REFUSED), ({"database": "no_such_database"}, NO_SUCH_DATABASE)]
)
async def test_what_refuses_a_connection_is_named(
    tool_sync_db: DatabaseUrls, change: dict[str, str], says: str
) -> None:
    with pytest.raises(asyncpg.PostgresError) as refused:
        await db.SESSIONS.connect(of_another(tool_sync_db.service, **change), application_name="test")

    assert needs_a_person(refused.value)
    assert says in meaning_of(refused.value)
    assert not isinstance(refused.value, db.TRANSIENT_ERRORS)


async def test_a_right_that_was_taken_away_later_is_what_tool_sync_is_not_ready_for(tool_sync_db: DatabaseUrls) -> None:
    owner = await asyncpg.connect(tool_sync_db.admin)
    pool = await db.SESSIONS.pool(tool_sync_db.service, size_max=2)
    assert await database_problem(pool) is None
    await revoke_all(owner, "schema_migrations")

    problem = await database_problem(pool)

    await pool.close()
    await owner.close()
    assert problem is not None
    assert NO_RIGHT in problem
    assert "does not answer" not in problem
