"""aiokafka's clients as our services use them: ones that stand a broker that goes away, and end when they are told to.

A producer is idempotent, so what is promised about order holds while it lives; but its batches never expire, and after
an out-of-order error every send fails until a new one is made (aiokafka issue 1017). So whoever sends sets a deadline,
and after any trouble drops the producer and makes another.

aiokafka has no end for a client whose broker is away. A producer's ``stop`` waits until all is sent. A consumer's
raises ``CancelledError`` (0.14: its fetcher awaits a task that it has cancelled), which a loop takes for its own end.
And cut off in that, both leave tasks that live as long as the process: they send old batches when the broker is back,
keep a member in the group that reads nothing, or connect 1,800 times a second. Hence the private names in here, and one
minor version of aiokafka.
"""

import asyncio
from collections.abc import Callable, Coroutine, Iterable
from typing import Any, Final

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.client import AIOKafkaClient
from aiokafka.conn import AIOKafkaConnection, CloseReason
from aiokafka.errors import KafkaConnectionError, KafkaError

TROUBLE: Final = (KafkaError, OSError, TimeoutError)
"""What Kafka's absence looks like."""

PART_SECONDS_MAX: Final = 0.5
"""For each part of a client that is cut off."""


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


async def drop_producer(producer: AIOKafkaProducer) -> str | None:
    """End a producer at once: what is not acknowledged is not sent any more. Returns why that was not clean."""
    producer._closed = True
    sending = await _end(producer._sender.close(), PART_SECONDS_MAX)
    return await _end(producer.client.close(), PART_SECONDS_MAX) or sending


async def drop_consumer(consumer: AIOKafkaConsumer, seconds_max: float) -> str | None:
    """Leave the group and end; where that fails or takes longer, end all the same. Returns why it was not clean."""
    return await drop_owner(consumer.stop, consumer, seconds_max)


async def drop_owner(
    stop: Callable[[], Coroutine[Any, Any, None]], consumer: AIOKafkaConsumer | None, seconds_max: float
) -> str | None:
    """The same for what has a consumer, or none yet, and ends it by ``stop``: FastStream's broker."""
    reason = await _end(stop(), seconds_max)
    if reason is not None and consumer is not None:
        await _cancel([*_tasks_of_group(consumer._coordinator), *_tasks_of_fetching(consumer._fetcher)])
        await _end(consumer._client.close(), PART_SECONDS_MAX)
    return reason


def described(error: BaseException) -> str:
    """An error of a client in words for an operator."""
    return "no answer in time" if isinstance(error, TimeoutError) else f"{type(error).__name__}: {error}"


def _lacks_leaders(cluster: Any, topic: str) -> bool:
    return bool(cluster.available_partitions_for_topic(topic) != cluster.partitions_for_topic(topic))


def _tasks_of_group(coordinator: Any) -> list["asyncio.Task[Any] | None"]:
    names = ("_coordination_task", "_heartbeat_task", "_commit_refresh_task")
    return [getattr(coordinator, name, None) for name in names]


def _tasks_of_fetching(fetcher: Any) -> list["asyncio.Task[Any] | None"]:
    return [] if fetcher is None else [fetcher._fetch_task, *fetcher._pending_tasks]


async def _end(ending: Coroutine[Any, Any, None], seconds_max: float) -> str | None:
    """Run what ends a part, in a task of its own, as it may raise CancelledError. Returns why it failed, or None."""
    task = asyncio.ensure_future(ending)
    try:
        ended, _ = await asyncio.wait([task], timeout=seconds_max)
        if not ended:
            return "no answer in time"
        if task.cancelled():
            return "it was in the middle of a request"
        error = task.exception()
        return None if error is None else described(error)
    finally:
        await _cancel([task])


async def _cancel(tasks: Iterable["asyncio.Task[Any] | None"]) -> None:
    running = [task for task in tasks if task is not None and not task.done()]
    for task in running:
        task.cancel()
    if running:
        await asyncio.wait(running, timeout=PART_SECONDS_MAX)
