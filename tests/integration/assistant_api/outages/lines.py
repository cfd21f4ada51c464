"""The ways to what the service needs, each of which can be cut, and what Kafka has in the end."""

import asyncio
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from uuid import uuid4

from aiokafka import AIOKafkaConsumer, ConsumerRecord
from tests.faults.proxy import Proxy

from devstack.fixtures import TestKafka
from devstack.ports import HOST, free_port

from ..harness import own_topics

END_SECONDS_MAX = 10


class Line:
    """A port that leads to a server while it is open, and that refuses connections while it is not."""

    def __init__(self, name: str, to_port: int, port: int | None = None) -> None:
        self.name, self.to_port = name, to_port
        self.port = free_port() if port is None else port
        self._stack = AsyncExitStack()

    @property
    def address(self) -> str:
        """What clients connect to."""
        return f"{HOST}:{self.port}"

    async def open(self) -> Proxy:
        """Let connections through from now on."""
        return await self._stack.enter_async_context(Proxy(self.name, self.to_port, self.port))

    async def close(self) -> None:
        """Cut all connections and refuse new ones; nothing happens where it is closed."""
        await self._stack.aclose()


@dataclass(frozen=True, slots=True)
class Ways:
    """A broker of these tests' own, which sends its clients through a line, and its direct address."""

    kafka: TestKafka
    line: Line

    async def names(self) -> dict[str, str]:
        """The part of a service's settings that makes it use them, with topics and a group of its own."""
        return {
            "kafka_bootstrap_servers": self.line.address,
            **await own_topics(self.kafka),
            "consumer_group": f"group-{uuid4()}",
        }


async def read_all(bootstrap_servers: str, topic: str) -> Sequence[ConsumerRecord]:
    """Every record that the topic has now."""
    consumer = AIOKafkaConsumer(topic, bootstrap_servers=bootstrap_servers, auto_offset_reset="earliest", group_id=None)
    await consumer.start()
    try:
        async with asyncio.timeout(END_SECONDS_MAX):
            partitions = consumer.assignment()
            assert partitions, f"{topic} has no partitions"
            ends = await consumer.end_offsets(partitions)
            records: list[ConsumerRecord] = []
            while any([await consumer.position(it) < ends[it] for it in partitions]):
                for batch in (await consumer.getmany(timeout_ms=100)).values():
                    records += batch
            return records
    finally:
        await consumer.stop()
