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
from tool_sync.intake.consumer import new_consumer
from tool_sync.intake.intake import Intake
from tool_sync.log import EventLog
from tool_sync.outcomes.published import ALL
from tool_sync.outcomes.relay import Relay
from tool_sync.settings import Settings
from zerotouch_platform import telemetry
from zerotouch_platform.supervisor import Loops

from .test_relay import announced, append, by_org, synced
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
            "fleet_topic": "tool-sync.fleet.v1",
            "relay_send_seconds_max": 2.0,
        }
    )
    relays = [Relay(mine, pool, LOG_ID, telemetry.off(), published=published) for published in ALL]
    consumer = new_consumer(mine, Intake(mine, event_log, pool, telemetry.off()), pool)
    org = uuid4()

    async def well() -> bool:
        return consumer.problem is None and all(relay.leads for relay in relays)

    async def relays_resigned() -> bool:
        return all(not relay.leads and relay.problem is not None for relay in relays)

    async def saves_stored(count: int) -> bool:
        return bool(await admin.fetchval("SELECT count(*) = $1 FROM events WHERE type = 'SyncRequested'", count))

    async def published() -> bool:
        done = "SELECT count(*) FILTER (WHERE position = (SELECT max(position) FROM events)) FROM cursors"
        return bool(await admin.fetchval(done) == len(ALL))

    async def send(count: int) -> None:
        producer = AIOKafkaProducer(bootstrap_servers=mine.kafka_bootstrap_servers, acks="all")
        await producer.start()
        topics = Topics(mine, producer)
        await topics.send([topics.save(org, revision=number + 1) for number in range(count)])
        await producer.stop()

    loops = Loops()
    for published_on, relay in zip(ALL, relays, strict=True):
        loops.start(published_on.name, relay)
    loops.start("intake", consumer)
    try:
        await eventually(well)
        await send(3)
        await append(event_log, org, synced(1), announced(1))
        await eventually(lambda: saves_stored(3))
        await eventually(published)

        await broker[0].child.kill()
        await broker[0].stop()
        await append(event_log, org, synced(2), announced(2), synced(3), announced(3))  # while Kafka is away
        await eventually(relays_resigned)

        port = int(mine.kafka_bootstrap_servers.rpartition(":")[2])
        broker.append(await devstack_kafka.start(tmp_path / "kafka", port=port))
        await send(4)
        await eventually(lambda: saves_stored(7), within_seconds=OUTAGE_SECONDS_MAX)
        await append(event_log, org, announced(4), synced(4))
        await eventually(published, within_seconds=OUTAGE_SECONDS_MAX)
    finally:
        await loops.stop("outcomes", "fleet", "intake", seconds_max=5)
    producer = AIOKafkaProducer(bootstrap_servers=mine.kafka_bootstrap_servers)
    for topic in ALL:
        records = await Topics(mine, producer).records(mine.topic_of(topic.topic))
        assert list(dict.fromkeys(by_org(records, topic)[str(org)])) == [1, 2, 3, 4]
    await producer.stop()
