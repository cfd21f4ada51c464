"""``tool-sync projection`` and ``tool-sync log``: what they print and their exit status."""

import asyncio
import os
import sys

import asyncpg

from devstack.databases import DatabaseUrls
from tool_sync import db
from tool_sync.event_log import EventLog

from .making import make_orgs


async def command(urls: DatabaseUrls, *arguments: str) -> tuple[int | None, str, str]:
    """Exit status, stdout and stderr of ``python -m tool_sync …``."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tool_sync", *arguments,
        env={"PATH": os.environ["PATH"], "DATABASE_URL": urls.service, "MIGRATE_DATABASE_URL": urls.owner},
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    async with asyncio.timeout(60):
        stdout, stderr = await process.communicate()
    return process.returncode, stdout.decode(), stderr.decode()


async def test_verify_says_what_differs_and_rebuild_repairs_it(
    tool_sync_db: DatabaseUrls, log: EventLog, admin: "asyncpg.Connection[asyncpg.Record]"
) -> None:
    await make_orgs(log, 25)
    status, stdout, _ = await command(tool_sync_db, "projection", "verify")
    assert status == 0
    assert stdout.count("0 rows differ at position 75") == 5
    await admin.execute("UPDATE org_tools SET account = 'wrong'")
    status, stdout, _ = await command(tool_sync_db, "projection", "verify", "org_tools")
    assert status == 1
    assert "org_tools: 25 rows differ at position 75" in stdout
    assert stdout.count('"account":"wrong"') == 20
    assert "… and 5 more" in stdout
    status, stdout, _ = await command(tool_sync_db, "projection", "rebuild", "org_tools")
    assert (status, "25 rows differed" in stdout) == (0, True)
    assert (await command(tool_sync_db, "projection", "verify", "org_tools"))[0] == 0


async def test_an_unknown_name_and_a_role_without_rights_are_said_on_stderr(tool_sync_db: DatabaseUrls) -> None:
    status, stdout, stderr = await command(tool_sync_db, "projection", "rebuild", "events")
    assert (status, stdout) == (2, "")
    assert "there is no projection 'events'; known are assistants" in stderr
    arguments = ("projection", "rebuild", "org_tools", "--database-url", tool_sync_db.service)
    status, _, stderr = await command(tool_sync_db, *arguments)
    assert (status, "permission denied" in stderr) == (3, True)


async def test_the_log_is_proved_and_a_changed_byte_named(
    tool_sync_db: DatabaseUrls, log: EventLog, admin: "asyncpg.Connection[asyncpg.Record]"
) -> None:
    await make_orgs(log, 3)
    status, stdout, _ = await command(tool_sync_db, "log", "verify")
    assert status == 0
    assert "log: 9 events, all as they were written" in stdout
    assert "topic: not looked at" in stdout
    await admin.execute("ALTER TABLE events DISABLE TRIGGER events_are_final")
    await admin.execute('UPDATE events SET data = data || \'{"tier": "basid"}\' WHERE position = 3')
    status, stdout, _ = await command(tool_sync_db, "log", "verify")
    assert status == 1
    assert "position 3: its hash does not follow" in stdout


async def test_fork_asks_first_and_refuses_while_the_service_runs(
    tool_sync_db: DatabaseUrls, admin: "asyncpg.Connection[asyncpg.Record]"
) -> None:
    before = await db.read_log_id(admin)
    assert (await command(tool_sync_db, "log", "fork"))[0] == 1  # nobody answers yes
    running = await db.create_pool(tool_sync_db.service)
    status, _, stderr = await command(tool_sync_db, "log", "fork", "--yes")
    assert (status, "stop it" in stderr) == (1, True)
    await running.close()
    assert await db.read_log_id(admin) == before
    status, stdout, _ = await command(tool_sync_db, "log", "fork", "--yes")
    assert (status, str(before) in stdout) == (0, True)
    assert await db.read_log_id(admin) != before
