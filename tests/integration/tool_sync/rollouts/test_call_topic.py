"""Calls over real Kafka: read by a group, at least once, and each counted once."""

import asyncio
from typing import Any
from uuid import UUID, uuid4

from aiokafka import AIOKafkaProducer
from tests.support.eventually import eventually

from devstack.fixtures import TestKafka
from tool_sync import db
from tool_sync.rollouts import call_intake
from tool_sync.rollouts.call_intake import CallIntake
from zerotouch_platform.kafka.consumer import BatchConsumer, Membership

from .calling import Calls, judged
from .world import World


def reader(world: World, kafka: TestKafka, topic: str, group: str) -> BatchConsumer:
    membership = Membership(kafka.bootstrap_servers, topic, group, "test", 3, 0.2, 0.05, watch_seconds=0.3)
    intake = CallIntake(world.context, world.pool)
    return BatchConsumer(
        membership, intake.handle, transaction=lambda: db.transaction(world.pool), transient=db.TRANSIENT_ERRORS
    )


async def test_calls_are_counted_once_however_often_the_topic_is_read(world: World, kafka: TestKafka) -> None:
    topic = await kafka.create_topic("calls")
    calls = Calls(world, CallIntake(world.context, world.pool))
    world.gated = True
    world.feeder = calls.feeder()
    clinics = await world.clinics(2)
    version = await world.publish("Says that it is looking.")
    rollout_id = await world.start(version, judged(clinics[:1]))
    await world.rest()

    producer = AIOKafkaProducer(bootstrap_servers=kafka.bootstrap_servers)
    await producer.start()
    later = calls.now() + call_intake.CLOCK_MARGIN
    said = [calls.call(clinics[n % 2], version - n % 2, at=later) for n in range(20)]
    said.append(calls.call(clinics[0], version, at=later, message_id=_id(said[0])))  # as its relay sends it again
    for record in said:
        await producer.send_and_wait(topic, record.value, record.key, headers=list(record.headers))
    await producer.send_and_wait(topic, b"\xff", b"?")
    await producer.stop()

    for group in (f"one-{uuid4()}", f"another-{uuid4()}"):
        consumer = reader(world, kafka, topic, group)
        running = asyncio.create_task(consumer.run_forever())

        async def is_read(consumer: BatchConsumer = consumer) -> bool:
            return consumer.behind_seconds() < 5

        await eventually(is_read, within_seconds=20)
        consumer.stop()
        await running
        assert await calls.counted(rollout_id) == (10, 0, 10, 0)


async def test_every_booking_is_counted_once_while_readers_come_and_go(world: World, kafka: TestKafka) -> None:
    """Two processes of one group, of which one is stopped in the middle of its work, and the other is cut off."""
    topic, group = await kafka.create_topic("calls"), f"counting-{uuid4()}"
    calls = Calls(world, CallIntake(world.context, world.pool))
    clinics = await world.clinics(8)
    producer = AIOKafkaProducer(bootstrap_servers=kafka.bootstrap_servers)
    await producer.start()

    async def send(number: int) -> None:
        for n in range(number):
            record = calls.call(clinics[n % 8], 1)
            for _ in range(1 + (n % 5 == 0)):  # some twice, as assistant-api's relay does where it dies in between
                await producer.send(topic, record.value, record.key, headers=list(record.headers))
        await producer.flush()

    async def counted() -> int:
        found: int = await world.connection.fetchval("SELECT coalesce(sum(calls), 0)::int FROM tool_call_counts")
        return found

    async def has(number: int) -> bool:
        return await counted() >= number

    first, second = reader(world, kafka, topic, group), reader(world, kafka, topic, group)
    one = asyncio.create_task(first.run_forever())
    await send(100)
    await eventually(lambda: has(20), within_seconds=20)
    other = asyncio.create_task(second.run_forever())
    await send(100)
    one.cancel()  # what it has handled and not committed comes to the other one
    await asyncio.gather(one, return_exceptions=True)
    await send(100)
    await eventually(lambda: has(300), within_seconds=40)
    second.stop()
    await other
    third = reader(world, kafka, topic, f"anew-{uuid4()}")  # as after a restore: from the beginning
    again = asyncio.create_task(third.run_forever())

    async def is_read() -> bool:
        return third.behind_seconds() < 5

    await eventually(is_read, within_seconds=20)
    third.stop()
    await again
    await producer.stop()
    assert await counted() == 300


def _id(record: Any) -> UUID:
    headers: dict[str, bytes] = dict(record.headers)
    return UUID(headers["ce_id"].decode())
