"""Records to one topic, many at a time: batches made by hand, as `send` for each costs more than all the rest.

The partition is the one that any producer would choose for the key, so that an org's order is the same as on the live
topic.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

from aiokafka.partitioner import DefaultPartitioner

from zerotouch_contracts.kafka import TROUBLE, described, drop_producer, new_producer
from zerotouch_platform.kafka.topics import KafkaUnavailable

BATCH_BYTES: Final = 512 * 1024
SEND_SECONDS_MAX: Final = 30.0


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A record for the topic."""

    key: bytes
    value: bytes
    headers: tuple[tuple[str, bytes], ...]
    timestamp_ms: int


class Sender:
    """A started idempotent producer of one topic: all of a page, in order, or an exception and no more use of it."""

    def __init__(self, bootstrap_servers: str, topic: str) -> None:
        self._topic = topic
        self._producer = new_producer(
            bootstrap_servers,
            "tool-sync-replay",
            batch_bytes=BATCH_BYTES,
            linger_ms=0,
            request_seconds_max=SEND_SECONDS_MAX,
        )
        self._partition = lru_cache(maxsize=100_000)(self._partition_of)
        self._partitions: list[int] = []

    async def start(self) -> None:
        """Connect; the topic must exist. Raises `KafkaUnavailable`."""
        try:
            async with asyncio.timeout(SEND_SECONDS_MAX):
                await self._producer.start()
                self._partitions = sorted(await self._producer.partitions_for(self._topic))
        except TROUBLE as error:
            await self.drop()
            raise KafkaUnavailable(f"{self._topic}: Kafka does not answer: {described(error)}") from error

    async def drop(self) -> None:
        """Disconnect; what is not acknowledged is not sent any more."""
        await drop_producer(self._producer)

    async def send_all(self, records: Sequence[Outgoing]) -> None:
        """Send records in their order, and wait until Kafka has them. Raises `KafkaUnavailable`."""
        by_partition: dict[int, list[Outgoing]] = {}
        for record in records:
            by_partition.setdefault(self._partition(record.key), []).append(record)
        try:
            async with asyncio.timeout(SEND_SECONDS_MAX):
                await asyncio.gather(*(self._send(number, own) for number, own in by_partition.items()))
        except TROUBLE as error:
            raise KafkaUnavailable(f"{self._topic}: Kafka did not take the records: {described(error)}") from error

    async def _send(self, partition: int, records: list[Outgoing]) -> None:
        sent = []
        batch = self._producer.create_batch()
        for record in records:
            if self._add(batch, record) is None:
                sent.append(await self._producer.send_batch(batch, self._topic, partition=partition))
                batch = self._producer.create_batch()
                added = self._add(batch, record)
                assert added is not None, "a record is smaller than a batch"
        sent.append(await self._producer.send_batch(batch, self._topic, partition=partition))
        await asyncio.gather(*sent)

    def _add(self, batch: Any, record: Outgoing) -> object:
        return batch.append(
            key=record.key, value=record.value, timestamp=record.timestamp_ms, headers=list(record.headers)
        )

    def _partition_of(self, key: bytes) -> int:
        number: int = DefaultPartitioner()(key, self._partitions, self._partitions)
        return number
