"""Outcomes that are gone before they were read are an alarm in readiness and metrics, and the service stays ready."""

import asyncio

import asyncpg
from tests.support.eventually import eventually
from typer.testing import CliRunner, Result

from assistant_api.cli.app import app
from assistant_api.settings import Settings
from devstack.databases import DatabaseUrls
from zerotouch_platform.kafka.places import read_places

from ...acceptance.collector import Collector, collecting
from ..lost_records import delete_before, fill
from .harness import Harness, Vapi, whole_service
from .test_kafka import settings, topics

__all__ = ["settings", "topics"]


async def test_lost_outcomes_are_told_until_somebody_acknowledges_them(
    settings: Settings,
    assistant_api_db: DatabaseUrls,
    vapi: Vapi,
) -> None:
    servers, topic = settings.kafka_bootstrap_servers, settings.outcomes_topic
    await fill(servers, topic, 2)

    async def read() -> bool:
        return (await read_places(servers, topic, settings.consumer_group))[0].committed == 2

    async with whole_service(settings, assistant_api_db, vapi) as harness:
        await eventually(read)
        assert "notes" not in (await harness.http.get("/readyz")).json()
    await fill(servers, topic, 4)
    await delete_before(servers, topic, 5)

    with collecting() as collector:
        told = settings.model_copy(update={"otel_exporter_otlp_endpoint": collector.endpoint})
        async with whole_service(told, assistant_api_db, vapi) as harness:
            await _is_told(harness, topic)
            assert harness.service.metrics is not None
            await harness.service.metrics.run_once()
        await eventually(lambda: _exported(collector, 3))
        assert {name for service, name in collector.gauges() if service == "assistant-api"} >= {
            "zerotouch.records.lost",
            "zerotouch.outbox.pending",
            "zerotouch.outbox.oldest",
        }
        await _acknowledge(assistant_api_db)

        async with whole_service(told, assistant_api_db, vapi) as harness:
            assert "notes" not in (await harness.http.get("/readyz")).json()
        await eventually(lambda: _exported(collector, 0))


async def _exported(collector: Collector, lost: int) -> bool:
    return collector.gauges().get(("assistant-api", "zerotouch.records.lost")) == lost


async def _is_told(harness: Harness, topic: str) -> None:
    ready = await harness.http.get("/readyz")
    assert ready.status_code == 200
    (lost,) = ready.json()["notes"]["recordsLost"]
    assert lost == f"{topic} partition 0, offsets 2 to 5: deleted before they were read"


async def _acknowledge(assistant_api_db: DatabaseUrls) -> None:
    def command(*arguments: str) -> Result:
        words = ["lost", *arguments, "--database-url", assistant_api_db.service]
        return CliRunner().invoke(app, words)

    listed = await asyncio.to_thread(command, "list")
    assert (listed.exit_code, "offsets 2 to 5" in listed.stdout) == (1, True)
    number = listed.stdout.split()[0]
    assert (await asyncio.to_thread(command, "acknowledge", number, "--reason", "published again")).exit_code == 0
    assert (await asyncio.to_thread(command, "acknowledge", number, "--reason", "published again")).exit_code == 2
    assert (await asyncio.to_thread(command, "list")).exit_code == 0
    assert (await asyncio.to_thread(command, "acknowledge", number, "--reason", "mail a@b.example")).exit_code == 2
    connection = await asyncpg.connect(assistant_api_db.service)
    logged = await connection.fetch("SELECT action, object_id, reason FROM access_log WHERE role = 'operator'")
    await connection.close()
    assert [tuple(row) for row in logged] == [("lost_records.acknowledge", number, "published again")]
