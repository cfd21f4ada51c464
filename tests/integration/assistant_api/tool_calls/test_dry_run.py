"""A dry run is what a caller would hear, and nothing stays of it; the webhook has no such switch."""

import asyncio
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import httpx
import pytest

from assistant_api.appointments.access import tried_calendar_of
from assistant_api.db import TRANSIENT_ERRORS

from ..harness import Harness
from .calling import PATH, Caller, bearer, booking, call, cancelling, day, message, moving, shaped

NAMED = {"patientName": "Erika Example"}
WHY = {"X-Access-Reason": "a test"}
ALL = ("appointments", "tool_calls", "outbox", "missed_claims", "organizations", "former_revisions", "saves")


async def tried(harness: Harness, org_id: UUID, arguments: dict[str, Any], tool: str, **body: Any) -> httpx.Response:
    filled_in = {"organizationId": str(org_id), "arguments": arguments, **body}
    return await harness.post(f"/api/tools/{tool}/dry-run", filled_in, headers=WHY)


async def everything(harness: Harness) -> dict[str, list[str]]:
    """Every row of every table that a call may touch, with who wrote it."""
    found = {}
    for table in ALL:
        select = f"SELECT (t.xmin::text, t)::text FROM {table} t ORDER BY 1"  # noqa: S608 - our own names
        found[table] = [row[0] for row in await harness.owner.fetch(select)]
    return found


@pytest.mark.parametrize("contract", [1, 2, None])
async def test_a_booking_that_is_tried_out_is_told_and_is_not_there(
    caller: Caller, harness: Harness, org_id: UUID, contract: int | None
) -> None:
    before = await everything(harness)

    answer = await tried(harness, org_id, booking(org_id), "bookClinicAppointment", contract=contract)

    assert answer.status_code == 200, answer.text
    assert answer.json() == {
        "success": True,
        "code": "booked",
        "answer": f"Booked for {day()} at 10:00.",
        "contract": contract or 2,
    }
    assert await everything(harness) == before
    assert await caller.result(booking(org_id)) == f"Booked for {day()} at 10:00.", "the slot is free"


async def test_moving_and_cancelling_are_told_and_change_nothing(
    caller: Caller, harness: Harness, org_id: UUID
) -> None:
    await caller.result(booking(org_id))
    await caller.result(booking(org_id, appointmentTime="12:00", patientName="Somebody Else"))
    before = await everything(harness)

    moved = await tried(harness, org_id, moving(org_id, **NAMED), "rescheduleAppointment")
    in_the_way = await tried(harness, org_id, moving(org_id, **NAMED, newTime="12:00"), "rescheduleAppointment")
    cancelled = await tried(harness, org_id, cancelling(org_id, **NAMED), "cancelAppointment")

    said = [(one.json()["success"], one.json()["code"]) for one in (moved, in_the_way, cancelled)]
    assert said == [(True, "rescheduled"), (False, "taken"), (True, "cancelled")]
    assert await everything(harness) == before


async def test_misses_of_a_dry_run_lock_no_caller_out(caller: Caller, harness: Harness, org_id: UUID) -> None:
    await caller.result(booking(org_id))
    before = await everything(harness)

    for _ in range(5):
        missed = await tried(harness, org_id, cancelling(org_id, patientName="Wrong"), "cancelAppointment")
        assert (missed.json()["success"], missed.json()["code"]) == (False, "no_appointment")

    assert await everything(harness) == before


async def test_arguments_that_do_not_fit_are_told_as_the_model_would_hear_it(harness: Harness, org_id: UUID) -> None:
    answer = await tried(harness, org_id, booking(org_id, patientName=""), "bookClinicAppointment")

    assert (answer.status_code, answer.json()["success"], answer.json()["code"]) == (200, False, "invalid_arguments")
    assert "patientName is missing" in answer.json()["answer"]


async def test_the_clinic_is_the_bodys_and_never_the_arguments(harness: Harness, org_id: UUID) -> None:
    other = await harness.organization("Other")
    path = f"/api/organizations/{other}/calendar"
    await harness.http.put(path, json={"services": ["Whitening"]}, headers=harness.bearer())

    answer = await tried(harness, other, booking(org_id), "bookClinicAppointment")

    assert answer.json()["code"] == "unknown_service"


async def test_what_is_not_answered_here_is_not_found(harness: Harness, org_id: UUID) -> None:
    unknown = await tried(harness, org_id, {}, "bookClinicApointment")
    contract = await tried(harness, org_id, {}, "bookClinicAppointment", contract=7)
    gone = await tried(harness, uuid4(), booking(org_id), "bookClinicAppointment")

    assert [(one.status_code, one.json()["code"]) for one in (unknown, contract, gone)] == [(404, "TS-904")] * 3
    assert "did you mean bookClinicAppointment?" in unknown.json()["detail"]
    assert "of this tool are: 1, 2" in contract.json()["detail"]


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"organizationId": "x", "arguments": {}},
        {"arguments": {}},
        {"arguments": [], "organizationId": str(uuid4())},
    ],
)
async def test_a_body_without_the_form_is_refused(harness: Harness, body: Any) -> None:
    answer = await harness.post("/api/tools/bookClinicAppointment/dry-run", body, headers=WHY)
    assert (answer.status_code, answer.json()["code"]) == (422, "TS-901")


async def test_only_the_platform_tries_tools_out(harness: Harness, org_id: UUID) -> None:
    body = {"organizationId": str(org_id), "arguments": booking(org_id)}
    answer = await harness.post("/api/tools/bookClinicAppointment/dry-run", body, org_id)
    assert answer.status_code == 403


@pytest.mark.parametrize(
    ("in_arguments", "in_message", "in_headers", "query"),
    [
        ({"dryRun": True}, {}, {}, ""),
        ({"dry_run": "true"}, {}, {}, ""),
        ({}, {"dryRun": True}, {}, ""),
        ({}, {}, {"dryRun": "true", "x-dry-run": "true", "prefer": "dry-run"}, ""),
        ({}, {}, {}, "?dryRun=true&dry_run=1"),
    ],
)
async def test_the_webhook_has_no_such_switch(
    caller: Caller, org_id: UUID, in_arguments: Any, in_message: Any, in_headers: dict[str, str], query: str
) -> None:
    body = message(call(booking(org_id, **in_arguments)))
    body["message"] |= in_message

    answer = await caller.harness.http.post(PATH + query, json=body | in_message, headers=bearer() | in_headers)

    (entry,) = shaped(answer)
    assert entry["result"] == f"Booked for {day()} at 10:00."
    assert len(await caller.appointments(org_id)) == 1
    assert len(await caller.harness.outbox("ToolCallHandled")) == 1


async def _sleep_in(harness: Harness, org_id: UUID, lock: str) -> None:
    async with tried_calendar_of(harness.service.database, org_id) as connection:
        await connection.execute(lock, str(org_id))
        await asyncio.sleep(3)
        await connection.execute("SELECT 1")


async def test_who_sleeps_in_a_dry_run_is_cut_off_and_holds_no_caller_up_for_long(
    harness: Harness, org_id: UUID
) -> None:
    lock = "SELECT pg_advisory_xact_lock(hashtext($1))"
    with pytest.raises(TRANSIENT_ERRORS):
        await _sleep_in(harness, org_id, lock)
    async with asyncio.timeout(1):
        await harness.owner.execute(lock, str(org_id))


async def test_neither_a_savepoint_nor_an_error_leaves_anything(harness: Harness, org_id: UUID) -> None:
    note = "INSERT INTO missed_claims (org_id, scope) VALUES ($1, 'tried')"

    async def fail() -> None:
        async with tried_calendar_of(harness.service.database, org_id) as connection:
            await connection.execute(note, org_id)
            await connection.execute("SELECT 1 / 0")

    async with tried_calendar_of(harness.service.database, org_id) as connection, connection.transaction():
        await connection.execute(note, org_id)
    with pytest.raises(asyncpg.DivisionByZeroError):
        await fail()
    assert await harness.owner.fetchval("SELECT count(*) FROM missed_claims") == 0
