"""An event of a newer release stops every reader of this one with a clear message, and none passes over it."""

from uuid import uuid4

import asyncpg
import pytest

from devstack.databases import DatabaseUrls
from tool_sync import db
from tool_sync.domain.toolset import FOLD
from tool_sync.log import EventLog, Loaded
from tool_sync.log.codec import UnknownEvent
from tool_sync.log.head import read_head
from tool_sync.log.projections import FoldRaised, rebuild
from tool_sync.log.read import unreadable
from tool_sync.outcomes.filters import Filter
from tool_sync.outcomes.pages import read_page
from tool_sync.outcomes.relay.relay import next_page

from .newer_release import arrived, did, newer_release, save, stored, synced, write

STRANGE = [
    pytest.param("Unheard", 1, "{}", id="unknown type"),
    pytest.param("OrgTierChanged", 2, '{"level": "BASIC"}', id="newer schema of a type that is never published"),
    pytest.param("AssistantSynced", 2, "{}", id="newer schema of a published type"),
]


@pytest.mark.parametrize(("type_name", "schema", "data"), STRANGE)
async def test_the_relay_publishes_what_came_before_and_stops_there(
    log: EventLog, pool: db.Pool, type_name: str, schema: int, data: str
) -> None:
    org = uuid4()
    await log.append(did(org, synced(1)))
    await write(pool, stored(org, type_name, schema, data))
    await log.append(did(org, synced(2)))
    page = await next_page(pool, after=0, limit=10, scan_max=100)
    assert ([one.position for one in page.events], page.scanned_through) == ([1], 1)
    with pytest.raises(UnknownEvent, match=f"position 2: {type_name} schema {schema}: this release"):
        await next_page(pool, after=1, limit=10, scan_max=100)


@pytest.mark.parametrize("wanted", [(), ("ToolsSynced",), ("ToolSyncFailed",)])
@pytest.mark.parametrize(("type_name", "schema", "data"), STRANGE)
async def test_the_feed_and_a_replay_stop_there_whatever_was_asked_for(
    log: EventLog, pool: db.Pool, type_name: str, schema: int, data: str, wanted: tuple[str, ...]
) -> None:
    org, other = uuid4(), uuid4()
    await log.append(did(org, synced(1)))
    await write(pool, stored(org, type_name, schema, data))
    await log.append_all([did(org, synced(2)), did(other, synced(1))])
    async with pool.acquire() as connection:
        head = await read_head(connection)
        for org_id in (None, org):
            page = await read_page(connection, after=0, head=head, wanted=Filter.of(wanted, org_id), limit=10)
            assert page.stopped_by is not None
            assert (page.stopped_by.position, page.scanned_through, page.is_final) == (2, 1, False)
        page = await read_page(connection, after=0, head=head, wanted=Filter.of((), other), limit=10)
        assert ([one.position for one in page.events], page.stopped_by) == ([4], None)


async def test_the_relay_of_the_newer_release_goes_on_where_the_older_one_stopped(log: EventLog, pool: db.Pool) -> None:
    org = uuid4()
    await log.append(did(org, synced(1)))
    await write(
        pool, stored(org, "OrgTierChanged", 2, '{"level": "BASIC"}'), stored(org, "ClinicRenamed", 1, '{"name": "x"}')
    )
    await log.append(did(org, synced(2)))
    first = await next_page(pool, after=0, limit=10, scan_max=100)
    with newer_release():
        rest = await next_page(pool, after=first.scanned_through, limit=10, scan_max=100)
    assert [one.message.sequence for one in (*first.events, *rest.events)] == [1, 2]
    assert rest.scanned_through == 4


async def test_old_schemas_are_folded_through_their_upcasters_beside_new_ones(log: EventLog, pool: db.Pool) -> None:
    org = uuid4()
    await log.append(arrived(org, save()))
    tiers = []
    for schema, data in ((1, '{"tier": "Basic"}'), (2, '{"level": "PROFESSIONAL"}'), (3, '{"tier": "enterprise"}')):
        await write(pool, stored(org, "OrgTierChanged", schema, data))
        with newer_release():
            loaded = (await log.load([org], fold=FOLD, fleet_after=0)).orgs[org]
        assert isinstance(loaded, Loaded)
        tiers.append(getattr(loaded.events[-1].event, "tier", None))
    assert tiers == ["basic", "professional", "enterprise"]


async def test_a_rebuild_whose_fold_cannot_take_an_event_names_it_and_leaves_the_table(
    log: EventLog, pool: db.Pool, tool_sync_db: DatabaseUrls
) -> None:
    org = uuid4()
    await log.append(arrived(org, save()))
    # As a newer release writes it, whose migration has not run here yet.
    async with pool.acquire() as connection:
        before = await connection.fetch("SELECT * FROM org_tools")
    strange = stored(org, "ToolRegistered", 2, '{"name": "book", "vapi_tool_id": "tool-1", "account": "platform"}')
    with pytest.raises(asyncpg.NotNullViolationError, match="definition_version"):
        await write(pool, strange)  # append refuses it: the tables of this database cannot hold it
    assert (await log.read(0, 10)).head == 1
    async with pool.acquire() as connection:
        assert await connection.fetch("SELECT * FROM org_tools") == before
    assert (await rebuild(tool_sync_db.owner, "org_tools")).differing == 0


async def test_a_rebuild_names_an_event_that_append_did_not_fold(
    log: EventLog, pool: db.Pool, tool_sync_db: DatabaseUrls
) -> None:
    org = uuid4()
    await log.append(arrived(org, save()))
    async with pool.acquire() as connection:
        before = await connection.fetch("SELECT * FROM org_tools")
    owner = await db.SESSIONS.connect(tool_sync_db.owner, application_name="test")
    try:
        await owner.execute("UPDATE projections SET position = -60000 WHERE name = 'org_tools'")
        await write(pool, stored(org, "ToolRegistered", 2, '{"name": "book"}'))
    finally:
        await owner.close()
    with pytest.raises(FoldRaised, match="at position 2"):
        await rebuild(tool_sync_db.owner, "org_tools")
    async with pool.acquire() as connection:
        assert await connection.fetch("SELECT * FROM org_tools") == before


async def test_what_cannot_be_read_is_told_apart_by_type_and_by_its_schema(pool: db.Pool) -> None:
    rows = "(VALUES ('A', 1), ('A', 2), ('A', 3), ('B', 1), ('B', 2), ('C', 1)) AS events (type, schema)"
    query = f"SELECT type || schema FROM {rows} WHERE {unreadable({'A': 2, 'B': 1})} ORDER BY 1"  # noqa: S608
    assert [row[0] for row in await pool.fetch(query)] == ["A3", "B2", "C1"]
