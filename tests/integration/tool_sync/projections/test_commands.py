"""``tool-sync projection`` and ``tool-sync log``: what they print and their exit status."""

from uuid import uuid4

import asyncpg

from devstack.databases import DatabaseUrls
from devstack.sandbox import Sandbox
from tool_sync import db
from tool_sync.log import EventLog

from ..command import command as run
from ..command import envelope, result
from .making import NAMES, make_orgs


async def command(urls: DatabaseUrls, *arguments: str, **env: str) -> tuple[int | None, str, str]:
    """As the owner, too."""
    return await run(*arguments, database_url=urls.service, MIGRATE_DATABASE_URL=urls.owner, **env)


async def test_verify_says_what_differs_and_rebuild_repairs_it(
    tool_sync_db: DatabaseUrls, log: EventLog, admin: "asyncpg.Connection[asyncpg.Record]"
) -> None:
    await make_orgs(log, 25)
    status, stdout, _ = await command(tool_sync_db, "projection", "verify")
    assert status == 0
    assert stdout.count("0 rows differ at position 75") == len(NAMES)
    await admin.execute("UPDATE org_tools SET account = 'wrong'")
    status, stdout, _ = await command(tool_sync_db, "projection", "verify", "org_tools")
    assert status == 1
    assert "org_tools: 25 rows differ at position 75" in stdout
    assert stdout.count('"account":"wrong"') == 20
    assert "… and 5 more" in stdout
    status, stdout, _ = await command(tool_sync_db, "projection", "rebuild", "org_tools", "--reason", "a test")
    assert (status, "25 rows differed" in stdout) == (0, True)
    assert (await command(tool_sync_db, "projection", "verify", "org_tools"))[0] == 0


async def test_verify_names_what_it_looked_at_and_what_not(
    tool_sync_db: DatabaseUrls, log: EventLog, admin: "asyncpg.Connection[asyncpg.Record]"
) -> None:
    await make_orgs(log, 2)
    status, stdout, _ = await command(tool_sync_db, "projection", "verify", "org_tools")
    assert status == 0
    assert "looked at: the table org_tools beside events 1 to 6, 2 rows" in stdout
    assert "not looked at: the other projections" in stdout
    assert "not looked at: whether the log itself is as it was written" in stdout
    status, stdout, _ = await command(tool_sync_db, "projection", "verify", "--json")
    body = result(stdout)
    assert (status, body["ok"], len(body["tables"])) == (0, True, len(NAMES))
    assert envelope(stdout)["not_looked_at"]
    status, stdout, _ = await command(
        tool_sync_db, "projection", "rebuild", "org_tools", "--reason", "a test", "--json"
    )
    assert (status, result(stdout)["looked_at"]) == (0, "the table org_tools beside events 1 to 6")

    await admin.execute("UPDATE projections SET position = 3 WHERE name = 'org_tools'")
    await admin.execute("DELETE FROM org_tools WHERE position > 3")
    status, stdout, _ = await command(tool_sync_db, "projection", "verify", "org_tools")
    assert "3 BEHIND the log" in stdout
    assert status == 1, "what is above was not looked at"


async def test_an_empty_log_is_not_called_as_it_was_written(tool_sync_db: DatabaseUrls) -> None:
    status, stdout, _ = await command(tool_sync_db, "log", "verify")
    assert status == 0
    assert "log: empty" in stdout
    assert "as they were written" not in stdout


async def test_log_verify_names_what_hashes_cannot_show(tool_sync_db: DatabaseUrls, log: EventLog) -> None:
    await make_orgs(log, 3)
    status, stdout, _ = await command(tool_sync_db, "log", "verify", "--json")
    body = result(stdout)
    assert (status, body["ok"], body["head"], body["through"], body["topic"]) == (0, True, 9, 9, None)
    assert body["looked_at"].startswith("positions 1 to 9 of 9, 6 streams, ")
    assert any("newest events that were cut off" in what for what in envelope(stdout)["not_looked_at"])
    assert any("tool-sync.outcomes.v1" in what for what in envelope(stdout)["not_looked_at"])


async def test_an_unknown_name_and_a_role_without_rights_are_said_on_stderr(tool_sync_db: DatabaseUrls) -> None:
    status, stdout, stderr = await command(tool_sync_db, "projection", "rebuild", "events", "--reason", "a test")
    assert (status, stdout) == (2, "")
    assert "there is no projection 'events'; known are assistants" in stderr
    arguments = ("projection", "rebuild", "org_tools", "--reason", "a test", "--database-url", tool_sync_db.service)
    status, _, stderr = await command(tool_sync_db, *arguments)
    assert (status, "permission denied" in stderr) == (3, True)


async def test_the_log_is_proved_and_a_changed_byte_named(
    tool_sync_db: DatabaseUrls, log: EventLog, admin: "asyncpg.Connection[asyncpg.Record]"
) -> None:
    await make_orgs(log, 3)
    status, stdout, _ = await command(tool_sync_db, "log", "verify")
    assert status == 0
    assert "log: 9 events, all as they were written" in stdout
    assert "not looked at, because --kafka is missing" in stdout
    await admin.execute("ALTER TABLE events DISABLE TRIGGER events_are_final")
    await admin.execute('UPDATE events SET data = data || \'{"tier": "basid"}\' WHERE position = 3')
    status, stdout, _ = await command(tool_sync_db, "log", "verify")
    assert status == 1
    assert "position 3: its hash does not match" in stdout


def account(sandbox: Sandbox) -> dict[str, str]:
    """What `log fork` has to know of Vapi; nothing is under way in these tests."""
    return {
        "VAPI_BASE_URL": sandbox.url,
        "VAPI_API_KEY": sandbox.api_key,
        "INSTALLATION_ID": str(uuid4()),
        "SETTLE_SECONDS": "0.1",
    }


async def test_fork_asks_first_and_refuses_while_the_service_runs(
    tool_sync_db: DatabaseUrls, admin: "asyncpg.Connection[asyncpg.Record]", sandbox: Sandbox
) -> None:
    before, at = await db.read_log_id(admin), account(sandbox)
    assert (await command(tool_sync_db, "log", "fork", "--reason", "a test", **at))[0] == 1  # nobody answers yes
    running = await db.SESSIONS.pool(tool_sync_db.service)
    status, _, stderr = await command(tool_sync_db, "log", "fork", "--reason", "a test", "--yes", **at)
    assert (status, "stop it" in stderr) == (3, True)
    await running.close()
    assert await db.read_log_id(admin) == before
    status, stdout, _ = await command(tool_sync_db, "log", "fork", "--reason", "a test", "--yes", **at)
    assert (status, str(before) in stdout) == (0, True)
    assert await db.read_log_id(admin) != before


async def test_without_vapi_nothing_is_forked(
    tool_sync_db: DatabaseUrls, admin: "asyncpg.Connection[asyncpg.Record]", sandbox: Sandbox
) -> None:
    before, at = await db.read_log_id(admin), account(sandbox)
    for wrong in ({"VAPI_BASE_URL": "http://127.0.0.1:9"}, {"VAPI_API_KEY": "revoked"}):
        status, _, stderr = await command(tool_sync_db, "log", "fork", "--reason", "a test", "--yes", **at | wrong)
        assert (status, "nothing was changed, because Vapi did not list its tools" in stderr) == (2, True)
    await command(tool_sync_db, "log", "fork", "--reason", "a test", "--yes", **at | {"VAPI_BASE_URL": ""})
    assert await db.read_log_id(admin) == before


async def test_another_installations_log_is_not_forked(
    tool_sync_db: DatabaseUrls, admin: "asyncpg.Connection[asyncpg.Record]", sandbox: Sandbox
) -> None:
    before, at = await db.read_log_id(admin), account(sandbox)
    await db.claim_installation(admin, uuid4())
    status, _, stderr = await command(tool_sync_db, "log", "fork", "--reason", "a test", "--yes", **at)
    assert (status, "belongs to installation" in stderr) == (3, True)
    assert await db.read_log_id(admin) == before
