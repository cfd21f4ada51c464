"""The peers do their work, in processes of their own: a peer that does less than ours would make ours look slow."""

import asyncio
import json
from pathlib import Path
from uuid import uuid4

import pytest
from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition
from benchmarks import saves, sides, span_sink
from benchmarks.append import UMADB, umadb_server
from benchmarks.machine import ROOT
from benchmarks.outcomes import check_all_synced
from benchmarks.sides import Side

from devstack import process
from devstack.databases import TestDatabases
from devstack.fixtures import TestKafka
from devstack.sandbox import Sandbox

SAVES = 5
PARTITIONS = 1


async def outcomes(kafka: TestKafka, topic: str, count: int) -> "list[ConsumerRecord[bytes, bytes]]":
    """The first ``count`` records of a topic."""
    consumer = AIOKafkaConsumer(
        bootstrap_servers=kafka.bootstrap_servers, enable_auto_commit=False, auto_offset_reset="earliest"
    )
    await consumer.start()
    try:
        consumer.assign([TopicPartition(topic, number) for number in range(PARTITIONS)])
        async with asyncio.timeout(60):
            return [await consumer.getone() for _ in range(count)]
    finally:
        await consumer.stop()


@pytest.mark.parametrize("side", [sides.PEER, sides.SAME_CLIENT, sides.DBOS], ids=lambda side: side.name)
async def test_a_peer_equips_every_assistant_and_says_so(
    side: Side, postgres: TestDatabases, kafka: TestKafka, sandbox: Sandbox, tmp_path: Path
) -> None:
    work = await saves.make_saves(sandbox.url, sandbox.api_key, [uuid4() for _ in range(SAVES)])
    saved = await kafka.create_topic(f"saved-{side.name}", partitions=PARTITIONS)
    settled = await kafka.create_topic(f"settled-{side.name}", partitions=PARTITIONS)
    await saves.publish(kafka.bootstrap_servers, saved, work)
    database = await postgres.create_empty_database("tool_sync")
    async with span_sink.collecting() as collector:
        environment = {
            "DATABASE_URL": database.owner,
            "KAFKA_BOOTSTRAP_SERVERS": kafka.bootstrap_servers,
            "ASSISTANTS_TOPIC": saved,
            "OUTCOMES_TOPIC": settled,
            "CONSUMER_GROUP": f"peer-{uuid4()}",
            "VAPI_BASE_URL": sandbox.url,
            "VAPI_API_KEY": sandbox.api_key,
            "TOOL_SERVER_URL": "https://assistant-api.example.test/api/vapi/tool-calls",
            "INSTALLATION_ID": str(uuid4()),
            "OTEL_EXPORTER_OTLP_ENDPOINT": collector.url,
        }
        peer = process.start(side.name, side.command, log=tmp_path / "peer.log", env=environment, cwd=ROOT)
        try:
            records = await outcomes(kafka, settled, SAVES)
        finally:
            await peer.stop()
    await postgres.drop(database)
    check_all_synced(records, [save.message.request_id for save in work])
    assert (collector.exports > 0) is (side is not sides.DBOS)


async def test_umadb_stores_what_it_answers_for(tmp_path: Path) -> None:
    async with umadb_server(tmp_path / "umadb.log") as url:
        child = await asyncio.create_subprocess_exec(*UMADB.command, url, stdout=asyncio.subprocess.PIPE, cwd=ROOT)
        output, _ = await child.communicate()
    assert child.returncode == 0, "it counts what it finds stored"
    assert json.loads(output)["appends_per_second"] > 0
