"""Reads a topic without being a member of a group: its newest records, and whether it holds any."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Final

from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition

from zerotouch_contracts.kafka import TROUBLE, described, drop_consumer, new_consumer
from zerotouch_platform.kafka.topics import KafkaUnavailable, require_topics

ANSWER_SECONDS_MAX: Final = 30.0
STOP_SECONDS_MAX: Final = 2.0
POLL_MILLISECONDS: Final = 500


async def newest_records(bootstrap_servers: str, topic: str, count: int) -> Sequence[Sequence[ConsumerRecord]]:
    """The newest ``count`` records of each partition, in order. Raises :class:`KafkaUnavailable`."""
    async with _reading(bootstrap_servers, topic) as (consumer, begins, ends):
        return [
            await _read(consumer, partition, max(begins[partition], end - count), end)
            for partition, end in sorted(ends.items())
        ]


async def is_empty(bootstrap_servers: str, topic: str) -> bool:
    """True where no partition holds a record. Raises :class:`KafkaUnavailable`."""
    async with _reading(bootstrap_servers, topic) as (_, begins, ends):
        return begins == ends


Offsets = dict[TopicPartition, int]


@asynccontextmanager
async def _reading(bootstrap_servers: str, topic: str) -> AsyncIterator[tuple[AIOKafkaConsumer, Offsets, Offsets]]:
    """A consumer of all partitions, and where each begins and ends."""
    await require_topics(bootstrap_servers, [topic])  # or asking for it by name might make it
    consumer = new_consumer(
        topic, bootstrap_servers=bootstrap_servers, group_id=None, enable_auto_commit=False, client_id="topic-reader"
    )
    try:
        async with asyncio.timeout(ANSWER_SECONDS_MAX):
            await consumer.start()
            partitions = consumer.assignment()
            begins, ends = await consumer.beginning_offsets(partitions), await consumer.end_offsets(partitions)
            yield consumer, begins, ends
    except TROUBLE as error:
        raise KafkaUnavailable(f"{topic}: Kafka does not answer: {described(error)}") from error
    finally:
        await drop_consumer(consumer, STOP_SECONDS_MAX)


async def _read(consumer: AIOKafkaConsumer, partition: TopicPartition, start: int, end: int) -> list[ConsumerRecord]:
    records: list[ConsumerRecord] = []
    if start < end:
        consumer.seek(partition, start)
        while await consumer.position(partition) < end:
            batch = await consumer.getmany(partition, timeout_ms=POLL_MILLISECONDS)
            records += batch.get(partition, [])
    return records
