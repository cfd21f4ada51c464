"""From form 1 of the hashes to form 2: beneath a running service, and so that nobody can say later it was otherwise."""

import asyncio
import shutil
from collections.abc import AsyncIterator
from importlib.resources import as_file, files
from pathlib import Path
from typing import Any
from uuid import uuid4

import asyncpg
import pytest
from tests.support.eventually import eventually

from devstack.databases import DatabaseUrls, TestDatabases
from tool_sync import db
from tool_sync.log import Appended, EventLog, LogSettings, verify
from tool_sync.migrate import migrate
from zerotouch_platform import migrate as platform

from .making import arrived, done, save

FIRST_OF_FORM_2 = "20261201000205"
TURN_OFF = ("ALTER TABLE events DISABLE TRIGGER USER", "ALTER TABLE hash_forms DISABLE TRIGGER USER")


@pytest.fixture
async def before(
    postgres: TestDatabases, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[DatabaseUrls]:
    """A database with the migrations of the releases before."""
    (tmp_path / "migrations").mkdir()
    with as_file(files("tool_sync") / "migrations") as folder:
        for file in folder.glob("*.sql"):
            if file.name < FIRST_OF_FORM_2:
                shutil.copy(file, tmp_path / "migrations")
    urls = await postgres.create_empty_database("tool_sync")
    with monkeypatch.context() as patched:
        patched.setattr(platform, "files", lambda _package: tmp_path)
        await migrate(urls.owner)
    yield urls
    await postgres.drop(urls)


@pytest.fixture
async def log(before: DatabaseUrls) -> AsyncIterator[EventLog]:
    """A running log over it: what an older release does is the same call of ``append``."""
    pool = await db.SESSIONS.pool(before.service, size_max=1)
    log = EventLog(pool, LogSettings(retry_seconds=0.05))
    running = asyncio.create_task(log.run_forever())
    yield log
    log.stop()
    await running
    await pool.close()


async def findings(urls: DatabaseUrls) -> list[tuple[int, str]]:
    connection = await db.SESSIONS.connect(urls.service, application_name="test")
    try:
        found = await verify.verify(connection, lambda _done, _total: None)
    finally:
        await connection.close()
    return [(finding.position, finding.problem) for finding in found.findings]


async def fill(log: EventLog, count: int) -> None:
    """``count`` times two events of one org."""
    org_id = uuid4()
    for _ in range(count):
        await log.append_all([arrived(org_id, save()), done(org_id)])


async def run(urls: DatabaseUrls, *statements: str) -> Any:
    admin = await asyncpg.connect(urls.admin)
    try:
        for statement in statements:
            answer = await admin.fetch(statement)
    finally:
        await admin.close()
    return answer


async def is_waited_for(admin: "asyncpg.Connection[asyncpg.Record]", count: int) -> bool:
    waiting = await admin.fetchval(
        "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND objid = 7311 AND NOT granted"
    )
    return bool(waiting == count)


async def test_a_log_goes_on_in_form_2_and_is_verified_in_both(log: EventLog, before: DatabaseUrls) -> None:
    await fill(log, 3)
    await migrate(before.owner)
    await fill(log, 2)
    (row,) = await run(before, "SELECT first_position, octet_length(origin) AS bytes FROM hash_forms")
    assert (row["first_position"], row["bytes"]) == (7, 32)
    assert await findings(before) == []


async def test_an_append_that_waited_for_the_migration_is_stored_in_form_2(log: EventLog, before: DatabaseUrls) -> None:
    await fill(log, 2)  # so that the session has its plans
    admin = await asyncpg.connect(before.admin)
    async with admin.transaction():
        await admin.execute("SELECT pg_advisory_xact_lock(7311)")
        migrating = asyncio.create_task(migrate(before.owner))
        await eventually(lambda: is_waited_for(admin, 1))
        org_id = uuid4()
        appending = asyncio.create_task(log.append(arrived(org_id)))
        await eventually(lambda: is_waited_for(admin, 2))
    await migrating
    assert isinstance(await appending, Appended)
    await fill(log, 1)
    assert await admin.fetchval("SELECT first_position FROM hash_forms") == 5
    await admin.close()
    assert await findings(before) == []


@pytest.mark.parametrize(
    ("change", "at"),
    [
        # Two events of different streams: their chains say nothing of that, only the digest does.
        ("UPDATE events SET position = 100 + position WHERE position IN (1, 2);"
         "UPDATE events SET position = 103 - position WHERE position > 100", 6),
        ("UPDATE events SET data = jsonb_set(data, '{revision}', '2') WHERE position = 5", 5),
        ("UPDATE hash_forms SET first_position = 9", 7),
        ("UPDATE hash_forms SET first_position = 5", 5),
        ("UPDATE hash_forms SET first_position = 99", 11),
        ("DELETE FROM hash_forms", 0),
    ],
)  # fmt: skip
async def test_what_lies_before_the_change_is_held_by_the_change(
    log: EventLog, before: DatabaseUrls, change: str, at: int
) -> None:
    await fill(log, 3)
    await migrate(before.owner)
    await fill(log, 2)
    await run(before, *TURN_OFF, *change.split(";"))
    assert at in {position for position, _ in await findings(before)}


async def test_the_mark_of_the_form_is_final(log: EventLog, before: DatabaseUrls) -> None:
    await migrate(before.owner)
    for change in ("UPDATE hash_forms SET first_position = 2", "DELETE FROM hash_forms", "TRUNCATE hash_forms"):
        with pytest.raises(asyncpg.InsufficientPrivilegeError, match="hash_forms are never changed"):
            await run(before, change)
