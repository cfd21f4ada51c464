"""Records that are gone before intake read them are an alarm until somebody has acknowledged it."""

import contextlib
from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import GroupLoadInProgressError
from aiokafka.protocol.commit import OffsetFetchRequest, OffsetFetchResponse_v3
from tests.support.eventually import eventually

from devstack import topics
from devstack.fixtures import TestKafka
from devstack.topics import TopicSpec
from tool_sync import db
from tool_sync.intake.consumer import new_consumer
from tool_sync.intake.intake import Intake
from tool_sync.log import EventLog
from tool_sync.settings import Settings
from zerotouch_platform import telemetry
from zerotouch_platform.kafka.jumps import Jumps
from zerotouch_platform.kafka.ledger import Lost, acknowledge, open_losses
from zerotouch_platform.kafka.places import read_places
from zerotouch_platform.kafka.watch import TopicWatch

from ..lost_records import add_partitions, delete_before, fill
from .test_subscriber import committed


@pytest.fixture
def hasty(settings: Settings) -> Settings:
    return settings.model_copy(update={"intake_watch_seconds": 0.2})


@contextlib.asynccontextmanager
async def consuming(settings: Settings, event_log: EventLog, pool: db.Pool) -> AsyncIterator[None]:
    consumer = new_consumer(settings, Intake(settings, event_log, pool, telemetry.off()), pool)
    running = telemetry.start_loop(consumer.run_forever(), name="consumer under test")
    try:
        yield
    finally:
        consumer.stop()
        await running


async def found(pool: db.Pool) -> list[Lost]:
    async with pool.acquire() as connection:
        return await open_losses(connection)


async def read_to(settings: Settings, offset: int) -> bool:
    return (await committed(settings)).get(0, 0) == offset


def spans(losses: list[Lost]) -> list[tuple[int, int, int]]:
    return [(loss.partition, loss.first_offset, loss.end_offset) for loss in losses]


async def test_records_deleted_while_nobody_read_are_told_once_and_remembered(
    hasty: Settings, event_log: EventLog, pool: db.Pool
) -> None:
    servers, topic = hasty.kafka_bootstrap_servers, hasty.assistants_topic
    await fill(servers, topic, 3)
    async with consuming(hasty, event_log, pool):
        await eventually(lambda: read_to(hasty, 3))
    assert await found(pool) == []
    await fill(servers, topic, 5)
    await delete_before(servers, topic, 6)

    for _ in range(2):
        async with consuming(hasty, event_log, pool):
            await eventually(lambda: read_to(hasty, 8))
    (loss,) = await found(pool)

    assert spans([loss]) == [(0, 3, 6)]
    async with pool.acquire() as connection:
        assert await acknowledge(connection, loss.id, "saved again")
        assert not await acknowledge(connection, loss.id, "saved again")
    assert await found(pool) == []


async def test_another_consumer_group_reads_all_again_and_nothing_is_lost(
    hasty: Settings, event_log: EventLog, pool: db.Pool
) -> None:
    await fill(hasty.kafka_bootstrap_servers, hasty.assistants_topic, 3)
    async with consuming(hasty, event_log, pool):
        await eventually(lambda: read_to(hasty, 3))
    other = hasty.model_copy(update={"consumer_group": f"{hasty.consumer_group}-again"})
    async with consuming(other, event_log, pool):
        await eventually(lambda: read_to(other, 3))
    assert await found(pool) == []


async def test_a_coordinator_that_is_still_loading_has_forgotten_nothing(
    hasty: Settings, event_log: EventLog, pool: db.Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    await fill(hasty.kafka_bootstrap_servers, hasty.assistants_topic, 3)
    async with consuming(hasty, event_log, pool):
        await eventually(lambda: read_to(hasty, 3))
    send = AIOKafkaAdminClient._send_request

    async def loading(admin: AIOKafkaAdminClient, request: object, node_id: int | None = None) -> Any:
        if isinstance(request, OffsetFetchRequest):
            return OffsetFetchResponse_v3(0, [], GroupLoadInProgressError.errno)
        return await send(admin, request, node_id)

    monkeypatch.setattr(AIOKafkaAdminClient, "_send_request", loading)
    watch = TopicWatch(
        hasty.kafka_bootstrap_servers,
        hasty.assistants_topic,
        hasty.consumer_group,
        lambda: db.transaction(pool),
        Jumps(),
    )
    with pytest.raises(GroupLoadInProgressError):
        await watch.run_once()
    assert await found(pool) == []


async def test_a_look_that_took_long_is_not_compared_with_a_newer_one(
    settings: Settings, event_log: EventLog, pool: db.Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A replica has seen where the topic ends, and cannot write it down; another looks meanwhile, when it has grown."""
    servers, topic = settings.kafka_bootstrap_servers, settings.assistants_topic
    slow, quick = (
        TopicWatch(servers, topic, settings.consumer_group, lambda: db.transaction(pool), Jumps()) for _ in range(2)
    )
    await fill(servers, topic, 2)
    assert await slow.run_once() == 0
    read, late = read_places, [True]

    async def read_early(*arguments: Any) -> Any:
        places = await read(*arguments)
        if late and late.pop():
            await fill(servers, topic, 2)
            assert await quick.run_once() == 0
        return places

    monkeypatch.setattr("zerotouch_platform.kafka.watch.read_places", read_early)
    assert await slow.run_once() == 0
    assert await found(pool) == []
    ends = await pool.fetchval("SELECT sum(end_offset) FROM topic_looks WHERE topic = $1", topic)
    assert ends == sum([place.end for place in (await read(servers, topic, settings.consumer_group)).values()])


async def test_a_topic_that_was_made_again_is_told(
    settings: Settings, event_log: EventLog, pool: db.Pool, kafka: TestKafka
) -> None:
    """Also where intake was stopped long before its first look that comes by the clock."""
    servers, topic = settings.kafka_bootstrap_servers, settings.assistants_topic
    await fill(servers, topic, 3)
    async with consuming(settings, event_log, pool):
        await eventually(lambda: read_to(settings, 3))
    await topics.delete(servers, [topic])

    async def made() -> bool:
        try:
            await topics.create(servers, [TopicSpec(topic, 3, {})])
        except Exception:
            return False
        return True

    await eventually(made)
    await fill(servers, topic, 2)
    async with consuming(settings, event_log, pool):
        losses = await eventually(lambda: found(pool))
    assert (0, 3, 3) in spans(losses)
    assert {loss.cause.split(" or ")[0] for loss in losses} == {"the topic was recreated"}


async def test_partitions_that_are_added_are_told_while_intake_runs(
    hasty: Settings, event_log: EventLog, pool: db.Pool
) -> None:
    servers, topic = hasty.kafka_bootstrap_servers, hasty.assistants_topic
    await fill(servers, topic, 1)
    async with consuming(hasty, event_log, pool):
        await eventually(lambda: read_to(hasty, 1))
        await add_partitions(servers, topic, 4)
        losses = await eventually(lambda: found(pool))
    assert spans(losses) == [(3, 0, 0)]
    assert "partitions were added" in losses[0].cause
