"""Reads a compacted topic: the newest record of each key, and then what comes. No member of a group, no offsets kept.

async with compacted(servers, topic, client_id) as reading:
    async for newest in reading.partitions():    # by key, a partition at a time: all that is there now
        ...
    while …:
        newest = await reading.news()            # by key: what came since
"""

import asyncio
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager
from itertools import chain
from typing import Final

import structlog
from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition

from zerotouch_contracts.kafka import Watch, drop_consumer, new_consumer
from zerotouch_platform.kafka.topics import require_topics

START_SECONDS_MAX: Final = 30.0
STOP_SECONDS_MAX: Final = 1.0
POLL_MILLISECONDS: Final = 500
RECORDS_MAX: Final = 500

Newest = Mapping[bytes | None, ConsumerRecord]

_log: Final = structlog.get_logger()


class Compacted:
    """One reading, from the beginning. Whatever it raises of Kafka's kind: begin another."""

    def __init__(self, consumer: AIOKafkaConsumer, ends: Mapping[TopicPartition, int]) -> None:
        self._consumer, self._ends, self._watch = consumer, ends, Watch()

    async def partitions(self) -> AsyncIterator[Newest]:
        """What each partition holds, up to where it ended when the reading began."""
        for partition, end in sorted(self._ends.items()):
            newest: dict[bytes | None, ConsumerRecord] = {}
            while await self._consumer.position(partition) < end:
                found = await self._consumer.getmany(partition, timeout_ms=POLL_MILLISECONDS, max_records=RECORDS_MAX)
                newest |= _newest(found.get(partition, ()))
                await self._watch.look(self._consumer)
            yield newest

    async def news(self) -> Newest:
        """What has come; empty after half a second in which nothing has."""
        await self._watch.look(self._consumer)
        found = await self._consumer.getmany(timeout_ms=POLL_MILLISECONDS, max_records=RECORDS_MAX)
        return _newest(chain.from_iterable(found.values()))


@asynccontextmanager
async def compacted(bootstrap_servers: str, topic: str, client_id: str) -> AsyncIterator[Compacted]:
    """A reading of ``topic``. Raises `KafkaUnavailable` and what Kafka's absence looks like."""
    await require_topics(bootstrap_servers, [topic])  # or asking for it by name might make it
    consumer = new_consumer(
        topic,
        bootstrap_servers=bootstrap_servers,
        client_id=client_id,
        group_id=None,
        enable_auto_commit=False,
        auto_offset_reset="earliest",
    )
    try:
        async with asyncio.timeout(START_SECONDS_MAX):
            await consumer.start()
            ends = await consumer.end_offsets(consumer.assignment())
        yield Compacted(consumer, ends)
    finally:
        if reason := await drop_consumer(consumer, STOP_SECONDS_MAX):
            _log.warning("consumer_cut_off", topic=topic, reason=reason)


def _newest(records: Iterable[ConsumerRecord]) -> Newest:
    return {record.key: record for record in records}
