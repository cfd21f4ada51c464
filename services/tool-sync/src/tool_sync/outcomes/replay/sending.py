"""The producer of a replay: idempotent, to one topic, which must exist."""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from typing import Any, Final

from tool_sync.outcomes.batches import Outgoing, new_batches
from zerotouch_contracts.kafka import TROUBLE, described, drop_producer, new_producer
from zerotouch_platform.kafka.topics import KafkaUnavailable

BATCH_BYTES: Final = 512 * 1024
SECONDS_MAX: Final = 30.0

SendAll = Callable[[Sequence[Outgoing]], Coroutine[Any, Any, None]]
"""Sends records in their order, and waits until Kafka has them. Raises `KafkaUnavailable`: then it is used no more."""


@asynccontextmanager
async def sending(bootstrap_servers: str, topic: str) -> AsyncIterator[SendAll]:
    """Connected while the block runs; what is not acknowledged at its end is not sent any more.

    Raises `KafkaUnavailable`.
    """
    producer = new_producer(
        bootstrap_servers, "tool-sync-replay", batch_bytes=BATCH_BYTES, linger_ms=0, request_seconds_max=SECONDS_MAX
    )
    try:
        with _unavailable(f"{topic}: Kafka does not answer"):
            async with asyncio.timeout(SECONDS_MAX):
                await producer.start()
                batches = await new_batches(producer, topic)

        async def send_all(records: Sequence[Outgoing]) -> None:
            with _unavailable(f"{topic}: Kafka did not take the records"):
                async with asyncio.timeout(SECONDS_MAX):
                    await batches.send_all(records)

        yield send_all
    finally:
        await drop_producer(producer)


@contextmanager
def _unavailable(what: str) -> Iterator[None]:
    try:
        yield
    except TROUBLE as error:
        raise KafkaUnavailable(f"{what}: {described(error)}") from error
