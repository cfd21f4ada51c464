"""Making clients that stand a broker that goes away, and show it who they are (:mod:`.security`)."""

import asyncio
from typing import Any, Final

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.client import AIOKafkaClient
from aiokafka.conn import AIOKafkaConnection, CloseReason, create_conn
from aiokafka.errors import KafkaConnectionError, KafkaError

from zerotouch_contracts.kafka.security import client_options

REASON_SECONDS_MAX: Final = 2.0


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
        **client_options(),
    )
    producer.client.__class__ = SteadyClient
    return producer


def new_consumer(*topics: str, **options: Any) -> AIOKafkaConsumer:
    """A consumer, not started; ``options`` are aiokafka's own."""
    consumer = AIOKafkaConsumer(*topics, **options, **client_options())
    consumer._client.__class__ = SteadyClient
    return consumer


def new_admin(bootstrap_servers: str, **options: Any) -> AIOKafkaAdminClient:
    """A client for questions and for topics, not started; ``options`` are aiokafka's own."""
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap_servers, **options, **client_options())
    admin._client.__class__ = SteadyClient
    return admin


class SteadyClient(AIOKafkaClient):  # type: ignore[misc]  # aiokafka has no types
    """Waits before it asks again where the answer was of no use: aiokafka's sender asks for the leaders of partitions
    that have none as fast as it is answered or refused. And is cancelled where it is closed: aiokafka's takes that for
    the end of its own task and goes on, so that a loop which is told to end within it would run for ever.

    Put in by assigning ``__class__``: aiokafka has no place to say which client it makes.
    """

    async def bootstrap(self) -> None:
        try:
            await super().bootstrap()
        except KafkaConnectionError as error:
            raise KafkaConnectionError(f"{error}: {await self._reason()}") from error

    async def close(self) -> None:
        updating: asyncio.Task[None] | None = self._sync_task
        self._sync_task: asyncio.Task[None] | None = None
        if updating is not None:
            updating.cancel()
        await super().close()
        if updating is not None:
            await asyncio.wait([updating])

    async def _reason(self) -> str:
        """Why the first broker cannot be reached, or lets nobody in: aiokafka says it to its log alone."""
        host, port, _ = self.hosts[0]
        try:
            async with asyncio.timeout(REASON_SECONDS_MAX):
                (await create_conn(host, port, **self._connection_options())).close()
        except TimeoutError:
            return "no answer in time"
        except (OSError, KafkaError) as error:
            return f"{type(error).__name__}: {error}"
        return "it answers again"

    def _connection_options(self) -> dict[str, Any]:
        names = (
            "client_id", "request_timeout_ms", "ssl_context", "security_protocol", "sasl_mechanism",
            "sasl_plain_username", "sasl_plain_password", "sasl_oauth_token_provider",
        )  # fmt: skip
        return {name: getattr(self, f"_{name}") for name in names}

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
