"""No save fails while something behind the service is away, and each arrives once when it is back.

tool-sync runs in none of these tests: no save needs it.
"""

import asyncio
import logging
from collections import Counter
from dataclasses import dataclass
from typing import Any, Final, Literal
from urllib.parse import urlsplit

import httpx
import pytest
from tests.faults.proxy import BlackHole, Mode
from tests.support.eventually import eventually

from devstack.databases import DatabaseUrls
from devstack.fixtures import TestKafka
from devstack.ports import HOST, free_port
from devstack.sandbox import Sandbox
from zerotouch_contracts.envelope import from_record
from zerotouch_contracts.events import AssistantSaved

from ..harness import Harness, Vapi, make_settings, whole_service
from .lines import Line, Ways, read_all

NEW: Final = 15
CHANGED: Final = 15
BACK_SECONDS_MAX: Final = 40

HASTY: Final[dict[str, Any]] = {
    "answer_wait_seconds": 0.3,
    "vapi_deadline_seconds": 1.0,
    "send_window_seconds": 0.5,
    "settle_seconds": 2.0,
    "lease_seconds": 4,
    "retry_seconds_min": 0.1,
    "retry_seconds_max": 0.5,
    "breaker_seconds_max": 2,
}


@dataclass(frozen=True, slots=True)
class Outage:
    """What is away, and how: its port is closed (``mode`` None), or the network does this to it."""

    part: Literal["kafka", "vapi", "collector"]
    mode: Mode | None = None

    @property
    def answer(self) -> int:
        """What a save is answered: 202 where Vapi did not answer while the client waited."""
        return 202 if self.part == "vapi" else 200


OUTAGES: Final = {
    "Kafka refuses": Outage("kafka"),
    "Kafka hangs": Outage("kafka", BlackHole()),
    "Vapi refuses": Outage("vapi"),
    "Vapi hears nothing and hangs": Outage("vapi", BlackHole()),
    "Vapi works and never answers": Outage("vapi", BlackHole(answers=True)),
    "the collector refuses": Outage("collector"),
}


@pytest.mark.parametrize("outage", [pytest.param(outage, id=name) for name, outage in OUTAGES.items()])
async def test_every_save_is_taken_in_an_outage_and_arrives_once_after_it(
    outage: Outage,
    ways: Ways,
    assistant_api_db: DatabaseUrls,
    sandbox: Sandbox,
    vapi: Vapi,
    caplog: pytest.LogCaptureFixture,
) -> None:
    sandbox_port = urlsplit(sandbox.url).port
    assert sandbox_port is not None
    to_vapi = Line("vapi", sandbox_port)
    settings = make_settings(
        assistant_api_db,
        sandbox,
        vapi_base_url=f"http://{to_vapi.address}",
        otel_exporter_otlp_endpoint=f"http://{HOST}:{free_port()}" if outage.part == "collector" else None,
        **await ways.names(),
        relay_send_timeout_seconds=2,
        **(HASTY if outage.part == "vapi" else {}),
    )
    lines = {"kafka": ways.line, "vapi": to_vapi}
    proxies = {part: await line.open() for part, line in lines.items()}
    try:
        async with whole_service(settings, assistant_api_db, vapi) as harness:
            org_id = await harness.organization()
            before = [await harness.agent(org_id, id=f"old-{n}", firstMessage="One") for n in range(CHANGED)]
            await eventually(lambda: _at_rest(harness))

            if outage.part in lines:
                if outage.mode is None:
                    await lines[outage.part].close()
                else:
                    proxies[outage.part].mode = outage.mode
            answers = await asyncio.gather(
                *(harness.post("/api/agents", {"id": f"new-{n}", "name": "New"}, org_id) for n in range(NEW)),
                *(harness.patch(f"/api/agents/old-{n}", {"firstMessage": "Two"}, org_id) for n in range(CHANGED)),
            )
            assert Counter(answer.status_code for answer in answers) == {outage.answer: NEW + CHANGED}
            await eventually(lambda: _felt(outage, harness, caplog), within_seconds=20)

            if outage.part in lines:
                await lines[outage.part].close()
                await lines[outage.part].open()
            await eventually(lambda: _at_rest(harness), within_seconds=BACK_SECONDS_MAX)

            assert await harness.owner.fetchval("SELECT count(*) FROM saves WHERE state = 'saved'") == len(
                before
            ) + len(answers)
            await _each_was_written_once(harness, vapi)
    finally:
        for line in lines.values():
            await line.close()
    asked = Counter([*(it["requestId"] for it in before), *(_request_id(it) for it in answers)])
    published = Counter(await _published(ways.kafka, settings.assistants_topic))
    if outage.part == "kafka":  # a page that was not confirmed is sent again, as the same records
        assert published.keys() == asked.keys()
    else:
        assert published == asked


async def _felt(outage: Outage, harness: Harness, caplog: pytest.LogCaptureFixture) -> bool:
    """Whether the service has noticed: else nothing was tested."""
    match outage.part:
        case "kafka":
            reasons = harness.service.health.reasons()
            waiting = await harness.outbox()
            return bool(len(waiting) == NEW + CHANGED and "relay" in reasons)
        case "vapi":
            return bool(await harness.owner.fetchval("SELECT EXISTS (SELECT FROM vapi_keys WHERE reason = 'broken')"))
        case "collector":
            return any(
                record.name.startswith("opentelemetry.exporter") and record.levelno >= logging.WARNING
                for record in caplog.records
            )


async def _at_rest(harness: Harness) -> bool:
    return bool(
        await harness.owner.fetchval(
            "SELECT (SELECT bool_and(provisioned_revision = saved_revision) FROM agents)"
            " AND NOT EXISTS (SELECT FROM outbox)"
        )
    )


async def _each_was_written_once(harness: Harness, vapi: Vapi) -> None:
    rows = await harness.owner.fetch("SELECT id, vapi_assistant_id FROM agents")
    assert {row["vapi_assistant_id"] for row in rows} == {item["id"] for item in await vapi.assistants()}
    changed = {row["vapi_assistant_id"] for row in rows if row["id"].startswith("old-")}
    writes = {f"PATCH /assistant/{assistant_id}": 1 for assistant_id in changed}
    assert Counter(await vapi.writes()) == {"POST /assistant": NEW + CHANGED, **writes}


async def _published(kafka: TestKafka, topic: str) -> list[str]:
    records = await read_all(kafka.bootstrap_servers, topic)
    decoded = [from_record(record.key, record.value, record.headers) for record in records]
    return [attributes.id for message, attributes in decoded if isinstance(message, AssistantSaved)]


def _request_id(answer: httpx.Response) -> str:
    return str(answer.json()["requestId"])
