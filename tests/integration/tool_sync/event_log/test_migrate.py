"""Migrations, and whose database this is."""

import asyncio
from uuid import uuid4

import asyncpg
import pytest

from devstack.databases import TestDatabases
from tool_sync import db
from tool_sync.migrate import MigrationFailed, migrate
from zerotouch_platform.postgres.installation import ForeignInstallation

from ..command import command
from .making import count


async def test_two_migrations_at_once_and_a_third_later_do_the_work_once(postgres: TestDatabases) -> None:
    urls = await postgres.create_empty_database("tool_sync")
    await asyncio.gather(migrate(urls.owner), migrate(urls.owner))
    connection = await asyncpg.connect(urls.service)
    log_id = await db.read_log_id(connection)
    applied = await count(connection, "schema_migrations")
    await migrate(urls.owner)
    assert await db.read_log_id(connection) == log_id
    assert await count(connection, "schema_migrations") == applied > 0
    await connection.close()
    await postgres.drop(urls)


async def test_a_migration_that_fails_says_what_dbmate_said(postgres: TestDatabases) -> None:
    urls = await postgres.create_empty_database("tool_sync")
    connection = await asyncpg.connect(urls.owner)
    await connection.execute("CREATE TABLE events ()")
    with pytest.raises(MigrationFailed, match='relation "events" already exists'):
        await migrate(urls.owner)
    assert await connection.fetchval("SELECT to_regclass('log')") is None  # the file's other statements are undone
    await connection.close()
    await postgres.drop(urls)


async def test_a_database_made_before_the_first_release_is_refused_by_name_and_not_touched(
    postgres: TestDatabases,
) -> None:
    urls = await postgres.create_empty_database("tool_sync")
    connection = await asyncpg.connect(urls.owner)
    await connection.execute("CREATE TABLE schema_migrations (version varchar PRIMARY KEY)")
    await connection.execute("INSERT INTO schema_migrations VALUES ('20261124000100'), ('20261128000150')")
    status, _, said = await command("migrate", database_url=urls.service, MIGRATE_DATABASE_URL=urls.owner)
    assert status == 2
    assert "made before the first release (it has migration 20261124000100" in said
    assert "make clean" in said
    assert await connection.fetchval("SELECT to_regclass('events')") is None
    assert await count(connection, "schema_migrations") == 2
    await connection.close()
    await postgres.drop(urls)


async def test_a_database_ahead_of_this_release_is_left_as_it_is(postgres: TestDatabases) -> None:
    urls = await postgres.create_database("tool_sync")
    connection = await asyncpg.connect(urls.owner)
    await connection.execute("INSERT INTO schema_migrations VALUES ('20991231000000')")
    applied = await count(connection, "schema_migrations")
    status, _, said = await command("migrate", database_url=urls.service, MIGRATE_DATABASE_URL=urls.owner)
    assert (status, await count(connection, "schema_migrations")) == (0, applied), said
    await connection.close()
    await postgres.drop(urls)


async def test_the_first_start_claims_the_database_and_another_installation_is_refused(pool: db.Pool) -> None:
    ours, other = uuid4(), uuid4()
    async with pool.acquire() as connection:
        await db.claim_installation(connection, ours)
        await db.claim_installation(connection, ours)
        with pytest.raises(ForeignInstallation) as refused:
            await db.claim_installation(connection, other)
    assert (refused.value.expected, refused.value.found) == (other, ours)


async def test_of_two_first_starts_at_once_one_installation_wins(pool: db.Pool) -> None:
    async def claim() -> bool:
        async with pool.acquire() as connection:
            try:
                await db.claim_installation(connection, uuid4())
            except ForeignInstallation:
                return False
        return True

    assert sum(await asyncio.gather(*(claim() for _ in range(6)))) == 1
