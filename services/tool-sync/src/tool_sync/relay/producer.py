"""Sends a page of records: all of them, or an exception and no more use of this producer.

The producer is idempotent, so its records are neither repeated nor reordered while it lives; but its batches never
expire, and after an out-of-order error every send fails until a new one is made (aiokafka issue 1017). Hence one total
timeout for a page, and after any trouble the producer is dropped, not reused.
"""

import asyncio
from collections.abc import Sequence
from typing import Any, Final, Self

import structlog
from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError

from zerotouch_contracts.envelope import Record

log = structlog.get_logger(__name__)

BATCH_BYTES_MAX: Final = 256 * 1024
LINGER_MS: Final = 5
STOP_SECONDS_MAX: Final = 1.0


class PublishFailed(Exception):
    """Kafka did not take the records. Fields: topic, count, reason."""

    def __init__(self, topic: str, count: int, reason: str) -> None:
        self.topic, self.count, self.reason = topic, count, reason
        super().__init__(f"{topic}: {count} record(s) were not taken by Kafka: {reason}; the relay resigns and retries")


class OutcomeProducer:
    """A started producer for one topic."""

    def __init__(self, producer: Any, topic: str, send_seconds_max: float) -> None:
        self._producer = producer
        self._topic = topic
        self._send_seconds_max = send_seconds_max

    @classmethod
    async def start(cls, bootstrap_servers: str, topic: str, *, send_seconds_max: float) -> Self:
        """Connect; raises :class:`PublishFailed` where Kafka does not answer in time."""
        producer = AIOKafkaProducer(
            bootstrap_servers=bootstrap_servers,
            client_id="tool-sync-relay",
            acks="all",
            enable_idempotence=True,
            linger_ms=LINGER_MS,
            max_batch_size=BATCH_BYTES_MAX,
            request_timeout_ms=int(send_seconds_max * 1000),
        )
        started = cls(producer, topic, send_seconds_max)
        try:
            async with asyncio.timeout(send_seconds_max):
                await producer.start()
        except (KafkaError, OSError, TimeoutError) as error:
            await started.drop()
            raise PublishFailed(topic, 0, _reason(error)) from error
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
        except (KafkaError, OSError, TimeoutError) as error:
            raise PublishFailed(self._topic, len(records), _reason(error)) from error

    async def drop(self) -> None:
        """Close without flushing: what is not acknowledged is sent again by whoever leads next."""
        # stop() waits for batches that never expire; so its two parts without the flush. Private: aiokafka offers no
        # other way to end a producer whose broker is away.
        self._producer._closed = True
        try:
            async with asyncio.timeout(STOP_SECONDS_MAX):
                if self._producer._sender is not None:
                    await self._producer._sender.close()
                await self._producer.client.close()
        except (KafkaError, OSError, TimeoutError) as error:
            log.warning("relay: a producer did not close cleanly", reason=_reason(error))


def _reason(error: BaseException) -> str:
    return "no answer in time" if isinstance(error, TimeoutError) else f"{type(error).__name__}: {error}"
