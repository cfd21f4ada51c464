"""Outcomes are heard again after the broker and the database were away at once."""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime
from uuid import uuid4

import pytest
from aiokafka import ConsumerRecord
from tests.faults.proxy import BlackHole

from assistant_api.db import DatabaseUnavailable
from assistant_api.outcomes.consumer import LEAVE_SECONDS_MAX, OutcomesConsumer
from devstack.databases import DatabaseUrls
from devstack.fixtures import TestKafka
from devstack.sandbox import Sandbox
from zerotouch_contracts.envelope import to_record
from zerotouch_contracts.events import SettledRequest, SyncedTool, ToolsSynced
from zerotouch_contracts.kafka import drop_producer, new_producer

from ..harness import Harness, Vapi, eventually, make_settings, whole_service
from .lines import Ways

BACK_SECONDS_MAX = 40


@pytest.mark.timeout(180)
async def test_they_are_heard_after_both_were_away(
    ways: Ways, assistant_api_db: DatabaseUrls, sandbox: Sandbox, vapi: Vapi, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = make_settings(
        assistant_api_db,
        sandbox,
        kafka_bootstrap_servers=ways.line.address,
        assistants_topic=await ways.kafka.create_topic("assistants"),
        outcomes_topic=await ways.kafka.create_topic("outcomes"),
        tool_calls_topic=await ways.kafka.create_topic("tool-calls"),
        consumer_group=f"group-{uuid4()}",
    )
    handle, cut = OutcomesConsumer.handle, asyncio.Event()

    async def cut_off_at_first(consumer: OutcomesConsumer, records: Sequence[ConsumerRecord]) -> None:
        if not cut.is_set():
            proxy.mode = BlackHole()
            cut.set()
            raise DatabaseUnavailable("away, too")
        await handle(consumer, records)

    monkeypatch.setattr(OutcomesConsumer, "handle", cut_off_at_first)
    others = clients_that_fetch()
    proxy = await ways.line.open()
    try:
        async with whole_service(settings, assistant_api_db, vapi) as harness:
            org_id = await harness.organization()
            saved = await harness.agent(org_id, id="a")
            outcome = ToolsSynced(
                org_id=org_id,
                sequence=1,
                agent_id="a",
                assistant_id=saved["assistantId"],
                revision=1,
                tools=(SyncedTool(name="bookClinicAppointment", vapi_tool_id="t1", definition_version=1),),
                requests=(SettledRequest(request_id=saved["requestId"]),),
            )
            await say(ways.kafka, settings.outcomes_topic, outcome)
            await asyncio.wait_for(cut.wait(), BACK_SECONDS_MAX)
            await asyncio.sleep(LEAVE_SECONDS_MAX + 1)  # it does not get out of the group in that time
            await ways.line.close()
            await ways.line.open()

            await eventually(lambda: is_synced(harness), within_seconds=BACK_SECONDS_MAX)
            assert clients_that_fetch() == others + 1, "nothing is left of the one before"
    finally:
        await ways.line.close()


def clients_that_fetch() -> int:
    return sum("coro=<Fetcher._fetch_requests_routine" in repr(task) for task in asyncio.all_tasks())


async def say(kafka: TestKafka, topic: str, outcome: ToolsSynced) -> None:
    producer = new_producer(kafka.bootstrap_servers, "test", batch_bytes=16384, linger_ms=0, request_seconds_max=10)
    await producer.start()
    record = to_record(outcome, id=uuid4(), time=datetime.now(UTC), log_id=uuid4())
    await producer.send_and_wait(topic, record.value, record.key, headers=list(record.headers))
    await drop_producer(producer)


async def is_synced(harness: Harness) -> bool:
    answer = await harness.get("/api/assistants/a/status")
    return bool(answer.json()["state"] == "synced")
