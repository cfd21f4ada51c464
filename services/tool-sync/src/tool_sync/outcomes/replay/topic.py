"""Questions to the broker about one topic, without making it: a topic is made by deploy only."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any, Final

from aiokafka import AIOKafkaConsumer, TopicPartition

from tool_sync.outcomes.replay.errors import KafkaUnavailable
from zerotouch_contracts.kafka import TROUBLE, described, drop_consumer
from zerotouch_platform.kafka.topics import problem_of

ANSWER_SECONDS_MAX: Final = 30.0
STOP_SECONDS_MAX: Final = 2.0


async def require_topic(bootstrap_servers: str, topic: str) -> None:
    """Raises `KafkaUnavailable` where Kafka is away or has no such topic."""
    if reason := await problem_of(bootstrap_servers, [topic]):
        raise KafkaUnavailable(reason)


@asynccontextmanager
async def partitions_of(bootstrap_servers: str, topic: str) -> AsyncIterator[tuple[Any, Sequence[TopicPartition]]]:
    """Lends a consumer that is assigned all partitions of an existing topic, and these. Raises `KafkaUnavailable`."""
    await require_topic(bootstrap_servers, topic)
    consumer = AIOKafkaConsumer(
        bootstrap_servers=bootstrap_servers, group_id=None, enable_auto_commit=False, client_id="tool-sync-replay"
    )
    try:
        async with asyncio.timeout(ANSWER_SECONDS_MAX):
            await consumer.start()
            # Known to exist: asking for it by name makes nothing.
            await consumer._client._wait_on_metadata(topic)
            partitions = [TopicPartition(topic, number) for number in sorted(consumer.partitions_for_topic(topic))]
            consumer.assign(partitions)
            yield consumer, partitions
    except TROUBLE as error:
        raise KafkaUnavailable(f"{topic}: Kafka does not answer: {described(error)}") from error
    finally:
        await drop_consumer(consumer, STOP_SECONDS_MAX)


async def is_empty(bootstrap_servers: str, topic: str) -> bool:
    """True where no partition holds a record."""
    async with partitions_of(bootstrap_servers, topic) as (consumer, partitions):
        first, end = await consumer.beginning_offsets(partitions), await consumer.end_offsets(partitions)
        return all(first[partition] == end[partition] for partition in partitions)
