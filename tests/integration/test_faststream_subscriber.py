"""The kit in a FastStream application, on a real broker: its own defaults would lose what is tried here."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any
from uuid import uuid4

import pytest
from aiokafka import AIOKafkaProducer
from faststream.kafka import KafkaBroker
from tests.support.eventually import eventually

from devstack.fixtures import TestKafka
from zerotouch_contracts.subscriber import Delivered, Marks
from zerotouch_contracts.subscriber.faststream import follow_outcomes
from zerotouch_contracts.testing import MemoryFeed, OutcomeSamples, record_of
from zerotouch_contracts.testing.fixtures import memory_feed as memory_feed
from zerotouch_contracts.testing.fixtures import outcome_samples as outcome_samples


class Kept:
    """A state in memory. Its first ``failures`` batches are refused."""

    def __init__(self, failures: int = 0) -> None:
        self.sequences: list[int] = []
        self._failures, self._marks = failures, Marks()

    async def load(self) -> Marks:
        return self._marks

    async def apply(self, batch: Sequence[Delivered], marks: Marks) -> None:
        if self._failures:
            self._failures -= 1
            raise OSError("the subscriber's database is away")
        self.sequences += [delivered.sequence for delivered in batch]
        self._marks = Marks(marks.log_id, {**self._marks.last, **marks.last}, marks.position)

    async def wipe(self) -> None:
        self.sequences, self._marks = [], Marks()


@pytest.fixture
async def topic(kafka: TestKafka) -> str:
    return await kafka.create_topic("outcomes", partitions=1)


@asynccontextmanager
async def following(kafka: TestKafka, topic: str, group: str, state: Kept, feed: MemoryFeed) -> AsyncIterator[None]:
    broker = KafkaBroker(kafka.bootstrap_servers)
    follow_outcomes(broker, group, state=state, feed=feed, topic=topic)
    await broker.start()
    try:
        yield
    finally:
        await broker.stop()


async def send(kafka: TestKafka, topic: str, *records: Any) -> None:
    producer = AIOKafkaProducer(bootstrap_servers=kafka.bootstrap_servers, acks="all")
    await producer.start()
    try:
        for record in records:
            await producer.send_and_wait(topic, record.value, key=record.key, headers=list(record.headers))
    finally:
        await producer.stop()


async def test_what_was_there_before_the_group_is_heard_and_a_hole_is_filled(
    kafka: TestKafka, topic: str, outcome_samples: OutcomeSamples, memory_feed: MemoryFeed
) -> None:
    made = [outcome_samples.synced() for _ in range(4)]
    await send(kafka, topic, record_of(made[0]), record_of(made[3]))  # two were lost on the way
    state = Kept()
    async with following(kafka, topic, f"group-{uuid4()}", state, memory_feed):
        await eventually(lambda: _has(state, [1, 2, 3, 4]))


async def test_a_batch_that_fails_comes_again_and_a_later_member_repeats_nothing(
    kafka: TestKafka, topic: str, outcome_samples: OutcomeSamples, memory_feed: MemoryFeed
) -> None:
    state, group = Kept(failures=1), f"group-{uuid4()}"
    await send(kafka, topic, *(record_of(outcome_samples.synced()) for _ in range(3)))
    async with following(kafka, topic, group, state, memory_feed):
        await eventually(lambda: _has(state, [1, 2, 3]))
    await send(kafka, topic, record_of(outcome_samples.synced()))
    async with following(kafka, topic, group, state, memory_feed):
        await eventually(lambda: _has(state, [1, 2, 3, 4]))
    assert state.sequences == [1, 2, 3, 4]


async def test_records_that_are_no_outcomes_harm_nobody(
    kafka: TestKafka, topic: str, outcome_samples: OutcomeSamples, memory_feed: MemoryFeed
) -> None:
    good = record_of(outcome_samples.synced())
    hostile: Any = [("ce_type", b"\xff\xfe"), ("ce_id", None)]
    state = Kept()
    await send(kafka, topic, replace(good, value=b"{", headers=hostile), record_of(outcome_samples.synced()), good)
    async with following(kafka, topic, f"group-{uuid4()}", state, memory_feed):
        await eventually(lambda: _has(state, [1, 2]))


async def _has(state: Kept, sequences: list[int]) -> bool:
    return state.sequences == sequences
