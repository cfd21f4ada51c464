"""Rebuild: what differs is written and nothing else, beside readers and writers, or nothing is changed."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, TypeAlias
from uuid import UUID, uuid4

import asyncpg
import pytest
from tests.support.eventually import eventually

from devstack.databases import DatabaseUrls
from tool_sync import db
from tool_sync.log import Appended, EventLog
from tool_sync.log.projections import (
    AlreadyRunning,
    DatabaseTrouble,
    DiskFull,
    FoldRaised,
    RebuildProgress,
    UnknownProjection,
    comparing,
    folding,
    rebuild,
    verify,
)

from .making import NAMES, arrived, did, make_orgs, registered, save

Connection: TypeAlias = "asyncpg.Connection[asyncpg.Record]"

CATALOG = """
SELECT c.oid::int AS oid, c.relacl::text AS grants, c.relrowsecurity, c.relforcerowsecurity,
       (SELECT array_agg(p.polname || pg_get_expr(p.polqual, p.polrelid) ORDER BY p.polname) FROM pg_policy p
         WHERE p.polrelid = c.oid) AS policies,
       (SELECT array_agg(pg_get_indexdef(i.indexrelid) ORDER BY i.indexrelid) FROM pg_index i
         WHERE i.indrelid = c.oid) AS indexes
FROM pg_class c WHERE c.oid = 'public.org_tools'::regclass
"""


async def table(connection: Any, name: str) -> list[dict[str, Any]]:
    return [dict(row) for row in await connection.fetch(f"SELECT * FROM {name} ORDER BY 1, 2")]  # noqa: S608


@pytest.mark.parametrize("name", NAMES)
async def test_a_table_that_is_right_is_left_alone(
    tool_sync_db: DatabaseUrls, log: EventLog, admin: Connection, name: str
) -> None:
    await make_orgs(log, 30)
    before = await admin.fetch(f"SELECT xmin::text, * FROM {name} ORDER BY 2")  # noqa: S608
    done = await rebuild(tool_sync_db.owner, name)
    assert (done.differing, done.position, done.paused_seconds_max) == (0, 90, 0.0)
    assert await admin.fetch(f"SELECT xmin::text, * FROM {name} ORDER BY 2") == before  # noqa: S608


DAMAGE = {
    "changed": "UPDATE org_tools SET enabled = false, vapi_tool_id = 'x' WHERE id <= 70",
    "gone": "DELETE FROM org_tools WHERE id <= 75",
    "all gone": "DELETE FROM org_tools",
    "too many": "INSERT INTO org_tools SELECT 1000 + id, org_id, 'extra', vapi_tool_id, enabled, account, "
    "definition_version, definition_hash, created_at, updated_at, position FROM org_tools",
    "another id": "UPDATE org_tools SET id = id + 1000 WHERE id <= 75",  # collides with the right row's second key
    "swapped": "UPDATE org_tools SET id = -id; UPDATE org_tools SET id = 151 + id",
}


@pytest.mark.parametrize("batch_rows", [1000, 4])
@pytest.mark.parametrize("damage", DAMAGE.values(), ids=DAMAGE.keys())
async def test_damage_is_found_by_verify_and_repaired_by_rebuild(
    tool_sync_db: DatabaseUrls, log: EventLog, admin: Connection, monkeypatch: pytest.MonkeyPatch, damage: str,
    batch_rows: int,
) -> None:  # fmt: skip
    monkeypatch.setattr(comparing, "BATCH_ROWS", batch_rows)
    await make_orgs(log, 30)
    right, catalog = await table(admin, "org_tools"), [dict(row) for row in await admin.fetch(CATALOG)]
    await admin.execute(damage)
    wrong = await table(admin, "org_tools")
    found = await verify(tool_sync_db.owner, "org_tools")
    assert found.differing > 0
    assert not found.holds
    assert await table(admin, "org_tools") == wrong  # verify writes nothing
    done = await rebuild(tool_sync_db.owner, "org_tools")
    assert done.differing == found.differing
    assert await table(admin, "org_tools") == right
    assert [dict(row) for row in await admin.fetch(CATALOG)] == catalog  # the same table, grants, policies, indexes
    assert (await verify(tool_sync_db.owner, "org_tools")).holds


async def test_verify_shows_the_row_as_it_is_and_as_the_log_says(
    tool_sync_db: DatabaseUrls, log: EventLog, admin: Connection
) -> None:
    first, second, _ = await make_orgs(log, 3)
    await admin.execute("UPDATE organizations SET tier = 'wrong' WHERE id = $1", first)
    await admin.execute("DELETE FROM pending_syncs WHERE org_id = $1", second)
    organizations = await verify(tool_sync_db.owner, "organizations")
    (shown,) = organizations.shown
    assert shown.live is not None
    assert shown.folded is not None
    assert ('"tier":"wrong"' in shown.live, '"tier":"basic"' in shown.folded) == (True, True)
    (missing,) = (await verify(tool_sync_db.owner, "pending_syncs")).shown
    assert missing.live is None
    assert str(second) in str(missing.folded)


async def test_a_projection_that_append_has_left_behind_is_brought_to_the_head(
    tool_sync_db: DatabaseUrls, log: EventLog, admin: Connection
) -> None:
    await make_orgs(log, 5)
    right = await table(admin, "assistants")
    await admin.execute("DELETE FROM assistants; UPDATE projections SET position = -60000 WHERE name = 'assistants'")
    await log.append(arrived(uuid4(), save()))
    assert await table(admin, "assistants") == []
    assert (await verify(tool_sync_db.owner, "assistants")).behind == 60016
    await rebuild(tool_sync_db.owner, "assistants")
    assert len(await table(admin, "assistants")) == len(right) + 1
    assert await admin.fetchval("SELECT position FROM projection_positions WHERE name = 'assistants'") == 16
    assert (await verify(tool_sync_db.owner, "assistants")).holds


async def test_a_changed_shape_goes_the_same_way(tool_sync_db: DatabaseUrls, log: EventLog, admin: Connection) -> None:
    await make_orgs(log, 10)
    await admin.execute("ALTER TABLE org_tools ADD COLUMN shouted text")
    source = await admin.fetchval("SELECT pg_get_functiondef('fold_org_tools'::regproc)")
    source = source.replace("updated_at, position, rollout_id, is", "updated_at, position, shouted, rollout_id, is")
    source = source.replace("max(e.recorded_at), max(e.position),",
                            "max(e.recorded_at), max(e.position), upper(e.data->>'name'),")  # fmt: skip
    assert source.count("shouted") == 1
    await admin.execute(source)
    assert (await rebuild(tool_sync_db.owner, "org_tools")).differing == 10
    assert await admin.fetchval("SELECT count(*) FROM org_tools WHERE shouted = 'BOOK'") == 10
    await make_orgs(log, 1)
    assert await admin.fetchval("SELECT count(*) FROM org_tools WHERE shouted = 'BOOK'") == 11
    assert (await verify(tool_sync_db.owner, "org_tools")).holds


@asynccontextmanager
async def traffic(log: EventLog, pool: db.Pool, orgs: list[UUID]) -> AsyncIterator[list[float]]:
    """Four writers and two readers until the end; lends the writers' times. A read that fails or misses rows raises."""
    times: list[float] = []
    stopping = asyncio.Event()

    async def write(number: int) -> None:
        while not stopping.is_set():
            org = orgs[number]
            started = time.perf_counter()
            result = await log.append(did(org, registered(vapi_tool_id=f"tool-{started}")))
            times.append(time.perf_counter() - started)
            assert isinstance(result, Appended)

    async def read() -> None:
        while not stopping.is_set():
            assert await pool.fetchval("SELECT count(*) FROM org_tools") == len(orgs)
            await asyncio.sleep(0)

    async with asyncio.TaskGroup() as group:
        for number in range(4):
            group.create_task(write(number))
        for _ in range(2):
            group.create_task(read())
        try:
            yield times
        finally:
            stopping.set()


async def test_readers_never_see_a_missing_row_and_writers_go_on(
    tool_sync_db: DatabaseUrls, log: EventLog, pool: db.Pool, admin: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(folding, "PAGE_POSITIONS", 50)
    monkeypatch.setattr(comparing, "BATCH_ROWS", 20)
    orgs = await make_orgs(log, 200)
    async with traffic(log, pool, orgs) as times:
        for _ in range(3):
            written = len(times)
            # Under the lock of append, or the damage and an append would wait for each other's rows.
            await admin.execute(
                "SELECT pg_advisory_xact_lock(7311); "
                "UPDATE org_tools SET account = 'wrong', id = id + 100000 WHERE id % 2 = 0"
            )
            done = await rebuild(tool_sync_db.owner, "org_tools")
            assert done.differing >= 100
            assert len(times) > written
            assert done.paused_seconds_max < 1.0
            found = await verify(tool_sync_db.owner, "org_tools")
            assert found.holds, found.shown
    assert await admin.fetchval("SELECT count(*) FROM org_tools WHERE account = 'wrong' OR id > 100000") == 0


async def test_an_event_that_the_fold_refuses_is_named_and_the_table_stays(
    tool_sync_db: DatabaseUrls, log: EventLog, admin: Connection
) -> None:
    await make_orgs(log, 50)
    before = await table(admin, "org_tools")
    source = await admin.fetchval("SELECT pg_get_functiondef('fold_org_tools'::regproc)")
    check = "BEGIN\n  IF EXISTS (SELECT FROM events WHERE position > from_position AND position <= to_position AND " \
            "position IN (117, 131)) THEN RAISE EXCEPTION 'the tool has no name'; END IF;\n"  # fmt: skip
    await admin.execute(source.replace("BEGIN\n", check, 1))
    for act in (rebuild, verify):
        with pytest.raises(FoldRaised, match="position 117: the tool has no name") as raised:
            await act(tool_sync_db.owner, "org_tools")
        assert raised.value.position == 117
    assert await table(admin, "org_tools") == before


async def test_a_full_disk_is_said_and_the_table_stays(
    tool_sync_db: DatabaseUrls, log: EventLog, admin: Connection
) -> None:
    await make_orgs(log, 5)
    before = await table(admin, "org_tools")
    source = await admin.fetchval("SELECT pg_get_functiondef('fold_org_tools'::regproc)")
    full = "BEGIN\n  RAISE EXCEPTION 'could not extend file' USING ERRCODE = 'disk_full';\n"
    await admin.execute(source.replace("BEGIN\n", full, 1))
    with pytest.raises(DiskFull, match="no room left on its disk: could not extend file"):
        await rebuild(tool_sync_db.owner, "org_tools")
    assert await table(admin, "org_tools") == before


async def test_two_rebuilds_of_one_projection_do_not_run_at_once(
    tool_sync_db: DatabaseUrls, log: EventLog, admin: Connection
) -> None:
    await make_orgs(log, 5)

    async def waits() -> bool:
        waiting = "SELECT EXISTS (SELECT FROM pg_locks WHERE NOT granted AND relation = 'org_tools'::regclass)"
        return bool(await admin.fetchval(waiting))

    async with admin.transaction():
        await admin.execute("LOCK TABLE org_tools IN ACCESS EXCLUSIVE MODE")
        first = asyncio.ensure_future(rebuild(tool_sync_db.owner, "org_tools"))
        await eventually(waits)
        with pytest.raises(AlreadyRunning, match="another rebuild is running"):
            await rebuild(tool_sync_db.owner, "org_tools")
        assert (await rebuild(tool_sync_db.owner, "assistants")).differing == 0  # another one may
    assert (await first).differing == 0


async def test_a_cancelled_rebuild_changes_nothing_and_leaves_no_lock(
    tool_sync_db: DatabaseUrls, log: EventLog, admin: Connection
) -> None:
    await make_orgs(log, 20)
    await admin.execute("UPDATE org_tools SET account = 'wrong'")
    before = await table(admin, "org_tools")

    def cancel(_progress: RebuildProgress) -> None:
        running.cancel()

    running: asyncio.Task[Any] = asyncio.ensure_future(rebuild(tool_sync_db.owner, "org_tools", cancel))
    with pytest.raises(asyncio.CancelledError):
        await running
    assert await table(admin, "org_tools") == before

    async def again() -> bool:
        try:
            return (await rebuild(tool_sync_db.owner, "org_tools")).differing == 20
        except AlreadyRunning:  # until PostgreSQL has noticed that the first one has gone
            return False

    await eventually(again)
    assert (await verify(tool_sync_db.owner, "org_tools")).holds


async def test_the_services_own_role_may_not_rebuild(tool_sync_db: DatabaseUrls, log: EventLog) -> None:
    await make_orgs(log, 1)
    with pytest.raises(DatabaseTrouble, match="permission denied"):
        await rebuild(tool_sync_db.service, "org_tools")


async def test_an_unknown_projection_and_a_missing_database_are_clear_errors(tool_sync_db: DatabaseUrls) -> None:
    with pytest.raises(
        UnknownProjection, match="no projection 'events'; known are assistants, fleet_tools, org_change_windows, "
    ):
        await rebuild(tool_sync_db.owner, "events")
    with pytest.raises(DatabaseTrouble, match="ConnectionRefusedError"):
        await verify("postgresql://nobody@127.0.0.1:1/none", "org_tools")
