"""Sends a page of records: all of them, or an exception and no more use of this producer.

One total timeout for a page; after it, and after any trouble, the producer is dropped, and whoever leads next sends the
page again.
"""

import asyncio
from collections.abc import Sequence
from typing import Final, Self

import structlog
from aiokafka import AIOKafkaProducer

from zerotouch_contracts.envelope import Record
from zerotouch_contracts.kafka import TROUBLE, described, drop_producer, new_producer

log = structlog.get_logger(__name__)

BATCH_BYTES_MAX: Final = 256 * 1024
LINGER_MS: Final = 5


class PublishFailed(Exception):
    """Kafka did not take the records. Fields: topic, count, reason."""

    def __init__(self, topic: str, count: int, reason: str) -> None:
        self.topic, self.count, self.reason = topic, count, reason
        super().__init__(f"{topic}: {count} record(s) were not taken by Kafka: {reason}; the relay resigns and retries")


class OutcomeProducer:
    """A started producer for one topic."""

    def __init__(self, producer: AIOKafkaProducer, topic: str, send_seconds_max: float) -> None:
        self._producer = producer
        self._topic = topic
        self._send_seconds_max = send_seconds_max

    @classmethod
    async def start(cls, bootstrap_servers: str, topic: str, *, send_seconds_max: float) -> Self:
        """Connect; raises :class:`PublishFailed` where Kafka does not answer in time."""
        producer = new_producer(
            bootstrap_servers,
            "tool-sync-relay",
            batch_bytes=BATCH_BYTES_MAX,
            linger_ms=LINGER_MS,
            request_seconds_max=send_seconds_max,
        )
        started = cls(producer, topic, send_seconds_max)
        try:
            async with asyncio.timeout(send_seconds_max):
                await producer.start()
        except TROUBLE as error:
            await started.drop()
            raise PublishFailed(topic, 0, described(error)) from error
        return started

    async def send_all(self, records: Sequence[Record]) -> None:
        """Send the records in this order and wait until Kafka has them all; :class:`PublishFailed` otherwise."""
        try:
            async with asyncio.timeout(self._send_seconds_max):
                acknowledged = [
                    await self._producer.send(self._topic, value=r.value, key=r.key, headers=list(r.headers))
                    for r in records
                ]
                await asyncio.gather(*acknowledged)
        except TROUBLE as error:
            raise PublishFailed(self._topic, len(records), described(error)) from error

    async def drop(self) -> None:
        """Close without flushing: what is not acknowledged is sent again by whoever leads next."""
        if reason := await drop_producer(self._producer):
            log.warning("relay: a producer did not close cleanly", reason=reason)
