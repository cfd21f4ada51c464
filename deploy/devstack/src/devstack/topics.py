"""Topics of a Kafka broker: its health check (a real round trip) and the creation of topics.

Deploying creates topics, clients never do; the number of partitions is fixed then, because keys keep their order.
"""

import asyncio
import uuid
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import KafkaError, TopicAlreadyExistsError, for_code

from devstack import process
from devstack.errors import NotPossible
from devstack.ports import listening

REQUEST_TIMEOUT_MS = 10_000
LEADERS_SECONDS = 10.0
ROUND_TRIP_SECONDS = 20.0
HEALTH_TOPIC = "devstack.health"


@dataclass(frozen=True, slots=True)
class TopicSpec:
    """A topic to create: its name, number of partitions and configuration."""

    name: str
    partitions: int
    configs: Mapping[str, str] = field(default_factory=dict)


@asynccontextmanager
async def admin(bootstrap_servers: str) -> AsyncIterator[AIOKafkaAdminClient]:
    """Lends a connected admin client."""
    client = AIOKafkaAdminClient(bootstrap_servers=bootstrap_servers, request_timeout_ms=REQUEST_TIMEOUT_MS)
    await client.start()
    try:
        yield client
    finally:
        await client.close()


async def create(bootstrap_servers: str, specs: Iterable[TopicSpec], *, replication_factor: int = 1) -> None:
    """Creates the topics that do not exist, and waits until every partition has a leader.

    An existing topic is left as it is; raises `NotPossible` where its number of partitions differs from the wanted
    one, `KafkaError` where the broker refuses.
    """
    wanted = tuple(specs)
    new = [NewTopic(s.name, s.partitions, replication_factor, topic_configs=dict(s.configs)) for s in wanted]
    async with admin(bootstrap_servers) as client:
        response = await client.create_topics(new, timeout_ms=REQUEST_TIMEOUT_MS)
        for name, code, message in response.topic_errors:
            if code not in (0, TopicAlreadyExistsError.errno):
                raise for_code(code)(f"topic {name} was not created: {message}")
        reason = await process.wait_until(lambda: _not_ready(client, wanted), LEADERS_SECONDS)
        if reason is not None:
            raise NotPossible(f"topics are not ready within {LEADERS_SECONDS:.0f} s: {reason}")


async def create_contract_topics(bootstrap_servers: str, *, partitions: int | None = None) -> None:
    """Creates the topics of the wire contract; `partitions` overrides the number of each."""
    from zerotouch_contracts.topics import TOPICS, durability

    specs = [TopicSpec(t.name, partitions or t.partitions, {**t.configs, **durability(1)}) for t in TOPICS]
    await create(bootstrap_servers, specs)


async def delete(bootstrap_servers: str, names: Iterable[str]) -> None:
    """Deletes topics; raises `KafkaError` for one that the broker keeps."""
    async with admin(bootstrap_servers) as client:
        response = await client.delete_topics(list(names), timeout_ms=REQUEST_TIMEOUT_MS)
        for name, code, *_ in response.topic_error_codes:
            if code != 0:
                raise for_code(code)(f"topic {name} was not deleted")


async def not_answering(bootstrap_servers: str) -> str | None:
    """A health check: one record goes to a topic and comes back through a consumer group; else says what went wrong."""
    host, _, port = bootstrap_servers.split(",")[0].rpartition(":")
    if not await listening(int(port), host):
        return f"nobody listens on {bootstrap_servers}"
    try:
        async with asyncio.timeout(ROUND_TRIP_SECONDS):
            return await _round_trip(bootstrap_servers)
    except (KafkaError, OSError, TimeoutError) as error:
        return f"{type(error).__name__}: {error}"


async def _round_trip(bootstrap_servers: str) -> str | None:
    await create(bootstrap_servers, [TopicSpec(HEALTH_TOPIC, 1, {"retention.ms": "60000"})])
    token = uuid.uuid4().hex
    producer = AIOKafkaProducer(bootstrap_servers=bootstrap_servers, acks="all")
    await producer.start()
    try:
        sent = await producer.send_and_wait(HEALTH_TOPIC, token.encode())
    finally:
        await producer.stop()
    consumer = AIOKafkaConsumer(
        HEALTH_TOPIC,
        bootstrap_servers=bootstrap_servers,
        group_id=f"{HEALTH_TOPIC}.{token}",
        auto_offset_reset="earliest",
        enable_auto_commit=False,
    )
    await consumer.start()
    try:
        async for record in consumer:
            if record.offset == sent.offset:
                return None if record.value == token.encode() else f"sent {token}, received {record.value!r}"
    finally:
        await consumer.stop()
    return "the consumer ended"


async def _not_ready(client: AIOKafkaAdminClient, wanted: tuple[TopicSpec, ...]) -> str | None:
    found = {topic["topic"]: topic for topic in await client.describe_topics([spec.name for spec in wanted])}
    for spec in wanted:
        topic = found.get(spec.name)
        if topic is None or topic["error_code"] != 0 or not topic["partitions"]:
            return f"{spec.name} is not known yet"
        if any(partition["leader"] < 0 for partition in topic["partitions"]):
            return f"a partition of {spec.name} has no leader"
        if len(topic["partitions"]) != spec.partitions:
            raise NotPossible(
                f"topic {spec.name}: expected {spec.partitions} partitions, found {len(topic['partitions'])}; "
                "the number is fixed at creation, because keys keep their order"
            )
    return None
