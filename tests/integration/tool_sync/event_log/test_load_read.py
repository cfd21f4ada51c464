"""Loading orgs and reading pages, and stopping where this release cannot read."""

import asyncio
from collections.abc import Mapping
from uuid import UUID, uuid4

import pytest

from tool_sync import db
from tool_sync.domain.events import OrgRegistered, OrgSettled, ToolHalted
from tool_sync.log import EventLog, Loaded, Snapshot, UnknownEvent, read_org
from tool_sync.log.codec import Encoded
from tool_sync.log.statement import EncodedRequest, execute

from ..ordering import say, version
from .making import arrived, done, foreign, save


async def test_both_streams_of_each_org_are_loaded_in_position_order(log: EventLog) -> None:
    a, b, empty = uuid4(), uuid4(), uuid4()
    await log.append_all([arrived(a), done(b), arrived(b), done(a), arrived(a, save())])
    loaded = await orgs(log, a, b, empty)
    assert {org_id: positions(found) for org_id, found in loaded.items()} == {a: [1, 4, 5], b: [2, 3], empty: []}
    assert [known(loaded[org_id]).position for org_id in (a, b, empty)] == [5, 3, 0]


async def test_a_snapshot_stands_for_the_events_up_to_it(log: EventLog) -> None:
    a, b = uuid4(), uuid4()
    await log.append_all([arrived(a), done(a), arrived(b), done(a)])
    await log.save_snapshots([Snapshot(a, 1, 2, '{"n": 2}'), Snapshot(b, 1, 3, "{}")])
    loaded = await orgs(log, a, b)
    assert known(loaded[a]).snapshot == Snapshot(a, 1, 2, '{"n": 2}')
    assert (positions(loaded[a]), positions(loaded[b]), known(loaded[b]).position) == ([4], [], 3)


async def test_a_snapshot_of_another_fold_is_left_aside(log: EventLog) -> None:
    org_id = uuid4()
    await log.append_all([arrived(org_id), done(org_id)])
    await log.save_snapshots([Snapshot(org_id, 1, 2, "{}")])
    loaded = known((await orgs(log, org_id, fold=2))[org_id])
    assert (loaded.snapshot, positions(loaded)) == (None, [1, 2])


async def test_an_older_snapshot_does_not_replace_a_newer_one_unless_its_fold_differs(log: EventLog) -> None:
    org_id = uuid4()
    for snapshot, kept in [
        (Snapshot(org_id, 1, 5, "{}"), 5),
        (Snapshot(org_id, 1, 3, "{}"), 5),
        (Snapshot(org_id, 2, 3, "{}"), 3),
    ]:
        await log.save_snapshots([snapshot])
        assert known((await orgs(log, org_id, fold=snapshot.fold))[org_id]).position == kept


async def test_two_releases_side_by_side_never_overwrite_each_others_snapshots(log: EventLog) -> None:
    org_id = uuid4()
    await log.append_all([arrived(org_id), done(org_id), done(org_id)])
    for position in (1, 2, 3):
        await log.save_snapshots([Snapshot(org_id, 1, position, '{"by": 1}')])
        await log.save_snapshots([Snapshot(org_id, 2, position, '{"by": 2}')])
        for fold in (1, 2):
            loaded = known((await orgs(log, org_id, fold=fold))[org_id])
            assert loaded.snapshot == Snapshot(org_id, fold, position, f'{{"by": {fold}}}')
            assert positions(loaded) == list(range(position + 1, 4))


async def test_an_org_keeps_the_snapshot_that_is_saved_and_the_furthest_of_all_other_folds(
    log: EventLog, pool: db.Pool
) -> None:
    org_id, beside = uuid4(), uuid4()
    await log.save_snapshots([Snapshot(beside, 1, 1, "{}")])
    for snapshot, kept in [
        (Snapshot(org_id, 1, 9, "{}"), {1}),
        (Snapshot(org_id, 2, 4, "{}"), {1, 2}),
        (Snapshot(org_id, 3, 4, "{}"), {1, 3}),
        (Snapshot(org_id, 2, 9, "{}"), {1, 2}),
        (Snapshot(org_id, 4, 1, "{}"), {2, 4}),
        (Snapshot(org_id, 4, 2, "{}"), {2, 4}),
    ]:
        await log.save_snapshots([snapshot])
        rows = await pool.fetch("SELECT fold FROM snapshots WHERE org_id = $1", org_id)
        assert {row["fold"] for row in rows} == kept, snapshot
    assert await pool.fetchval("SELECT count(*) FROM snapshots WHERE org_id = $1", beside) == 1


async def test_many_releases_saving_the_same_orgs_at_once_wait_for_nobody_forever(log: EventLog, pool: db.Pool) -> None:
    orgs = [uuid4() for _ in range(20)]
    for position in range(1, 6):
        await asyncio.gather(
            *(
                log.save_snapshots([Snapshot(org_id, fold, position, "{}") for org_id in order])
                for fold in range(1, 5)
                for order in (orgs, orgs[::-1])
            )
        )
    await log.save_snapshots([Snapshot(org_id, 1, 9, "{}") for org_id in orgs])
    counts = await pool.fetch("SELECT count(*) AS n FROM snapshots GROUP BY org_id")
    assert {row["n"] for row in counts} <= {1, 2}


async def test_pages_follow_each_other_without_holes(log: EventLog) -> None:
    await log.append_all([arrived(uuid4()) for _ in range(5)])
    pages = [await log.read(after, 2) for after in (0, 2, 4, 5)]
    assert [[event.position for event in page.events] for page in pages] == [[1, 2], [3, 4], [5], []]
    assert {page.head for page in pages} == {5}


async def test_an_empty_log_has_an_empty_page(log: EventLog) -> None:
    page = await log.read(0, 10)
    assert (page.events, page.head) == ((), 0)


@pytest.mark.parametrize(
    ("type_name", "schema", "data"),
    [("Unheard", 1, "{}"), ("OrgRegistered", 2, '{"tier": "basic"}'), ("OrgRegistered", 1, '{"tier": 1}')],
)
async def test_an_event_of_another_release_stops_its_reader_and_no_other_org(
    log: EventLog, pool: db.Pool, type_name: str, schema: int, data: str
) -> None:
    strange, plain = uuid4(), uuid4()
    await log.append(arrived(strange))
    async with pool.acquire() as connection:
        await execute(connection, [foreign(strange, type_name, schema, data)])
    await log.append_all([arrived(plain), done(strange)])

    loaded = await orgs(log, strange, plain)
    assert positions(loaded[plain]) == [3]
    error = loaded[strange]
    assert isinstance(error, UnknownEvent)
    assert (error.position, error.type_name, error.schema) == (2, type_name, schema)

    assert [event.position for event in (await log.read(0, 10)).events] == [1]
    with pytest.raises(UnknownEvent, match="position 2"):
        await log.read(1, 10)
    async with pool.acquire() as connection:
        assert [event.position for event in await read_org(connection, strange, 0, 10)] == [1]
        with pytest.raises(UnknownEvent):
            await read_org(connection, strange, 1, 10)


async def test_one_orgs_history_by_pages_as_that_tenant(log: EventLog, pool: db.Pool) -> None:
    a, b = uuid4(), uuid4()
    await log.append_all([arrived(a, OrgRegistered("basic"), save()), arrived(b), done(a, OrgSettled(1))])
    async with db.tenant_tx(pool, a) as connection:
        assert [event.position for event in await read_org(connection, a, 0, 2)] == [1, 2]
        assert [event.position for event in await read_org(connection, a, 2, 2)] == [4]
        assert await read_org(connection, b, 0, 10) == []


async def test_what_belongs_to_no_org_comes_along_from_a_position_on(log: EventLog) -> None:
    a = uuid4()
    await say(log, version("book"))
    await log.append_all([arrived(a), done(a)])
    await say(log, ToolHalted("book", "it books twice"))
    for after, seen in ((0, [1, 4]), (1, [4]), (4, [])):
        found, fleet = await log.load([a], fold=1, fleet_after=after)
        assert not isinstance(fleet, UnknownEvent)
        assert ([event.position for event in fleet], positions(found[a])) == (seen, [2, 3])
    found, fleet = await log.load([], fold=1, fleet_after=0)
    assert not isinstance(fleet, UnknownEvent)
    assert (found, [event.event for event in fleet]) == ({}, [version("book"), ToolHalted("book", "it books twice")])


async def test_an_order_that_this_release_cannot_read_is_told_beside_the_orgs(log: EventLog, pool: db.Pool) -> None:
    a = uuid4()
    await log.append(arrived(a))
    strange = EncodedRequest("rollout-r", None, None, "{}", (uuid4(),), (Encoded("RolloutUnheardOf", 1, "{}"),))
    async with pool.acquire() as connection:
        await execute(connection, [strange])
    await say(log, version("book"))
    found, fleet = await log.load([a], fold=1, fleet_after=0)
    assert isinstance(fleet, UnknownEvent)
    assert (fleet.position, fleet.type_name, positions(found[a])) == (2, "RolloutUnheardOf", [1])


async def orgs(log: EventLog, *org_ids: UUID, fold: int = 1) -> Mapping[UUID, Loaded | UnknownEvent]:
    """What is loaded of these orgs."""
    return (await log.load(org_ids, fold=fold, fleet_after=0)).orgs


def known(loaded: Loaded | UnknownEvent) -> Loaded:
    """An org that could be read."""
    assert isinstance(loaded, Loaded)
    return loaded


def positions(loaded: Loaded | UnknownEvent) -> list[int]:
    """Of its events."""
    return [event.position for event in known(loaded).events]
