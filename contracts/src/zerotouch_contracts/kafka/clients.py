"""Making clients that stand a broker that goes away."""

import asyncio
from typing import Any

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.client import AIOKafkaClient
from aiokafka.conn import AIOKafkaConnection, CloseReason
from aiokafka.errors import KafkaConnectionError


def new_producer(
    bootstrap_servers: str, client_id: str, *, batch_bytes: int, linger_ms: int, request_seconds_max: float
) -> AIOKafkaProducer:
    """An idempotent producer, not started. ``request_seconds_max`` is for one request; a send may need many."""
    producer = AIOKafkaProducer(
        bootstrap_servers=bootstrap_servers,
        client_id=client_id,
        acks="all",
        enable_idempotence=True,
        linger_ms=linger_ms,
        max_batch_size=batch_bytes,
        request_timeout_ms=int(request_seconds_max * 1000),
    )
    producer.client.__class__ = SteadyClient
    return producer


def new_consumer(*topics: str, **options: Any) -> AIOKafkaConsumer:
    """A consumer, not started; ``options`` are aiokafka's own."""
    consumer = AIOKafkaConsumer(*topics, **options)
    consumer._client.__class__ = SteadyClient
    return consumer


class SteadyClient(AIOKafkaClient):  # type: ignore[misc]  # aiokafka has no types
    """Waits before it asks again where the answer was of no use: aiokafka's sender asks for the leaders of partitions
    that have none as fast as it is answered or refused.

    Put in by assigning ``__class__``: aiokafka has no place to say which client it makes.
    """

    async def _metadata_update(self, cluster_metadata: Any, topics: Any) -> bool:
        updated: bool = await super()._metadata_update(cluster_metadata, topics)
        if not updated or any(_lacks_leaders(cluster_metadata, topic) for topic in topics or ()):
            await asyncio.sleep(self._retry_backoff)
        return updated

    async def _get_conn(self, *args: Any, **options: Any) -> Any:
        connection = await super()._get_conn(*args, **options)
        if connection is not None:
            connection.__class__ = SteadyConnection
        return connection


class SteadyConnection(AIOKafkaConnection):  # type: ignore[misc]
    """Knows uvloop's word for a connection that is gone. aiokafka expects ``OSError``; any other error ends its tasks,
    that which keeps the metadata without a word.
    """

    def send(self, *args: Any, **options: Any) -> Any:
        try:
            return super().send(*args, **options)
        except RuntimeError as error:
            self.close(reason=CloseReason.CONNECTION_BROKEN)
            raise KafkaConnectionError(f"Connection at {self._host}:{self._port} broken: {error}") from error


def _lacks_leaders(cluster: Any, topic: str) -> bool:
    return bool(cluster.available_partitions_for_topic(topic) != cluster.partitions_for_topic(topic))
