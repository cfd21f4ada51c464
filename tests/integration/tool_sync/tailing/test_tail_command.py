"""``tool-sync tail``: a line each as it comes, over a killed database, until whoever follows has enough."""

import asyncio
import json
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import pytest
from tests.support.eventually import eventually

from devstack import databases, postgres
from tool_sync import db
from tool_sync.domain import events as e
from tool_sync.log import EventLog

from ..console.oncall import TOOL, World, save
from .own_server import folder as folder
from .own_server import killed_and_started, service_url

COLUMNS = 80
HAS_LOOKED = """
SELECT count(*) FROM pg_stat_activity WHERE application_name = 'zerotouch cli' AND datname = current_database()
   AND query LIKE '%max(position)%' AND query_start > $1
"""
"""The follower has begun to look again: what it did after the look before is done."""


class Tail:
    """A process that follows; its lines one by one."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process

    async def line(self) -> str:
        """The next one."""
        assert self.process.stdout is not None
        async with asyncio.timeout(30):
            return (await self.process.stdout.readline()).decode().rstrip("\n")

    async def event(self) -> dict[str, Any]:
        """The next one, of ``--json``."""
        found: dict[str, Any] = json.loads(await self.line())
        return found

    async def ends(self) -> tuple[int | None, str, str]:
        """Its exit status, what it printed since, and what it said on stderr."""
        async with asyncio.timeout(30):
            stdout, stderr = await self.process.communicate()
        return self.process.returncode, stdout.decode(), stderr.decode()

    async def interrupted(self) -> tuple[int | None, str, str]:
        """As by Ctrl-C."""
        self.process.send_signal(signal.SIGINT)
        return await self.ends()


@asynccontextmanager
async def tail(url: str, *options: str) -> AsyncIterator[Tail]:
    """Nothing is left of it afterwards."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tool_sync", "tail", *options,
        env={"PATH": os.environ["PATH"], "DATABASE_URL": url}, stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    try:
        yield Tail(process)
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


@asynccontextmanager
async def world_of(url: str) -> AsyncIterator[World]:
    """Clinics in the log of this database."""
    async with db.SESSIONS.pool(url, size_max=3) as pool:
        log = EventLog(pool)
        running = asyncio.create_task(log.run_forever())
        yield World(log, pool)
        log.stop()
        await running


@pytest.fixture
async def world(event_log: EventLog, pool: db.Pool) -> World:
    """A log in which the tool is ordered."""
    world = World(event_log, pool)
    await world.order()
    return world


async def test_the_newest_come_first_and_each_is_a_line_that_a_person_can_read(
    world: World, tool_sync_db: databases.DatabaseUrls
) -> None:
    org = await world.clinic("Praxis Adler", agents=("agent-1", "agent-2"))
    unnamed = await world.clinic()
    await world.failed(org)
    async with tail(tool_sync_db.service) as following:
        assert (await following.line()).endswith("Praxis Adler, agent-1: failed, TS-301 tool refused")
        await world.synced(org, "agent-2")
        assert (await following.line()).endswith("Praxis Adler, agent-2: synced")
        await world.synced(unnamed, cause="recovered")
        assert (await following.line()).endswith(f"{str(unnamed)[:8]}…, agent-1: works again")
        await world.pool.execute("UPDATE display_names SET name = $1", f"{'x' * 190}\x1b[2J")
        await world.failed(org, "TS-888")
        line = await following.line()
        assert len(line) <= COLUMNS
        assert line.endswith("…, agent-1: failed, TS-888")
        assert await following.interrupted() == (0, "", "")


async def test_it_can_be_narrowed_to_a_clinic_a_type_or_a_tool(
    world: World, tool_sync_db: databases.DatabaseUrls
) -> None:
    one, other = await world.clinic(), await world.clinic()
    await world.failed(one)
    await world.synced(other)
    drifted = e.ToolVanished("platform", "another", "tool-9", 1, "a" * 64)
    await world.append(other, drifted)

    async def seen(*options: str) -> list[tuple[str, UUID | None]]:
        async with tail(tool_sync_db.service, "--json", "--since", "1h", *options) as following:
            await world.synced(one)  # the last that fits, so that nobody waits for time to pass
            found: list[tuple[str, UUID | None]] = []
            while not found or found[-1] != ("AssistantSynced", one):
                event = await following.event()
                found.append((event["type"], UUID(event["org_id"]) if event["org_id"] else None))
            assert (await following.interrupted())[0] == 0
        return found

    assert ("AssistantSyncFailed", one) in await seen()
    assert {org for _, org in await seen("--org", str(one))} == {one}
    assert {kind for kind, _ in await seen("--type", "ToolsSynced")} == {"AssistantSynced"}
    assert ("AssistantSyncFailed", one) in await seen("--tool", TOOL)
    everything = await seen("--all")
    assert ("SyncRequested", one) in everything
    assert ("ToolVanished", other) in everything
    assert ("ToolVanished", other) not in await seen("--all", "--tool", TOOL)
    assert {kind for kind, _ in await seen("--all", "--type", "AssistantSynced")} == {"AssistantSynced"}


async def test_what_cannot_be_followed_is_said(world: World, tool_sync_db: databases.DatabaseUrls) -> None:
    for options, said in (
        (("--type", "Nothing"), "there is no type Nothing; the types are AssistantDiverged"),
        (("--org", str(uuid4())), "there is no organization"),
    ):
        async with tail(tool_sync_db.service, *options) as following:
            status, stdout, stderr = await following.ends()
        assert (status, stdout) == (2, "")
        assert said in stderr
    async with tail("postgresql://x:secret@127.0.0.1:1/tool_sync") as following:
        status, stdout, stderr = await following.ends()
    assert (status, stdout) == (2, "")
    assert "does not answer" in stderr
    assert "secret" not in stderr


async def test_over_a_killed_database_no_event_is_missing_or_told_twice(folder: Path) -> None:
    server = await postgres.start(folder / "data", fsync=False)
    try:
        await databases.bootstrap(server.admin_url)
        await databases.migrate("tool_sync", databases.urls(server.admin_url, "tool_sync").owner)
        url = service_url(server)
        org = uuid4()
        async with tail(url, "--all", "--json", "--since", "1h") as following:
            told = 0
            async with world_of(url) as world:
                await world.append(org, e.OrgRegistered("basic"), *(save(revision=n) for n in range(1, 700)))
                head = await world.head()
            while told < head - 30:  # it is in the middle of it
                told += 1
                assert (await following.event())["position"] == told
            for _ in range(2):
                server = await killed_and_started(server, folder)
                async with world_of(url) as world:
                    await world.append(org, *(save(revision=n) for n in range(700, 720)))
                    head = await world.head()
                while told < head:
                    told += 1
                    assert (await following.event())["position"] == told
            status, rest, stderr = await following.interrupted()
        assert (status, rest) == (0, "")
        assert [line.split(":")[1].split()[0] for line in stderr.splitlines()] == ["waits", "goes", "waits", "goes"]
    finally:
        await server.stop()


@pytest.mark.parametrize(
    "change",
    ["DELETE FROM events WHERE position = $1", "UPDATE events SET hash = sha256(hash) WHERE position = $1"],
    ids=["set back", "other events"],
)
async def test_a_log_that_does_not_go_on_where_it_was_ends_it(
    world: World,
    tool_sync_db: databases.DatabaseUrls,
    admin: "asyncpg.Connection[asyncpg.Record]",
    change: str,
) -> None:
    await world.synced(await world.clinic())
    async with tail(tool_sync_db.service) as following:
        await following.line()
        await world.synced(await world.clinic())
        await following.line()
        told_at = await admin.fetchval("SELECT clock_timestamp()")
        await eventually(lambda: admin.fetchval(HAS_LOOKED, told_at))
        await admin.execute("SET session_replication_role = replica")
        await admin.execute(change, await world.head())
        await admin.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE application_name = 'zerotouch cli' AND datname = current_database()"
        )
        status, _, stderr = await following.ends()
    assert status == 3
    assert "does not go on behind position" in stderr.splitlines()[-1]


async def test_whoever_has_read_enough_closes_the_pipe(world: World, tool_sync_db: databases.DatabaseUrls) -> None:
    org = await world.clinic()
    await world.synced(org)
    async with tail(tool_sync_db.service) as following:
        await following.line()
        assert following.process.stdout is not None
        transport = following.process._transport.get_pipe_transport(1)  # type: ignore[attr-defined]
        transport.close()
        await world.synced(org)
        async with asyncio.timeout(30):
            status = await following.process.wait()
        assert following.process.stderr is not None
        assert (status, await following.process.stderr.read()) == (0, b"")
