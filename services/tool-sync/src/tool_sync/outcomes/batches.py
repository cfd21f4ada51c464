"""Records to one topic, many at a time: batches made by hand, as `send` for each costs more than all the rest.

The partition is the one that any producer would choose for the key, so that an org's order is the same whoever sends.
A batch of a partition is handed over when the one before it has left, so batches keep their order, too.
"""

import asyncio
from collections.abc import Sequence
from functools import lru_cache
from typing import Any, Final, NamedTuple

from aiokafka import AIOKafkaProducer
from aiokafka.partitioner import DefaultPartitioner

KEYS_MAX: Final = 10_000
"""Keys whose partition is kept: a clinic's records come close together, and each kept key takes 200 bytes."""


class Outgoing(NamedTuple):
    """A record for the topic. ``timestamp_ms``: None for the time at which it is sent."""

    key: bytes
    value: bytes
    headers: Sequence[tuple[str, bytes]]
    timestamp_ms: int | None = None


class Batches:
    """The records of a topic that exists, by a producer that is started."""

    def __init__(self, producer: AIOKafkaProducer, topic: str, partitions: Sequence[int]) -> None:
        self._producer, self._topic, self._partitions = producer, topic, list(partitions)
        self._partition = lru_cache(maxsize=KEYS_MAX)(self._partition_of)

    async def send_all(self, records: Sequence[Outgoing]) -> None:
        """Send records in their order, and wait until Kafka has them. Raises ``TROUBLE``."""
        by_partition: dict[int, list[Outgoing]] = {}
        for record in records:
            by_partition.setdefault(self._partition(record.key), []).append(record)
        await asyncio.gather(*(self._send(number, own) for number, own in by_partition.items()))

    async def _send(self, partition: int, records: list[Outgoing]) -> None:
        sent = []
        batch = self._producer.create_batch()
        for record in records:
            if _add(batch, record) is None:
                sent.append(await self._producer.send_batch(batch, self._topic, partition=partition))
                batch = self._producer.create_batch()
                added = _add(batch, record)
                assert added is not None, "a record is smaller than a batch"
        sent.append(await self._producer.send_batch(batch, self._topic, partition=partition))
        await asyncio.gather(*sent)

    def _partition_of(self, key: bytes) -> int:
        number: int = DefaultPartitioner()(key, self._partitions, self._partitions)
        return number


def _add(batch: Any, record: Outgoing) -> object:
    return batch.append(key=record.key, value=record.value, timestamp=record.timestamp_ms, headers=list(record.headers))


async def new_batches(producer: AIOKafkaProducer, topic: str) -> Batches:
    """Of a producer that is started. Raises ``TROUBLE``."""
    return Batches(producer, topic, sorted(await producer.partitions_for(topic)))
