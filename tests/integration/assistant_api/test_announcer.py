"""Each process announces what it answers, for as long as it can answer, and says goodbye when it is stopped."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest_asyncio
from aiokafka import AIOKafkaConsumer
from tests.support.eventually import eventually

from assistant_api.app.announcer import Announcer
from assistant_api.app.composition import new_health
from assistant_api.db import Database
from assistant_api.settings import Settings
from devstack.databases import DatabaseUrls
from devstack.fixtures import TestKafka
from devstack.sandbox import Sandbox
from zerotouch_contracts.answering import ContractsAnnounced, answered_by_all, pairs_of, read_announcement
from zerotouch_contracts.tools import ANSWERED

from .harness import Vapi, make_settings, own_topics, whole_service

ALL = frozenset((definition.name, definition.contract) for definition in ANSWERED)


@pytest_asyncio.fixture(loop_scope="session")
async def settings(assistant_api_db: DatabaseUrls, sandbox: Sandbox, kafka: TestKafka) -> Settings:
    return make_settings(
        assistant_api_db,
        sandbox,
        kafka_bootstrap_servers=kafka.bootstrap_servers,
        contracts_topic=await kafka.create_topic("contracts"),
        reconnect_seconds_max=0.2,
        **await own_topics(kafka),
    )


@asynccontextmanager
async def listening(settings: Settings) -> AsyncIterator[list[ContractsAnnounced | UUID]]:
    """What the topic says, from its beginning, as it comes."""
    heard: list[ContractsAnnounced | UUID] = []
    consumer = AIOKafkaConsumer(
        settings.contracts_topic,
        bootstrap_servers=settings.kafka_bootstrap_servers,
        auto_offset_reset="earliest",
        group_id=None,
    )
    await consumer.start()

    async def listen() -> None:
        async for record in consumer:
            heard.append(read_announcement(record.key, record.value, record.headers))  # noqa: PERF401 - as it comes

    task = asyncio.create_task(listen())
    try:
        yield heard
    finally:
        task.cancel()
        await asyncio.wait([task])
        await consumer.stop()


async def test_the_service_announces_itself_at_its_start_and_says_goodbye_when_it_stops(
    settings: Settings, assistant_api_db: DatabaseUrls, vapi: Vapi
) -> None:
    async with listening(settings) as heard:
        async with whole_service(settings, assistant_api_db, vapi) as harness:
            replica = harness.service.announcer.replica

            async def announced() -> bool:
                return len(heard) >= 1

            await eventually(announced)
        (first, *_) = heard
        assert isinstance(first, ContractsAnnounced)
        assert (first.replica, pairs_of(first)) == (replica, ALL)
        assert abs(datetime.now(UTC) - first.at) < timedelta(seconds=30)

        async def gone() -> bool:
            return heard[-1] == replica

        await eventually(gone)


async def test_two_processes_announce_again_and_again_and_the_one_that_is_cut_off_dies_in_silence(
    settings: Settings,
) -> None:
    database = Database(settings, new_health())
    await database.connect()
    stays, dies = (Announcer(settings, database, every_seconds=0.1) for _ in range(2))
    tasks = [asyncio.create_task(announcer.run_forever()) for announcer in (stays, dies)]
    async with listening(settings) as heard:

        def times(announcer: Announcer) -> list[datetime]:
            said = [one for one in heard if isinstance(one, ContractsAnnounced)]
            return [one.at for one in said if one.replica == announcer.replica]

        async def three_each() -> bool:
            return min(len(times(stays)), len(times(dies))) >= 3

        await eventually(three_each)
        assert times(stays) == sorted(set(times(stays)))
        tasks[1].cancel()
        await asyncio.wait([tasks[1]])
        stays.stop()
        await tasks[0]

        async def one_has_gone() -> bool:
            return stays.replica in heard

        await eventually(one_has_gone)
        assert dies.replica not in heard
        left = {one.replica: one for one in heard if isinstance(one, ContractsAnnounced)}[dies.replica]
        assert answered_by_all([left], left.at + timedelta(seconds=59)) == ALL
        assert answered_by_all([left], left.at + timedelta(seconds=60)) == frozenset()
    await database.close()


async def test_it_waits_for_a_topic_that_is_not_there_yet_and_stops_while_it_waits(
    settings: Settings, kafka: TestKafka
) -> None:
    database = Database(settings, new_health())
    await database.connect()
    missing = settings.model_copy(update={"contracts_topic": "nobody-made-it"})
    announcer = Announcer(missing, database)
    task = asyncio.create_task(announcer.run_forever())
    await asyncio.wait([task], timeout=0.5)
    assert not task.done()
    announcer.stop()
    await asyncio.wait_for(task, 5)
    await database.close()
