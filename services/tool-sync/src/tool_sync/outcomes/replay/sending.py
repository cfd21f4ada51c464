"""The producer of a replay: idempotent, to one topic, which must exist."""

import asyncio
from collections.abc import Sequence
from typing import Final

from tool_sync.outcomes.batches import Batches, Outgoing, new_batches
from zerotouch_contracts.kafka import TROUBLE, described, drop_producer, new_producer
from zerotouch_platform.kafka.topics import KafkaUnavailable

BATCH_BYTES: Final = 512 * 1024
SEND_SECONDS_MAX: Final = 30.0


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
        self._batches: Batches | None = None

    async def start(self) -> None:
        """Connect; the topic must exist. Raises `KafkaUnavailable`."""
        try:
            async with asyncio.timeout(SEND_SECONDS_MAX):
                await self._producer.start()
                self._batches = await new_batches(self._producer, self._topic)
        except TROUBLE as error:
            await self.drop()
            raise KafkaUnavailable(f"{self._topic}: Kafka does not answer: {described(error)}") from error

    async def drop(self) -> None:
        """Disconnect; what is not acknowledged is not sent any more."""
        await drop_producer(self._producer)

    async def send_all(self, records: Sequence[Outgoing]) -> None:
        """Send records in their order, and wait until Kafka has them. Raises `KafkaUnavailable`."""
        assert self._batches is not None, "it is started first"
        try:
            async with asyncio.timeout(SEND_SECONDS_MAX):
                await self._batches.send_all(records)
        except TROUBLE as error:
            raise KafkaUnavailable(f"{self._topic}: Kafka did not take the records: {described(error)}") from error
