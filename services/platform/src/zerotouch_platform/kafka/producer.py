"""The idempotent producer of a leader: started within a time, and dropped for good at the end of the block."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

import structlog
from aiokafka import AIOKafkaProducer

from zerotouch_contracts.kafka import drop_producer, new_producer

BATCH_BYTES_MAX: Final = 256 * 1024
LINGER_MS: Final = 5

_log: Final = structlog.get_logger()


@asynccontextmanager
async def producing(
    bootstrap_servers: str, client_id: str, *, seconds_max: float, cut_off: str, linger_ms: int = LINGER_MS
) -> AsyncIterator[AIOKafkaProducer]:
    """A started producer, for ``seconds_max`` to start and for each request.

    ``linger_ms`` is how long a batch waits for more. What is not acknowledged at the end is not sent any more: whoever
    leads next sends it again. ``cut_off`` is logged where the end was not clean. Raises ``TROUBLE``.
    """
    producer = new_producer(
        bootstrap_servers, client_id, batch_bytes=BATCH_BYTES_MAX, linger_ms=linger_ms, request_seconds_max=seconds_max
    )
    try:
        async with asyncio.timeout(seconds_max):
            await producer.start()
        yield producer
    finally:
        if reason := await drop_producer(producer):
            _log.warning(cut_off, reason=reason)
