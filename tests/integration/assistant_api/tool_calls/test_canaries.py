"""Patients' data is in `appointments` and nowhere else: not on Kafka, in logs, spans, problems, nor in other tables."""

import json
import logging
import traceback
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, Final
from uuid import UUID, uuid4

import asyncpg
import httpx
import pytest
import structlog
from aiokafka import AIOKafkaConsumer, ConsumerRecord
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from tests.support.eventually import eventually

from assistant_api.app.application import create_app
from assistant_api.app.service import Service
from assistant_api.appointments import book
from devstack.databases import DatabaseUrls
from devstack.fixtures import TestKafka
from devstack.sandbox import Sandbox
from zerotouch_contracts.envelope import from_record
from zerotouch_contracts.events import ToolCallHandled

from ..harness import Harness, Vapi, make_settings
from .calling import KEYS, TOKENS, Caller, bearer, booking, call, cancelling, day, message, moving, signed

NAME: Final = "Canaria Nightingale"
PHONE: Final = "+49151770077077"
SERVICE: Final = "CanaryRootCanal"
NOTES: Final = "CanaryAllergicToPenicillin"
CANARIES: Final = ("Canaria", "Nightingale", "CanaryRootCanal", "CanaryAllergic", "770077077", *TOKENS, *KEYS)


def _bodies(org_id: UUID) -> list[dict[str, Any]]:
    """Calls of every outcome with canaries in every place that a caller or a model can reach."""
    full = {"patientName": NAME, "patientPhone": PHONE, "service": SERVICE, "notes": NOTES}
    them = {"patientPhone": PHONE}
    named = {**them, "patientName": NAME, "definition_version": 2}
    good = [
        call(booking(org_id, **full)),
        call(booking(org_id, **full)),
        call(moving(org_id, **them), name="rescheduleAppointment"),
        call(moving(org_id, **them, newTime="11:10"), name="rescheduleAppointment"),
        call(cancelling(org_id, **them), name="cancelAppointment"),
        call(cancelling(org_id, **them), name="cancelAppointment"),
        call(booking(org_id, **full)),
        call(moving(org_id, **named), name="rescheduleAppointment"),
        call(cancelling(org_id, **named, appointmentDate=day(8)), name="cancelAppointment"),
        call(cancelling(org_id, **{**named, "patientPhone": "00" + PHONE[1:]}), name="cancelAppointment"),
        call(booking(org_id, **{**full, "patientPhone": "+49770077077770077077"[:21]})),
    ]
    unheard = message(good[-3], customer=PHONE)
    del unheard["message"]["call"]
    bad = [
        call(booking(org_id, **full, appointmentDate=NAME)),
        call(booking(org_id, **full, appointmentTime=PHONE)),
        call(booking(org_id, **{**full, "patientName": NAME * 20})),
        call(booking(org_id, **{**full, "patientPhone": NAME})),
        call(booking(org_id, **{**full, "patientName": "{{" + NAME})),
        call(booking(org_id, **full, **{NAME: PHONE})),
        call(booking(NAME, **full)),
        call(booking(uuid4(), **full)),
        call(booking(org_id, **full, definition_version=NAME)),
        call(booking(org_id, **full), name="Nightingale"),
        call(booking(org_id, **full), tool_call_id=f"{NAME} {PHONE}"),
        call(json.dumps(booking(org_id, **full))[:-3]),
        call(NAME),
    ]
    from_there = [message(one, customer=PHONE) for one in (*good, *bad)]
    return [*from_there, unheard, message(*bad, customer=NAME), message(good[0], call_id=f"{NAME} {PHONE}")]


async def _records(kafka: TestKafka, topic: str, count: int) -> Sequence[ConsumerRecord]:
    consumer = AIOKafkaConsumer(
        topic, bootstrap_servers=kafka.bootstrap_servers, auto_offset_reset="earliest", group_id=None
    )
    await consumer.start()
    records: list[ConsumerRecord] = []

    async def enough() -> bool:
        for batch in (await consumer.getmany(timeout_ms=100)).values():
            records.extend(batch)
        return len(records) >= count

    try:
        await eventually(enough, within_seconds=20)
    finally:
        await consumer.stop()
    return records


def _found(*texts: object) -> set[str]:
    everything = "\n".join(str(text) for text in texts)
    return {canary for canary in CANARIES if canary in everything}


async def _other_tables(owner: "asyncpg.Connection[asyncpg.Record]") -> list[Any]:
    names = await owner.fetch(
        "SELECT relname FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace"
        " AND relname <> 'appointments'"
    )
    return [await owner.fetch(f"SELECT t::text FROM {name[0]} t") for name in names]  # noqa: S608


async def test_canaries_are_found_in_appointments_and_nowhere_else(
    assistant_api_db: DatabaseUrls,
    sandbox: Sandbox,
    vapi: Vapi,
    kafka: TestKafka,
    caplog: pytest.LogCaptureFixture,
    capsys: pytest.CaptureFixture[str],
) -> None:
    caplog.set_level(logging.DEBUG)
    topic, exporter = await kafka.create_topic("tool-calls"), InMemorySpanExporter()
    topics = [await kafka.create_topic("assistants"), await kafka.create_topic("outcomes"), topic]
    settings = make_settings(
        assistant_api_db,
        sandbox,
        kafka_bootstrap_servers=kafka.bootstrap_servers,
        assistants_topic=topics[0],
        outcomes_topic=topics[1],
        tool_calls_topic=topic,
        erasures_topic=await kafka.create_topic("erasures"),
        display_names_topic=await kafka.create_topic("names"),
        vapi_accounts_topic=await kafka.create_topic("accounts"),
        consumer_group=f"group-{uuid4()}",
        vapi_webhook_tokens=",".join(TOKENS),
        vapi_webhook_hmac_keys=",".join(KEYS),
        webhook_bytes_max=65_536,
    )
    service, owner = Service(settings, exporter=exporter), await asyncpg.connect(assistant_api_db.owner)
    transport = httpx.ASGITransport(create_app(service.parts), raise_app_exceptions=False)
    said: list[object] = []
    async with service.running(), httpx.AsyncClient(transport=transport, base_url="http://api") as http:
        harness = Harness(service, http, owner, vapi)
        caller = Caller(harness)
        await eventually(lambda: _ready(http), within_seconds=20)
        org_id = await harness.organization()
        with structlog.testing.capture_logs() as structured:
            for body in _bodies(org_id):
                raw = json.dumps(body).encode()
                answers = [await caller.send(body), await caller.send(raw, signed(raw))]
                said += [[entry.get("result", entry.get("error")) for entry in a.json()["results"]] for a in answers]
            problems = [
                await caller.send(raw, {"Authorization": f"Bearer {NAME}"}),
                await caller.send(raw[:-4]),
                await caller.send(raw + b" " * 70_000),
                await http.get(f"/api/appointments?after={NAME}", headers=harness.bearer(org_id)),
                await http.get(f"/api/appointments?limit={NAME}", headers=harness.bearer(org_id)),
                await http.put(f"/api/organizations/{org_id}/calendar", content=raw, headers=harness.bearer(org_id)),
                await http.get("/api/appointments", headers=bearer(NAME)),
            ]
            await _break_the_table(caller, owner, org_id, problems)
        handled = await owner.fetchval("SELECT count(*) FROM tool_calls")
        records = [await _records(kafka, topics[0], 1), await _records(kafka, topic, handled)]
    rows = [dict(row) for row in await owner.fetch("SELECT * FROM appointments")]
    tables = await _other_tables(owner)
    await owner.close()
    spans = [span.to_json() for span in exporter.get_finished_spans()]
    printed = capsys.readouterr()

    assert {problem.status_code for problem in problems} == {400, 401, 413, 422, 500}
    assert _found(rows) == set(CANARIES) - {*TOKENS, *KEYS}
    assert _found(*said) == set()
    assert _found(*(problem.text for problem in problems)) == set()
    assert _found(records) == set()
    assert _found(tables) == set()
    assert len(spans) > 2 * len(_bodies(org_id))
    assert _found(*spans) == set()
    assert len(structured) > len(_bodies(org_id))
    # This test's own client says what it asks for; the service's clients ask nobody at this address.
    logged = [record for record in caplog.records if "http://api/" not in record.getMessage()]
    assert len(logged) > 100
    assert _found(structured, *(str(record.__dict__) for record in logged)) == set()
    failures = [entry["exc_info"] for entry in structured if "exc_info" in entry]
    assert len(failures) == 1
    assert _found(*(line for failure in failures for line in traceback.format_exception(failure))) == set()
    assert _found(*printed) == set()
    codes = {_code(record) for record in records[1]}
    assert codes >= {"booked", "cancelled", "rescheduled", "not_a_slot", "no_appointment", "invalid_arguments"}


async def _ready(http: httpx.AsyncClient) -> bool:
    return (await http.get("/readyz")).status_code == 200


async def _break_the_table(
    caller: Caller, owner: "asyncpg.Connection[asyncpg.Record]", org_id: UUID, problems: list[httpx.Response]
) -> None:
    """The database refuses the row, and would quote it in its message."""
    await owner.execute("ALTER TABLE appointments ADD CONSTRAINT never CHECK (service <> 'CanaryRootCanal') NOT VALID")
    full = booking(org_id, patientName=NAME, patientPhone=PHONE, service=SERVICE, notes=NOTES, appointmentDate=day(9))
    problems.append(await caller.send(message(call(full))))
    await owner.execute("ALTER TABLE appointments DROP CONSTRAINT never")


def _code(record: ConsumerRecord) -> str:
    handled, attributes = from_record(record.key, record.value, record.headers)
    assert isinstance(handled, ToolCallHandled)
    assert attributes.traceparent
    assert abs((attributes.time - datetime.now(UTC)).total_seconds()) < 300
    return handled.code


async def test_what_the_database_refuses_is_reported_without_the_row(
    caller: Caller, org_id: UUID, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(book, "_INSERT", book._INSERT.replace("$7, $8, $9", "$7, $9, $8"))

    answer = await caller.send(message(call(booking(org_id, patientName=NAME))))

    assert answer.status_code == 500
    assert answer.json()["code"] == "TS-999"
    assert "Canaria" not in answer.text
    assert await caller.appointments() == []
