"""`replay`: `tool-sync replay` of a whole log to a new topic, from the start of the command to its end."""

import asyncio
import os
import sys
import time
from uuid import uuid4

from aiokafka import AIOKafkaConsumer, TopicPartition

from benchmarks.errors import NotMeasured
from benchmarks.figures import Say
from benchmarks.filled_log import EVENTS_OF_AN_ORG, PUBLISHED_OF_AN_ORG
from benchmarks.rows import Row
from benchmarks.world import KEEP, PARTITIONS, Corner, World
from devstack import topics
from devstack.topics import TopicSpec

SECONDS_MAX = 120.0


async def measure(world: World, place: Corner, events: int, rounds: int, say: Say) -> list[Row]:
    """The row. Raises :class:`benchmarks.errors.NotMeasured`."""
    rates = [await _replay(world, place, events, say) for _ in range(rounds)]
    return [Row("replay", "events/s", "higher", tuple(rates), goal="≥ 20,000")]


async def _replay(world: World, place: Corner, events: int, say: Say) -> float:
    topic = f"replay.{uuid4().hex[:8]}"
    await topics.create(world.bootstrap_servers, [TopicSpec(topic, PARTITIONS, KEEP)])
    try:
        started = time.perf_counter()
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "tool_sync", "replay", "--to-topic", topic, "--reason", "measured",
            env=os.environ | {
                "DATABASE_URL": place.database.service, "KAFKA_BOOTSTRAP_SERVERS": world.bootstrap_servers
            },
            stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
        )  # fmt: skip
        try:
            async with asyncio.timeout(SECONDS_MAX):
                _, errors = await process.communicate()
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
        seconds = time.perf_counter() - started
        if process.returncode != 0:
            raise NotMeasured(f"tool-sync replay ended with status {process.returncode}: {errors.decode()[-1000:]}")
        sent = await _records(world.bootstrap_servers, topic)
    finally:
        await topics.delete(world.bootstrap_servers, [topic])
    if sent < events // EVENTS_OF_AN_ORG * PUBLISHED_OF_AN_ORG:
        raise NotMeasured(f"the topic holds {sent} records")
    say(f"  replay: {sent / seconds:,.0f} events/s")
    return sent / seconds


async def _records(bootstrap_servers: str, topic: str) -> int:
    consumer = AIOKafkaConsumer(bootstrap_servers=bootstrap_servers, group_id=None)
    await consumer.start()
    try:
        ends = await consumer.end_offsets([TopicPartition(topic, number) for number in range(PARTITIONS)])
        return sum(ends.values())
    finally:
        await consumer.stop()
