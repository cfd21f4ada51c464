"""A message of a newer type stops no subscriber: the example on a real broker and a real database."""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Final
from uuid import uuid4

import asyncpg
import pytest
from faststream.kafka import KafkaBroker
from tests.support.eventually import eventually
from tests.support.example import example as load_example

from devstack.databases import DatabaseUrls
from devstack.fixtures import TestKafka
from zerotouch_contracts.envelope import Record
from zerotouch_contracts.subscriber import OutcomeReader
from zerotouch_contracts.subscriber.faststream import follow_outcomes
from zerotouch_contracts.testing import MemoryFeed, OutcomeSamples, record_of
from zerotouch_contracts.testing.samples import NEWER_TYPE, newer_record_of

from .test_faststream_subscriber import send

example = load_example()

CLINIC: Final = "clinic"


@pytest.fixture
async def state(tool_sync_db: DatabaseUrls) -> AsyncIterator[Any]:
    """The example's state, beside what is in the database already."""
    settings = {"search_path": "readiness"}
    async with asyncpg.create_pool(tool_sync_db.admin, min_size=1, max_size=3, server_settings=settings) as pool:
        await pool.execute("CREATE SCHEMA readiness")
        state = example.Readiness(pool)
        await state.prepare()
        yield state


@pytest.fixture
async def topic(kafka: TestKafka) -> str:
    return await kafka.create_topic("outcomes", partitions=1)


class History:
    """Of one clinic: can book, a message of a newer type, cannot book. A second newer one is its clinic's only one."""

    def __init__(self) -> None:
        self.samples = OutcomeSamples()
        self.made = [
            self.samples.synced(CLINIC),
            self.samples.synced(CLINIC),
            self.samples.failed(CLINIC),
            self.samples.synced("another"),
        ]
        newer = {self.made[1].id, self.made[3].id}
        self.feed = MemoryFeed(self.samples.log_id, self.samples.made, newer=newer)
        self.records: list[Record] = [newer_record_of(d) if d.id in newer else record_of(d) for d in self.made]

    async def is_followed(self, state: Any) -> bool:
        """Whether every number is marked and the clinic's newest known outcome is applied."""
        last = {org_id: mark.sequence for org_id, mark in (await state.load()).last.items()}
        rows = [tuple(row) for row in await state._pool.fetch("SELECT org_id, can_book FROM readiness")]
        marked = last == {self.samples.org(CLINIC): 3, self.samples.org("another"): 1}
        return marked and rows == [(self.samples.org(CLINIC), False)]


@asynccontextmanager
async def running(reader: OutcomeReader) -> AsyncIterator[None]:
    following = asyncio.create_task(reader.run_forever())
    try:
        yield
    finally:
        await reader.stop()
        await following


def reader_of(kafka: TestKafka, topic: str, state: Any, history: History, group: str | None = None) -> OutcomeReader:
    group = group or f"readiness-{uuid4()}"
    return OutcomeReader(kafka.bootstrap_servers, group, state=state, feed=history.feed, topic=topic)


async def test_the_reader_follows_past_it_and_a_later_start_sees_no_hole(
    kafka: TestKafka, topic: str, state: Any, caplog: pytest.LogCaptureFixture
) -> None:
    history, group = History(), f"readiness-{uuid4()}"
    first, *rest = history.records
    await send(kafka, topic, first, rest[0])
    reader = reader_of(kafka, topic, state, history, group)
    with caplog.at_level(logging.WARNING, "zerotouch_contracts"):
        async with running(reader):

            async def two_are_marked() -> bool:
                return [mark.sequence for mark in (await state.load()).last.values()] == [2]

            await eventually(two_are_marked)
    assert reader.passed_over.counts == {NEWER_TYPE: 1}
    assert [NEWER_TYPE in record.getMessage() for record in caplog.records] == [True]
    await send(kafka, topic, *rest[1:])
    async with running(reader_of(kafka, topic, state, history, group)):
        await eventually(lambda: history.is_followed(state))
    assert history.feed.asked == 0, "no number was missed"


async def test_a_faststream_application_follows_past_it(kafka: TestKafka, topic: str, state: Any) -> None:
    history = History()
    await send(kafka, topic, *history.records)
    broker = KafkaBroker(kafka.bootstrap_servers)
    follow_outcomes(broker, f"readiness-{uuid4()}", state=state, feed=history.feed, topic=topic)
    await broker.start()
    try:
        await eventually(lambda: history.is_followed(state))
    finally:
        await broker.stop()
    assert history.feed.asked == 0


async def test_every_rebuild_and_a_hole_pass_it(kafka: TestKafka, topic: str, state: Any) -> None:
    history = History()
    await send(kafka, topic, *history.records)  # as the relay publishes, and as a replay does again
    reader = reader_of(kafka, topic, state, history)
    await reader.rebuild_from_topic()
    assert await history.is_followed(state)
    whole = await state.fingerprint()
    await reader.rebuild_from_feed()
    assert await history.is_followed(state)
    assert await state.fingerprint() == whole
    with_a_hole = await kafka.create_topic("outcomes", partitions=1)
    await send(kafka, with_a_hole, history.records[0], *history.records[2:])
    await reader_of(kafka, with_a_hole, state, history).rebuild_from_topic()
    assert await history.is_followed(state)


async def test_a_known_type_that_the_state_has_no_use_for_moves_the_marks_alone(
    kafka: TestKafka, topic: str, state: Any
) -> None:
    samples = OutcomeSamples()
    made = [samples.synced(), samples.diverged(), samples.failed()]
    feed = MemoryFeed(samples.log_id, samples.made)
    await send(kafka, topic, *(record_of(one) for one in made))
    reader = OutcomeReader(kafka.bootstrap_servers, f"readiness-{uuid4()}", state=state, feed=feed, topic=topic)
    await reader.rebuild_from_topic()
    assert [mark.sequence for mark in (await state.load()).last.values()] == [3]
    assert await state.clinics_that_can_book() == []
    assert (feed.asked, reader.passed_over.counts) == (0, {})
