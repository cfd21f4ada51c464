"""`relay_outcomes_per_second`: outcomes that lie in the log are readable on Kafka; nothing else of tool-sync runs.

The relay is the service's own, in one process, without spans, as in `intake_records_per_second`. The clock starts with
the first page that is there.
"""

import asyncio
import time
from uuid import uuid4

import asyncpg
from aiokafka import AIOKafkaConsumer, TopicPartition

from benchmarks import filled_log
from benchmarks.errors import NotMeasured
from benchmarks.figures import Say
from benchmarks.rows import Row
from benchmarks.sides import OURS, environment
from benchmarks.world import PARTITIONS, World, corner
from tool_sync import db
from tool_sync.outcomes.relay import Relay
from tool_sync.settings import Settings
from zerotouch_platform.telemetry import off, start_loop

OUTCOMES = 50_000
EVENTS = OUTCOMES * filled_log.EVENTS_OF_AN_ORG // filled_log.PUBLISHED_OF_AN_ORG
SECONDS_MAX = 120.0
LOOK_SECONDS = 0.05

_FROM_THE_START = "DELETE FROM cursors"


async def measure(world: World, rounds: int, say: Say) -> list[Row]:
    """The row. Raises :class:`benchmarks.errors.NotMeasured`."""
    found = [await _one_round(world, say) for _ in range(rounds)]
    return [Row("relay_outcomes_per_second", "outcomes/s", "higher", tuple(found), goal="≥ 10,000")]


async def _one_round(world: World, say: Say) -> float:
    async with corner(world, "relay", migrated=True) as place:
        await filled_log.fill(place.database.admin, EVENTS)
        await _execute(place.database.admin, _FROM_THE_START)
        settings = Settings.model_validate({k.lower(): v for k, v in environment(world, place, OURS).items()})
        pool = await db.SESSIONS.pool(place.database.service, application_name="benchmark")
        relay = Relay(settings, pool, uuid4(), off())
        consumer = AIOKafkaConsumer(bootstrap_servers=world.bootstrap_servers, group_id=None)
        await consumer.start()
        leading = start_loop(relay.run_forever(), name="relay")
        try:
            before, own = world.cpu(), time.process_time()
            rate = await _rate(consumer, place.outcomes_topic)
            say(f"  relay: {rate:,.0f} outcomes/s; CPU {world.shares(before, ours=time.process_time() - own)}")
        finally:
            relay.stop()
            await leading
            await consumer.stop()
            await pool.close()
        return rate


async def _rate(consumer: AIOKafkaConsumer, topic: str) -> float:
    partitions = [TopicPartition(topic, number) for number in range(PARTITIONS)]
    began, first = time.monotonic(), (0, 0.0)
    while time.monotonic() - began < SECONDS_MAX:
        readable = sum((await consumer.end_offsets(partitions)).values())
        now = time.monotonic()
        if readable >= OUTCOMES:
            return float((readable - first[0]) / (now - first[1]))
        if readable and not first[0]:
            first = (readable, now)
        await asyncio.sleep(LOOK_SECONDS)
    raise NotMeasured(f"{readable} of {OUTCOMES} outcomes were readable within {SECONDS_MAX:g} s")


async def _execute(url: str, statement: str) -> None:
    connection = await asyncpg.connect(url)
    try:
        await connection.execute(statement)
    finally:
        await connection.close()
