"""The example subscriber against the running system: three ways to rebuild end in the same state, and it follows."""

import asyncio
import time
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID, uuid4

import asyncpg
import httpx
import pytest
from tests.support.eventually import eventually
from tests.support.example import example as load_example

from zerotouch_contracts.subscriber import Feed, GroupInUse, LogChanged, OutcomeReader, Rebuilding

from .world import PATIENCE_SECONDS, World

example = load_example()


@pytest.fixture
async def state(world: World) -> AsyncIterator[Any]:
    """The example's state in a database of its own."""
    name = f"readiness_{uuid4().hex}"
    await world.log_db.execute(f"CREATE DATABASE {name}")
    url = urlsplit(world.stack.database("tool_sync").admin)._replace(path=f"/{name}").geturl()
    async with asyncpg.create_pool(url, min_size=1, max_size=3) as pool:
        state = example.Readiness(pool)
        await state.prepare()
        yield state
    await world.log_db.execute(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
async def feed(world: World) -> AsyncIterator[Feed]:
    async with Feed(world.stack.tool_sync_url, world.stack.signer.platform_token) as feed:
        yield feed


def reader_of(world: World, state: Any, feed: Feed, group_id: str | None = None) -> OutcomeReader:
    return OutcomeReader(world.stack.bootstrap_servers, group_id or f"readiness-{uuid4()}", state=state, feed=feed)


async def test_three_ways_to_rebuild_end_in_the_same_state(world: World, state: Any, feed: Feed) -> None:
    ready = [await world.organization() for _ in range(3)]
    for org_id in ready:
        await world.synced_agent(org_id)
        await world.synced_agent(org_id)
    await world.quiet()
    token = world.stack.signer.platform_token()
    shown: list[Rebuilding] = []
    reader = reader_of(world, state, feed)

    await reader.rebuild_from_topic(shown.append)
    from_topic = await state.fingerprint()
    marks = await state.load()
    assert set(ready) <= set(await state.clinics_that_can_book())
    assert shown[-1].done == shown[-1].total > 0

    shown.clear()
    await reader.rebuild_from_feed(shown.append)
    assert await state.fingerprint() == from_topic
    assert (await state.load()).last == marks.last
    assert shown[-1].done == shown[-1].total

    await reader.rebuild_from_snapshot(
        lambda: example.load_snapshot(state, world.stack.tool_sync_url, token), shown.append
    )
    assert await state.fingerprint() == from_topic


@pytest.mark.parametrize("way", ["topic", "feed", "snapshot"])
async def test_after_a_rebuild_it_goes_on_with_the_topic_and_misses_nothing(
    world: World, state: Any, feed: Feed, way: str
) -> None:
    org_id = await world.organization()
    await world.synced_agent(org_id)
    group_id = f"readiness-{uuid4()}"
    reader = reader_of(world, state, feed, group_id)
    if way == "topic":
        await reader.rebuild_from_topic()
    elif way == "feed":
        await reader.rebuild_from_feed()
    else:
        token = world.stack.signer.platform_token()
        await reader.rebuild_from_snapshot(lambda: example.load_snapshot(state, world.stack.tool_sync_url, token))
    meanwhile = await world.organization()
    await world.synced_agent(meanwhile)  # published before anybody follows
    following = asyncio.create_task(reader.run_forever())
    try:
        later = await world.organization()
        await world.synced_agent(later)

        async def all_can_book() -> bool:
            return {org_id, meanwhile, later}.issubset(await state.clinics_that_can_book())

        await eventually(all_can_book, within_seconds=PATIENCE_SECONDS)
        with pytest.raises(GroupInUse, match="is in use: stop its other instances"):
            await reader_of(world, state, feed, group_id).rebuild_from_feed()
    finally:
        await reader.stop()
        await following
    assert {org_id, meanwhile, later} <= set(await state.clinics_that_can_book()), "a refused rebuild wipes nothing"
    await world.quiet()
    followed = await state.fingerprint()
    await reader_of(world, state, feed).rebuild_from_topic()
    assert await state.fingerprint() == followed


async def test_a_faststream_application_goes_on_where_a_rebuild_ended(world: World, state: Any, feed: Feed) -> None:
    first, group_id = await world.organization(), f"readiness-{uuid4()}"
    await world.synced_agent(first)
    await reader_of(world, state, feed, group_id).rebuild_from_topic()
    application = example.application(world.stack.bootstrap_servers, group_id, state, feed)
    await application.start()
    try:
        later = await world.organization()
        await world.synced_agent(later)

        async def both_can_book() -> bool:
            return {first, later}.issubset(await state.clinics_that_can_book())

        await eventually(both_can_book, within_seconds=PATIENCE_SECONDS)
    finally:
        await application.stop()


async def test_another_log_stops_the_reader_unless_it_was_told_to_rebuild(world: World, state: Any, feed: Feed) -> None:
    await world.synced_agent(await world.organization())
    await reader_of(world, state, feed).rebuild_from_feed()
    whole = await state.fingerprint()
    await state._pool.execute("UPDATE source SET log_id = gen_random_uuid()")
    stops = reader_of(world, state, feed)
    with pytest.raises(LogChanged, match="rebuild from the feed"):
        await asyncio.wait_for(stops.run_forever(), PATIENCE_SECONDS)

    rebuilds = OutcomeReader(
        world.stack.bootstrap_servers,
        f"readiness-{uuid4()}",
        state=state,
        feed=feed,
        on_log_changed="rebuild",
    )
    following = asyncio.create_task(rebuilds.run_forever())
    try:
        until = time.monotonic() + PATIENCE_SECONDS

        async def is_rebuilt() -> bool:
            assert time.monotonic() < until
            same_log = (await state.load()).log_id == UUID(await _log_id(world))
            return same_log and bool(await state.fingerprint() == whole)

        await eventually(is_rebuilt, within_seconds=PATIENCE_SECONDS)
    finally:
        await rebuilds.stop()
        await following


async def _log_id(world: World) -> str:
    answer = await world.tool_sync.get("/v1/events", params={"limit": 1})
    assert answer.status_code == httpx.codes.OK, answer.text
    log_id: str = answer.json()["log_id"]
    return log_id
