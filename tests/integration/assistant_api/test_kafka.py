"""The relay and the outcomes' consumer on a real broker."""

import asyncio
from collections.abc import Sequence
from typing import Any
from uuid import uuid4

import asyncpg
import pytest_asyncio
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, ConsumerRecord
from aiokafka.admin import AIOKafkaAdminClient
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from tests.support.eventually import eventually

from assistant_api.app.service import Service
from assistant_api.settings import Settings
from devstack.databases import DatabaseUrls
from devstack.fixtures import TestKafka
from devstack.sandbox import Sandbox
from zerotouch_contracts.envelope import from_record
from zerotouch_contracts.events import (
    AssistantDiverged,
    AssistantSaved,
    OrganizationSaved,
    SettledRequest,
    SyncedTool,
    ToolsSynced,
    ToolSyncFailed,
)

from .harness import Vapi, make_settings, say, status_when, whole_service


@pytest_asyncio.fixture(loop_scope="session")
async def topics(kafka: TestKafka) -> tuple[str, str]:
    """Topics of this test's own: assistants, outcomes."""
    return await kafka.create_topic("assistants"), await kafka.create_topic("outcomes")


@pytest_asyncio.fixture(loop_scope="session")
async def settings(
    assistant_api_db: DatabaseUrls, sandbox: Sandbox, kafka: TestKafka, topics: tuple[str, str]
) -> Settings:
    """Settings with a broker."""
    return make_settings(
        assistant_api_db,
        sandbox,
        kafka_bootstrap_servers=kafka.bootstrap_servers,
        assistants_topic=topics[0],
        outcomes_topic=topics[1],
        tool_calls_topic=await kafka.create_topic("tool-calls"),
        erasures_topic=await kafka.create_topic("erasures"),
        display_names_topic=await kafka.create_topic("names"),
        vapi_accounts_topic=await kafka.create_topic("accounts"),
        consumer_group=f"group-{uuid4()}",
    )


async def _read(kafka: TestKafka, topic: str, count: int) -> Sequence[ConsumerRecord]:
    consumer = AIOKafkaConsumer(
        topic, bootstrap_servers=kafka.bootstrap_servers, auto_offset_reset="earliest", group_id=None
    )
    await consumer.start()
    records: list[ConsumerRecord] = []
    try:
        async with asyncio.timeout(20):
            while len(records) < count:
                for batch in (await consumer.getmany(timeout_ms=200)).values():
                    records += batch
    finally:
        await consumer.stop()
    return records


def _outcome(saved: AssistantSaved, sequence: int = 1, **changes: Any) -> dict[str, Any]:
    return {
        "org_id": saved.org_id,
        "sequence": sequence,
        "agent_id": saved.agent_id,
        "assistant_id": saved.assistant_id,
        "revision": saved.revision,
        "tools": (SyncedTool(name="bookClinicAppointment", vapi_tool_id="t1", definition_version=1),),
        "requests": (SettledRequest(request_id=saved.request_id),),
        **changes,
    }


async def _saved(kafka: TestKafka, settings: Settings, count: int = 2) -> tuple[AssistantSaved, str]:
    """The last AssistantSaved of the topic and its traceparent, once the topic has ``count`` records."""
    found = [
        (message, attributes.traceparent or "")
        for record in await _read(kafka, settings.assistants_topic, count)
        for message, attributes in [from_record(record.key, record.value, record.headers)]
        if isinstance(message, AssistantSaved)
    ]
    return found[-1]


async def test_saves_reach_kafka_in_order_with_their_key_and_headers(
    settings: Settings, assistant_api_db: DatabaseUrls, vapi: Vapi, kafka: TestKafka
) -> None:
    async with whole_service(settings, assistant_api_db, vapi) as harness:
        org_id = await harness.organization("Clinic")
        saved = await harness.agent(org_id, id="a")
        for _ in range(3):
            await harness.post("/api/assistants/sync", {"agentId": "a"}, org_id)

        records = await _read(kafka, settings.assistants_topic, 5)

        decoded = [from_record(record.key, record.value, record.headers) for record in records]
        assert isinstance(decoded[0][0], OrganizationSaved)
        revisions = [message.revision for message, _ in decoded if isinstance(message, AssistantSaved)]
        assert revisions == [1, 2, 3, 4]
        assert {attributes.org_id for _, attributes in decoded} == {org_id}
        assert decoded[1][1].id == saved["requestId"]
        assert (decoded[1][1].traceparent or "").split("-")[1] == saved["traceId"]
        log_id = await harness.owner.fetchval("SELECT log_id FROM installation")
        assert {attributes.log_id for _, attributes in decoded} == {log_id}

        async def empty() -> bool:
            return bool(await harness.owner.fetchval("SELECT count(*) = 0 FROM outbox"))

        await eventually(empty)


async def test_an_outcome_becomes_the_status(
    settings: Settings, assistant_api_db: DatabaseUrls, vapi: Vapi, kafka: TestKafka
) -> None:
    async with whole_service(settings, assistant_api_db, vapi) as harness:
        org_id = await harness.organization()
        await harness.agent(org_id, id="a")
        status = (await harness.get("/api/assistants/a/status", org_id)).json()
        assert (status["state"], status["success"], status["toolsRegistered"]) == ("syncing", False, [])
        saved, traceparent = await _saved(kafka, settings)

        await say(settings, ToolsSynced(**_outcome(saved)), traceparent=traceparent)

        status = await eventually(lambda: status_when(harness, "a", "synced"))
        assert status["success"] is True
        assert status["toolsRegistered"] == ["bookClinicAppointment"]
        assert status["traceId"] == traceparent.split("-")[1]

        failed = ToolSyncFailed(
            **_outcome(saved, 2, tools=(), failed_tools=({"name": "bookClinicAppointment", "code": "TS-301"},)),
            code="TS-301",
        )
        await say(settings, failed)
        status = await eventually(lambda: status_when(harness, "a", "failed"))
        assert (status["code"], status["failedTools"]) == ("TS-301", ["bookClinicAppointment"])


async def test_an_older_outcome_that_comes_again_changes_nothing(
    settings: Settings, assistant_api_db: DatabaseUrls, vapi: Vapi, kafka: TestKafka
) -> None:
    async with whole_service(settings, assistant_api_db, vapi) as harness:
        org_id = await harness.organization()
        await harness.agent(org_id, id="a")
        await harness.agent(org_id, id="b")
        saved, _ = await _saved(kafka, settings, 3)
        other_id = "a" if saved.agent_id == "b" else "b"
        assistant_id = (await harness.row(other_id))["vapi_assistant_id"]
        other = saved.model_copy(update={"agent_id": other_id, "assistant_id": assistant_id})

        await say(
            settings,
            ToolSyncFailed(**_outcome(saved, 5, tools=()), code="TS-302"),
            ToolsSynced(**_outcome(saved, 4)),
            ToolsSynced(**_outcome(other, 6)),
        )

        await eventually(lambda: status_when(harness, other.agent_id, "synced"))
        assert (await harness.get(f"/api/assistants/{saved.agent_id}/status", org_id)).json()["state"] == "failed"


async def test_records_that_cannot_be_read_are_passed_over(
    settings: Settings, assistant_api_db: DatabaseUrls, vapi: Vapi, kafka: TestKafka
) -> None:
    async with whole_service(settings, assistant_api_db, vapi) as harness:
        org_id = await harness.organization()
        await harness.agent(org_id, id="a")
        saved, _ = await _saved(kafka, settings)
        producer = AIOKafkaProducer(bootstrap_servers=settings.kafka_bootstrap_servers)
        await producer.start()
        key = str(org_id).encode()
        await producer.send_and_wait(settings.outcomes_topic, b"not json", key)
        await producer.send_and_wait(settings.outcomes_topic, None, key)
        await producer.send_and_wait(settings.outcomes_topic, b"{}", key, headers=[("ce_type", b"\xff")])
        await producer.stop()

        unknown_org = saved.model_copy(update={"org_id": uuid4()})
        await say(settings, ToolsSynced(**_outcome(unknown_org)), ToolsSynced(**_outcome(saved)))

        await eventually(lambda: status_when(harness, "a", "synced"))


async def test_a_diverged_assistant_is_written_again_three_times_an_hour(
    settings: Settings, assistant_api_db: DatabaseUrls, vapi: Vapi, kafka: TestKafka
) -> None:
    async with whole_service(settings, assistant_api_db, vapi) as harness:
        org_id = await harness.organization()
        saved = await harness.agent(org_id, id="a", firstMessage="Ours")
        assistant_id = saved["assistantId"]

        for sequence in range(1, 5):
            older = {"firstMessage": f"Older {sequence}"}
            (await vapi.api.patch(f"/assistant/{assistant_id}", json=older)).raise_for_status()
            revision = (await harness.row("a"))["saved_revision"]
            diverged = AssistantDiverged(
                org_id=org_id, sequence=sequence, agent_id="a", assistant_id=assistant_id, revision=revision
            )
            await say(settings, diverged, diverged)
            if sequence <= 3:
                await eventually(lambda: _first_message(vapi, assistant_id, "Ours"))

        stale = diverged.model_copy(update={"revision": 1, "sequence": 5})
        synced, _ = await _saved(kafka, settings, 5)
        await say(settings, stale, ToolsSynced(**_outcome(synced, 6)))
        await eventually(lambda: status_when(harness, "a", "synced"))
        assert await harness.saves("a") == [(1, "save", "saved"), *((n, "repair", "saved") for n in (2, 3, 4))]
        assert (await vapi.assistant(assistant_id))["firstMessage"] == "Older 4"


async def test_one_trace_leads_from_the_post_to_the_outcomes_consumer(
    settings: Settings, assistant_api_db: DatabaseUrls, vapi: Vapi, kafka: TestKafka
) -> None:
    exporter = InMemorySpanExporter()
    async with whole_service(settings, assistant_api_db, vapi, exporter) as harness:
        org_id = await harness.organization()
        answer = await harness.agent(org_id, id="a")
        saved, traceparent = await _saved(kafka, settings)
        await say(settings, ToolsSynced(**_outcome(saved)), traceparent=traceparent)
        await eventually(lambda: status_when(harness, "a", "synced"))
    trace_id = int(answer["traceId"], 16)
    spans = {span.name: span for span in exporter.get_finished_spans() if span.context.trace_id == trace_id}

    assert set(spans) == {
        "POST /api/agents",
        "provision assistant",
        "POST /assistant",
        f"send {settings.assistants_topic}",
        f"send {settings.display_names_topic}",
        f"process {settings.outcomes_topic}",
    }
    ids = {span.context.span_id for span in spans.values()}
    roots = [span for span in spans.values() if span.parent is None]
    assert [span.name for span in roots] == ["POST /api/agents"]
    assert all(span.parent is None or span.parent.span_id in ids for span in spans.values())


async def test_two_relays_have_one_leader_and_the_other_takes_over(
    settings: Settings, assistant_api_db: DatabaseUrls, vapi: Vapi, kafka: TestKafka
) -> None:
    async with whole_service(settings, assistant_api_db, vapi) as first:
        async with whole_service(settings, assistant_api_db, vapi) as second:
            await second.organization()
            await _read(kafka, settings.assistants_topic, 1)
            assert await _leaders(assistant_api_db) == 1
        await first.organization()
        await _read(kafka, settings.assistants_topic, 2)
        assert await _leaders(assistant_api_db) == 1
    async with whole_service(settings, assistant_api_db, vapi) as third:
        await third.organization()
        await _read(kafka, settings.assistants_topic, 3)


async def test_a_relay_that_loses_its_lock_begins_again(
    settings: Settings, assistant_api_db: DatabaseUrls, vapi: Vapi, kafka: TestKafka
) -> None:
    async with whole_service(settings, assistant_api_db, vapi) as harness:
        await harness.organization()
        await _read(kafka, settings.assistants_topic, 1)
        admin = await asyncpg.connect(assistant_api_db.admin)
        ended = await admin.fetchval(
            "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity"
            " WHERE application_name = 'assistant-api relay' AND datname = current_database()"
        )
        await admin.close()
        assert ended == 1

        org_id = await harness.organization("After")

        records = await _read(kafka, settings.assistants_topic, 2)
        assert str(org_id).encode() in {record.key for record in records}


async def test_missing_topics_are_named_and_not_made(
    settings: Settings, assistant_api_db: DatabaseUrls, vapi: Vapi, kafka: TestKafka
) -> None:
    name = f"missing-{uuid4().hex}"
    broken = settings.model_copy(update={"assistants_topic": name})
    service = Service(broken)
    async with service.running():

        async def reason() -> str:
            return (await service.health.ready_problems()).get("kafka", "")

        assert name in await eventually(lambda: _when(reason, name), within_seconds=15)
    admin = AIOKafkaAdminClient(bootstrap_servers=kafka.bootstrap_servers)
    await admin.start()
    topics = await admin.list_topics()
    await admin.close()
    assert name not in topics


async def _leaders(urls: DatabaseUrls) -> int:
    connection = await asyncpg.connect(urls.admin)
    try:
        return int(
            await connection.fetchval(
                "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND granted AND database ="
                " (SELECT oid FROM pg_database WHERE datname = current_database())"
            )
        )
    finally:
        await connection.close()


async def _when(read: Any, part: str) -> str | None:
    text: str = await read()
    return text if part in text else None


async def _first_message(vapi: Vapi, assistant_id: str, text: str) -> bool:
    return bool((await vapi.assistant(assistant_id))["firstMessage"] == text)
