"""A clinic erases a patient over HTTP: every spelling goes, and what is left proves it without naming anybody."""

import asyncio
import hashlib
import json
import logging
from uuid import UUID, uuid4

import asyncpg
import pytest
import structlog
from tests.support.eventually import eventually

from assistant_api.appointments.access import ALONE_IN_CALENDAR
from assistant_api.erasures import erase as erasing
from devstack.databases import DatabaseUrls

from ..harness import token
from ..tool_calls.calling import Caller, booking, call, cancelling, moving
from .asking import NAME, NOTES, PHONE, WHY, erase, everything, found_in, receipt

FORMS = ("+49 151 770077077", "0049151770077077", "tel:+49-151-770077077", "+49 (0)151 770077077")


async def _booked(caller: Caller, org_id: UUID, phone: str = PHONE, hour: int = 10, call_id: str | None = None) -> str:
    wish = booking(org_id, patientName=NAME, patientPhone=phone, notes=NOTES, appointmentTime=f"{hour:02}:00")
    call_id = call_id or str(uuid4())
    assert (await caller.result(wish, call_id=call_id)).startswith("Booked")
    return call_id


async def test_every_spelling_goes_and_the_receipt_names_the_phone_calls(caller: Caller, org_id: UUID) -> None:
    calls = [await _booked(caller, org_id, form, hour) for hour, form in enumerate(FORMS, start=8)]
    other_clinic = await caller.harness.organization()
    await _booked(caller, other_clinic)
    await _booked(caller, org_id, "+49151770077078", 16)

    done = await erase(caller.harness, org_id, {"phone": "0049 (151) 770077077"})

    assert (done["appointments"], done["answers"], done["orgId"], done["by"]) == (4, 4, str(org_id), "test")
    assert done["calls"] == [{"id": one, "state": "kept", "code": None} for one in sorted(calls)]
    assert done["listedAt"] is None
    assert [row["patient_phone"] for row in await caller.appointments(org_id)] == ["+49151770077078"]
    assert len(await caller.appointments(other_clinic)) == 1
    assert await receipt(caller.harness, org_id, done) == done
    page = (await caller.harness.get("/api/erasures", org_id)).json()
    assert page == {"items": [done], "next": None}
    (message,) = await caller.harness.outbox("PatientErased")
    assert (message["body"]["erasure_id"], message["message_id"]) == (done["id"], UUID(done["id"]))


async def test_nothing_of_the_patient_is_in_any_table_log_or_span(
    caller: Caller, org_id: UUID, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(logging.DEBUG)
    call_id = await _booked(caller, org_id)
    await caller.result(moving(org_id, patientPhone=PHONE), name="rescheduleAppointment", customer=PHONE)
    await caller.result(cancelling(org_id, patientPhone=PHONE), name="cancelAppointment", customer=PHONE)
    assert found_in(await everything(caller.harness.owner)) != set()
    body = {"phone": PHONE}

    with structlog.testing.capture_logs() as lines:
        await erase(caller.harness, org_id, body, key="the-first")
        refused = await caller.harness.post(
            "/api/erasures", {"phone": f"{NAME} {PHONE}"}, org_id, {"Idempotency-Key": "b"}
        )
        both = await caller.harness.post("/api/erasures", {"phone": PHONE, "appointment": NAME}, org_id)

    assert (refused.status_code, both.status_code) == (422, 422)
    rows = await everything(caller.harness.owner)
    assert found_in(rows) == set()
    assert found_in(f"{lines} {refused.text} {both.text} {capsys.readouterr()}") == set()
    records = [str(record.__dict__) for record in caplog.records if "http://assistant-api/" not in record.getMessage()]
    assert found_in("\n".join(records)) == set()
    # Phone numbers can be tried out: no hash without a key may be left.
    raw = json.dumps(body).encode()
    compact = json.dumps(body, separators=(",", ":")).encode()
    for text in (raw, compact, PHONE.encode(), b"POST /api/erasures\n" + raw, b"POST /api/erasures\n" + compact):
        assert hashlib.sha256(text).hexdigest() not in rows
    answers = await caller.harness.owner.fetch("SELECT code, answer FROM tool_calls WHERE org_id = $1", org_id)
    assert {row["code"] for row in answers} == {"erased"}
    assert call_id in rows, "a phone call's id says nothing of whom it was with, and it is on the receipt"


async def test_calls_that_moved_or_cancelled_it_are_named_too(caller: Caller, org_id: UUID) -> None:
    booked, moved, cancelled = (str(uuid4()) for _ in range(3))
    await _booked(caller, org_id, call_id=booked)
    wish = moving(org_id, patientPhone=PHONE)
    await caller.result(wish, name="rescheduleAppointment", call_id=moved, customer=PHONE)
    wish = cancelling(org_id, patientPhone=PHONE)
    await caller.result(wish, name="cancelAppointment", call_id=cancelled, customer=PHONE)

    done = await erase(caller.harness, org_id, {"phone": PHONE})

    assert {one["id"] for one in done["calls"]} == {booked, moved, cancelled}
    assert (done["appointments"], done["answers"]) == (1, 3)


async def test_a_late_repeat_of_a_tool_call_does_not_book_again(caller: Caller, org_id: UUID) -> None:
    once = call(booking(org_id, patientName=NAME, patientPhone=PHONE))
    call_id = str(uuid4())
    await caller.results(once, call_id=call_id)
    await erase(caller.harness, org_id, {"phone": PHONE})

    (again,) = await caller.results(once, call_id=call_id)

    assert again["error"].startswith("This was answered before")
    assert await caller.appointments(org_id) == []


async def test_wrong_tries_are_forgotten_with_the_number(caller: Caller, org_id: UUID) -> None:
    unheard = {
        "message": {
            "type": "tool-calls",
            "toolCallList": [call(cancelling(org_id, patientPhone=PHONE), name="cancelAppointment")],
        }
    }
    await caller.send(unheard)
    await _booked(caller, org_id)
    scopes = "SELECT scope FROM missed_claims WHERE org_id = $1"
    (row,) = await caller.harness.owner.fetch(scopes, org_id)
    assert row["scope"].startswith("number ")

    await erase(caller.harness, org_id, {"phone": PHONE})

    assert await caller.harness.owner.fetch(scopes, org_id) == []


async def test_an_appointment_names_its_patient_by_its_number(caller: Caller, org_id: UUID) -> None:
    await _booked(caller, org_id, FORMS[0], 8)
    await _booked(caller, org_id, FORMS[1], 9)
    rows = await caller.appointments(org_id)

    done = await erase(caller.harness, org_id, {"appointment": str(rows[0]["id"])})

    assert done["appointments"] == 2
    assert await caller.appointments(org_id) == []


async def test_an_appointment_without_a_number_goes_alone(caller: Caller, org_id: UUID) -> None:
    await _booked(caller, org_id, PHONE, 8)
    await _booked(caller, org_id, PHONE, 9)
    first, second = await caller.appointments(org_id)
    await caller.harness.owner.execute(
        "UPDATE appointments SET patient_phone = 'unknown', phone_e164 = NULL WHERE id = ANY($1)",
        [first["id"], second["id"]],
    )

    done = await erase(caller.harness, org_id, {"appointment": str(first["id"])})

    assert done["appointments"] == 1
    assert [row["id"] for row in await caller.appointments(org_id)] == [second["id"]]


async def test_another_clinics_appointment_is_not_found_and_nothing_is_told(caller: Caller, org_id: UUID) -> None:
    other = await caller.harness.organization()
    await _booked(caller, other)
    (row,) = await caller.appointments(other)

    theirs = await erase(caller.harness, org_id, {"appointment": str(row["id"])}, status=404)
    absent = await erase(caller.harness, org_id, {"appointment": str(uuid4())}, status=404)

    assert {**theirs, "traceId": ""} == {**absent, "traceId": ""}
    assert len(await caller.appointments(other)) == 1
    named = await caller.harness.post("/api/erasures", {"phone": PHONE, "orgId": str(other)}, org_id)
    assert named.status_code == 404
    done = await erase(caller.harness, other, {"phone": PHONE})
    assert (await caller.harness.get(f"/api/erasures/{done['id']}", org_id)).status_code == 404
    assert (await caller.harness.get("/api/erasures", org_id)).json()["items"] == []


@pytest.mark.parametrize(
    "body",
    [{}, {"phone": PHONE, "appointment": str(UUID(int=1))}, {"phone": "nobody"}, {"phone": "00000"}, {"phone": ""}],
)
async def test_what_names_nobody_is_refused_and_erases_nobody(
    caller: Caller, org_id: UUID, body: dict[str, str]
) -> None:
    await _booked(caller, org_id)
    await erase(caller.harness, org_id, body, status=422)
    assert len(await caller.appointments(org_id)) == 1


async def test_the_same_key_gives_the_same_receipt_and_a_new_one_erases_nothing_more(
    caller: Caller, org_id: UUID
) -> None:
    await _booked(caller, org_id)
    (row,) = await caller.appointments(org_id)
    body = {"appointment": str(row["id"])}

    first = await erase(caller.harness, org_id, body, key="k")
    again = await erase(caller.harness, org_id, body, key="k")
    by_phone = await erase(caller.harness, org_id, {"phone": PHONE})

    assert first == again
    assert (by_phone["appointments"], by_phone["id"] != first["id"]) == (0, True)
    assert await caller.harness.owner.fetchval("SELECT count(*) FROM erasures") == 2


async def test_a_process_that_dies_before_the_commit_has_done_nothing(
    caller: Caller, org_id: UUID, monkeypatch: pytest.MonkeyPatch
) -> None:
    await _booked(caller, org_id)

    async def dies(*_: object, **__: object) -> None:
        raise ConnectionResetError

    with monkeypatch.context() as patch:
        patch.setattr(erasing, "add_calls", dies)
        answer = await caller.harness.post("/api/erasures", {"phone": PHONE}, org_id, {"Idempotency-Key": "k"})
    assert answer.status_code >= 500
    assert len(await caller.appointments(org_id)) == 1
    assert await caller.harness.outbox("PatientErased") == []

    assert (await erase(caller.harness, org_id, {"phone": PHONE}, key="k"))["appointments"] == 1


async def test_a_process_that_dies_after_the_commit_has_answered(
    caller: Caller, org_id: UUID, monkeypatch: pytest.MonkeyPatch
) -> None:
    await _booked(caller, org_id)
    with monkeypatch.context() as patch:
        patch.setattr(caller.harness.service.call_deletions, "wake", _dies)  # the first thing after the commit
        answer = await caller.harness.post("/api/erasures", {"phone": PHONE}, org_id, {"Idempotency-Key": "k"})
    assert answer.status_code == 500
    assert await caller.appointments(org_id) == []

    again = await erase(caller.harness, org_id, {"phone": PHONE}, key="k")

    assert again["appointments"] == 1
    assert await caller.harness.owner.fetchval("SELECT count(*) FROM erasures") == 1
    assert len(await caller.harness.outbox("PatientErased")) == 1


def _dies() -> None:
    raise RuntimeError("it dies here")


async def test_two_erasures_at_once_erase_once_and_both_say_what_they_did(caller: Caller, org_id: UUID) -> None:
    for hour in range(8, 14):
        await _booked(caller, org_id, hour=hour)

    done = await asyncio.gather(*(erase(caller.harness, org_id, {"phone": PHONE}) for _ in range(4)))

    assert sorted(one["appointments"] for one in done) == [0, 0, 0, 6]
    assert await caller.appointments(org_id) == []


async def test_a_booking_that_is_under_way_when_it_begins_is_waited_for_and_goes(
    caller: Caller, org_id: UUID, assistant_api_db: DatabaseUrls
) -> None:
    await _booked(caller, org_id, hour=8)
    booker = await asyncpg.connect(assistant_api_db.owner)
    transaction = booker.transaction()
    await transaction.start()
    await booker.execute(ALONE_IN_CALENDAR.replace("_lock(", "_lock_shared("), str(org_id))
    await booker.execute(
        "INSERT INTO appointments (org_id, id, calendar, patient_name, patient_phone, service, starts_at, ends_at,"
        " call_id, tool_call_id) SELECT org_id, gen_random_uuid(), calendar, patient_name, patient_phone, service,"
        " starts_at + interval '1 hour', ends_at + interval '1 hour', call_id, 'x' FROM appointments"
    )
    erasing = asyncio.create_task(erase(caller.harness, org_id, {"phone": PHONE}))

    async def waits() -> bool:
        return bool(await booker.fetchval("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"))

    await eventually(waits, within_seconds=10)
    await transaction.commit()
    await booker.close()

    assert (await erasing)["appointments"] == 2
    assert await caller.appointments(org_id) == []


async def test_what_is_booked_while_it_erases_waits_and_stays(
    caller: Caller, org_id: UUID, assistant_api_db: DatabaseUrls
) -> None:
    """A booking that comes once the erasure has begun to forget is made after it, and has a later time, too."""
    eraser = await asyncpg.connect(assistant_api_db.owner)
    transaction = eraser.transaction()
    await transaction.start()
    await eraser.execute(ALONE_IN_CALENDAR, str(org_id))
    erased_at = await eraser.fetchval("SELECT clock_timestamp()")
    late = asyncio.create_task(_booked(caller, org_id))
    other = await caller.harness.organization()
    await asyncio.wait_for(_booked(caller, other), 5)  # nobody else waits
    assert not late.done()
    await transaction.commit()
    await late
    await eraser.close()

    (row,) = await caller.appointments(org_id)
    assert row["created_at"] > erased_at


async def test_bookings_and_erasures_of_one_number_never_leave_a_patient_older_than_the_last_erasure(
    caller: Caller, org_id: UUID
) -> None:
    async def book_all() -> None:
        for hour in range(8, 18):
            await _booked(caller, org_id, hour=hour)

    async def erase_some() -> None:
        for _ in range(5):
            await erase(caller.harness, org_id, {"phone": PHONE})

    await asyncio.gather(book_all(), erase_some())

    newest = await caller.harness.owner.fetchval("SELECT max(erased_at) FROM erasures")
    assert all(row["created_at"] > newest for row in await caller.appointments(org_id))
    taken = await caller.harness.owner.fetchval("SELECT sum(appointments) FROM erasures")
    assert taken + len(await caller.appointments(org_id)) == 10


async def test_a_token_needs_the_scope_and_the_platform_a_reason(caller: Caller, org_id: UUID) -> None:
    http, body = caller.harness.http, {"phone": PHONE}

    async def status(bearer: str, **headers: str) -> int:
        answer = await http.post("/api/erasures", json=body, headers={"Authorization": f"Bearer {bearer}", **headers})
        return answer.status_code

    for scope in ("appointments:read", "agents:write", "settings:write", "sync"):
        assert await status(token(org_id, scope=scope)) == 403
    assert await status(token(org_id, scope="erasures:write")) == 201
    body["orgId"] = str(org_id)
    assert (await status(token()), await status(token(), **WHY)) == (403, 201)
    shown = {"Authorization": f"Bearer {token(org_id, scope='appointments:read')}"}
    assert (await http.get("/api/erasures", headers=shown)).status_code == 200


async def test_who_erased_is_a_row_of_the_access_log(caller: Caller, org_id: UUID) -> None:
    done = await erase(caller.harness, org_id, {"phone": PHONE})
    await erase(caller.harness, org_id, {"phone": "nobody"}, status=422)

    rows = await caller.harness.owner.fetch(
        "SELECT object_id, result, code FROM access_log WHERE action = 'appointments.erase' ORDER BY id"
    )
    assert [(row["result"], row["code"]) for row in rows] == [("done", None), ("refused", "TS-901")]
    assert rows[0]["object_id"] == done["id"]


async def test_a_patient_hears_what_there_is(caller: Caller, org_id: UUID) -> None:
    booked, cancelled = str(uuid4()), str(uuid4())
    await _booked(caller, org_id, FORMS[3], call_id=booked)
    wish = cancelling(org_id, patientPhone=PHONE)
    await caller.result(wish, name="cancelAppointment", call_id=cancelled, customer=PHONE)
    await _booked(caller, org_id, "+49151770077078", 16)

    answer = await caller.harness.post("/api/patients/export", {"phone": FORMS[1]}, org_id)
    refused = await caller.harness.post("/api/patients/export", {"phone": NAME}, org_id)
    unreasoned = await caller.harness.post("/api/patients/export", {"phone": PHONE, "orgId": str(org_id)})

    found = answer.json()
    assert [(one["patientName"], one["notes"], one["status"]) for one in found["appointments"]] == [
        (NAME, NOTES, "cancelled")
    ]
    assert [(one["callId"], one["code"]) for one in found["calls"]] == [(booked, "booked"), (cancelled, "cancelled")]
    assert (refused.status_code, unreasoned.status_code) == (422, 403)
    logged = await caller.harness.owner.fetchval(
        "SELECT count(*) FROM access_log WHERE action = 'appointments.export' AND result = 'done' AND org_id = $1",
        org_id,
    )
    assert logged == 1
