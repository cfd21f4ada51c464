"""The broker dies and comes back, while the service runs: nothing is lost and nobody has to do anything."""

from collections.abc import AsyncIterator
from pathlib import Path
from uuid import uuid4

import asyncpg
import pytest
from aiokafka import AIOKafkaProducer
from tests.support.eventually import eventually

from devstack import kafka as devstack_kafka
from devstack import topics as devstack_topics
from devstack.kafka import Broker
from devstack.ports import free_port
from tool_sync import db
from tool_sync.intake import Intake, new_consumer
from tool_sync.log import EventLog
from tool_sync.outcomes.relay import Relay
from tool_sync.settings import Settings
from zerotouch_platform import telemetry
from zerotouch_platform.supervisor import Loops

from .test_relay import append, by_org, synced
from .topics import LOG_ID, Topics

OUTAGE_SECONDS_MAX = 60


@pytest.fixture
async def broker(tmp_path: Path) -> AsyncIterator[list[Broker]]:
    """A broker of this test's own; the newest one is the last of the list."""
    brokers = [await devstack_kafka.start(tmp_path / "kafka", port=free_port())]
    await devstack_topics.create_contract_topics(brokers[0].bootstrap_servers, partitions=2)
    yield brokers
    await brokers[-1].stop()


@pytest.mark.timeout(180)
async def test_intake_and_relay_go_on_after_the_broker_was_killed(
    broker: list[Broker],
    settings: Settings,
    pool: db.Pool,
    event_log: EventLog,
    admin: "asyncpg.Connection[asyncpg.Record]",
    tmp_path: Path,
) -> None:
    mine = settings.model_copy(
        update={
            "kafka_bootstrap_servers": broker[0].bootstrap_servers,
            "assistants_topic": "assistants.v1",
            "outcomes_topic": "tool-sync.outcomes.v1",
            "relay_send_seconds_max": 2.0,
        }
    )
    relay = Relay(mine, pool, LOG_ID, telemetry.off())
    consumer = new_consumer(mine, Intake(mine, event_log, pool, telemetry.off(), "test"), pool)
    org = uuid4()

    async def well() -> bool:
        return consumer.problem is None and relay.leads

    async def relay_resigned() -> bool:
        return not relay.leads and relay.problem is not None

    async def saves_stored(count: int) -> bool:
        return bool(await admin.fetchval("SELECT count(*) = $1 FROM events WHERE type = 'SyncRequested'", count))

    async def published() -> bool:
        return bool(await admin.fetchval("SELECT position = (SELECT max(position) FROM events) FROM cursors"))

    async def send(count: int) -> None:
        producer = AIOKafkaProducer(bootstrap_servers=mine.kafka_bootstrap_servers, acks="all")
        await producer.start()
        topics = Topics(mine, producer)
        await topics.send([topics.save(org, revision=number + 1) for number in range(count)])
        await producer.stop()

    loops = Loops()
    loops.start("relay", relay)
    loops.start("intake", consumer)
    try:
        await eventually(well)
        await send(3)
        await append(event_log, org, synced(1))
        await eventually(lambda: saves_stored(3))
        await eventually(published)

        await broker[0].child.kill()
        await broker[0].stop()
        await append(event_log, org, synced(2), synced(3))  # an outcome while Kafka is away
        await eventually(relay_resigned)

        port = int(mine.kafka_bootstrap_servers.rpartition(":")[2])
        broker.append(await devstack_kafka.start(tmp_path / "kafka", port=port))
        await send(4)
        await eventually(lambda: saves_stored(7), within_seconds=OUTAGE_SECONDS_MAX)
        await append(event_log, org, synced(4))
        await eventually(published, within_seconds=OUTAGE_SECONDS_MAX)
    finally:
        await loops.stop("relay", "intake", seconds_max=5)
    producer = AIOKafkaProducer(bootstrap_servers=mine.kafka_bootstrap_servers)
    records = await Topics(mine, producer).outcomes()
    await producer.stop()
    sequences = by_org(records)[str(org)]
    assert list(dict.fromkeys(sequences)) == [1, 2, 3, 4]
