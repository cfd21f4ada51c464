"""A database from before orders: the migration shows what is in its log, and every replica writes on meanwhile."""

import asyncio
import shutil
from collections.abc import AsyncIterator
from importlib.resources import as_file, files
from pathlib import Path
from uuid import uuid4

import asyncpg
import pytest

from devstack.databases import DatabaseUrls, TestDatabases
from tool_sync import db
from tool_sync.domain import events as e
from tool_sync.log import EventLog
from tool_sync.log.projections import verify
from tool_sync.migrate import migrate
from zerotouch_platform import migrate as platform

from ..ordering import say, version
from .making import arrived, done, save
from .test_folds import KEYS

FIRST_WITH_ORDERS = "20261201000160"
HASH = "a" * 64


@pytest.fixture
async def before(
    postgres: TestDatabases, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[DatabaseUrls]:
    """A database with the migrations of the releases before."""
    (tmp_path / "migrations").mkdir()
    with as_file(files("tool_sync") / "migrations") as folder:
        for file in folder.glob("*.sql"):
            if file.name < FIRST_WITH_ORDERS:
                shutil.copy(file, tmp_path / "migrations")
    urls = await postgres.create_empty_database("tool_sync")
    with monkeypatch.context() as patched:
        patched.setattr(platform, "files", lambda _package: tmp_path)
        await migrate(urls.owner)
    yield urls
    await postgres.drop(urls)


@pytest.fixture
async def log(before: DatabaseUrls) -> AsyncIterator[EventLog]:
    """A running log over it."""
    pool = await db.SESSIONS.pool(before.service, size_max=2)
    log = EventLog(pool)
    running = asyncio.create_task(log.run_forever())
    yield log
    log.stop()
    await running
    await pool.close()


def refused(name: str = "book") -> e.SyncAttemptFailed:
    """Vapi refuses a tool for good."""
    return e.SyncAttemptFailed(f"tool:{name}", None, "refused", "TS-301", 1, None, HASH)


def made(name: str) -> e.ToolRegistered:
    """Vapi has taken it."""
    return e.ToolRegistered(uuid4(), "platform", name, f"tool-{uuid4()}", 1, HASH, HASH, adopted=False)


async def test_tables_from_before_are_as_the_log_says_after_the_migration(log: EventLog, before: DatabaseUrls) -> None:
    first, second = uuid4(), uuid4()
    await say(log, e.BlueprintPublished("book", 1, "basic", True, HASH), version("cancel", 2), version("cancel", 1))
    await log.append_all([
        arrived(first, e.OrgRegistered("basic"), save()), done(first, refused(), made("cancel")),
        arrived(second, e.OrgRegistered("basic"), save()), done(second, refused(), refused("cancel"), made("cancel")),
    ])  # fmt: skip

    await migrate(before.owner)

    for table in KEYS:
        found = await verify(before.owner, table)
        assert (found.shown, found.is_current) == ((), True), table
    owner = await asyncpg.connect(before.owner)
    tools = await owner.fetch("SELECT name, version, enabled, id, webhook_url FROM system_tools ORDER BY id")
    assert [tuple(row) for row in tools] == [
        ("book", 1, False, 1, None),
        ("cancel", 1, False, 2, "https://api.example/hook"),
    ]
    refusals = await owner.fetch("SELECT org_id, tool_name, code FROM tool_refusals ORDER BY position")
    assert [tuple(row) for row in refusals] == [
        (first, "book", "TS-301"),
        (second, "book", "TS-301"),
        (second, "cancel", None),
    ]
    await owner.close()


async def test_what_is_appended_while_the_migration_runs_is_folded_too(log: EventLog, before: DatabaseUrls) -> None:
    orgs = [uuid4() for _ in range(4)]
    await log.append_all([arrived(org, e.OrgRegistered("basic")) for org in orgs])

    async def write() -> None:
        for number in range(40):
            await log.append(done(orgs[number % 4], refused(f"tool-{number}")))
            await say(log, version(f"tool-{number}"))

    await asyncio.gather(migrate(before.owner), write())

    for table, rows in (("tool_refusals", 40), ("fleet_tools", 40)):
        found = await verify(before.owner, table)
        assert (found.shown, found.is_current, found.rows) == ((), True, rows)
