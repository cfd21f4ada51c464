"""Nothing of organization A reads, books, moves or cancels anything of organization B.

A generated matrix: every tool, every route and every place in which B can be named, by everybody who is not B. Then
again with the application's own filter taken out of every statement: row-level security alone must hold.
"""

import itertools
import json
from collections.abc import Callable
from dataclasses import dataclass
from types import ModuleType
from typing import Any, Final
from uuid import UUID

import asyncpg
import pytest

from assistant_api.appointments import access, book, cancel, find, listing, offers, reschedule
from assistant_api.appointments.access import calendar_of
from assistant_api.erasures import export, forget, names

from ..harness import Harness
from .calling import KEYS, TOKENS, Caller, bearer, booking, call, cancelling, day, message, moving, signed

THEIR_PHONE: Final = "+4915199999999"
THEIR_NAME: Final = "Theodor Theirs"


@dataclass(frozen=True, slots=True)
class Clinics:
    """A, who is curious, and B, who has an appointment at 10:00."""

    a: UUID
    b: UUID


async def _clinics(caller: Caller) -> Clinics:
    clinics = Clinics(await caller.harness.organization("A"), await caller.harness.organization("B"))
    await caller.result(booking(clinics.b, patientName=THEIR_NAME, patientPhone=THEIR_PHONE))
    return clinics


async def _of(caller: Caller, org_id: UUID) -> list[Any]:
    tables = ("appointments", "tool_calls", "outbox")
    return [
        [dict(row) for row in await caller.harness.owner.fetch(f"SELECT * FROM {table} WHERE org_id = $1", org_id)]  # noqa: S608
        for table in tables
    ]


TOOLS: Final[dict[str, Callable[..., dict[str, Any]]]] = {
    "bookClinicAppointment": booking,
    "cancelAppointment": lambda org, **changes: cancelling(org, patientPhone=THEIR_PHONE, **changes),
    "rescheduleAppointment": lambda org, **changes: moving(org, patientPhone=THEIR_PHONE, **changes),
}
# B named in every place that is not the static parameter of the tool.
PLACES: Final[dict[str, Callable[[dict[str, Any], str], None]]] = {
    "argument org_id": lambda body, b: _arguments(body).update(org_id=b),
    "argument orgId": lambda body, b: _arguments(body).update(orgId=b),
    "argument organizationId": lambda body, b: _arguments(body).update(organizationId=b),
    "argument Organization_ID": lambda body, b: _arguments(body).update(Organization_ID=b),
    "call.orgId": lambda body, b: body["message"]["call"].update(orgId=b),
    "call.metadata": lambda body, b: body["message"]["call"].update(metadata={"organization_id": b}),
    "assistant.metadata": lambda body, b: body["message"]["assistant"].update(metadata={"organization_id": b}),
    "customer": lambda body, b: body["message"]["customer"].update(organization_id=b),
    "message": lambda body, b: body["message"].update(organization_id=b),
    "body": lambda body, b: body.update(organization_id=b),
    "function": lambda body, b: body["message"]["toolCallList"][0]["function"].update(organization_id=b),
    "parameters": lambda body, b: body["message"]["toolCallList"][0]["function"].update(
        parameters={"organization_id": b}
    ),
    "nested argument": lambda body, b: _arguments(body).update(notes={"organization_id": b}),
}


def _arguments(body: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = body["message"]["toolCallList"][0]["function"]["arguments"]
    return found


@pytest.mark.parametrize("credential", ["bearer", "signature"])
@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("tool", TOOLS)
async def test_a_tool_of_a_never_touches_b(caller: Caller, tool: str, place: str, credential: str) -> None:
    clinics = await _clinics(caller)
    before = await _of(caller, clinics.b)
    body = message(call(TOOLS[tool](clinics.a), name=tool))
    PLACES[place](body, str(clinics.b))
    raw = json.dumps(body).encode()

    answer = await caller.send(raw, signed(raw) if credential == "signature" else bearer())

    assert answer.status_code == 200
    assert THEIR_NAME not in answer.text
    assert await _of(caller, clinics.b) == before
    assert all(row["org_id"] == clinics.a for row in await caller.appointments(clinics.a))


async def test_headers_and_queries_name_nobody(caller: Caller) -> None:
    clinics = await _clinics(caller)
    before = await _of(caller, clinics.b)
    raw = json.dumps(message(call(cancelling(clinics.a, patientPhone=THEIR_PHONE), name="cancelAppointment"))).encode()

    for name in ("X-Org-Id", "X-Organization-Id", "organization_id"):
        answer = await caller.harness.http.post(
            f"/api/vapi/tool-calls?orgId={clinics.b}&organization_id={clinics.b}",
            content=raw,
            headers={**bearer(), name: str(clinics.b)},
        )
        assert answer.json()["results"][0]["result"].startswith("Not done: no appointment was found")
    assert await _of(caller, clinics.b) == before


WHO: Final = ("nobody", "a", "vapi token", "vapi key", "another platform")
ROUTES: Final = (
    ("GET", "/api/appointments?orgId={b}"),
    ("GET", "/api/appointments?orgId={b}&after={cursor}"),
    ("GET", "/api/organizations/{b}/calendar"),
    ("PUT", "/api/organizations/{b}/calendar"),
    ("GET", "/api/erasures?orgId={b}"),
)


@pytest.mark.parametrize(("who", "route"), list(itertools.product(WHO, ROUTES)), ids=str)
async def test_no_token_of_somebody_else_opens_a_route_of_b(caller: Caller, who: str, route: tuple[str, str]) -> None:
    harness = caller.harness
    clinics = await _clinics(caller)
    await caller.result(booking(clinics.b, appointmentTime="12:00"))
    cursor = (await harness.get("/api/appointments?limit=1", clinics.b)).json()["next"]
    headers = {
        "nobody": {},
        "a": harness.bearer(clinics.a),
        "vapi token": bearer(TOKENS[0]),
        "vapi key": bearer(KEYS[0]),
        "another platform": {"Authorization": harness.bearer(clinics.b)["Authorization"][:-8] + "AAAAAAAA"},
    }[who]
    method, path = route

    answer = await harness.http.request(
        method, path.format(b=clinics.b, cursor=cursor), json={"timeZone": "Europe/Berlin"}, headers=headers
    )

    assert answer.status_code == (404 if who == "a" else 401)
    assert THEIR_NAME not in answer.text
    assert await harness.owner.fetchval("SELECT time_zone FROM organizations WHERE id = $1", clinics.b) == "UTC"


async def test_what_is_foreign_and_what_is_absent_look_the_same(caller: Caller) -> None:
    clinics = await _clinics(caller)
    absent = UUID(int=7)

    for path in ("/api/appointments?orgId={}", "/api/organizations/{}/calendar"):
        foreign, missing = [await caller.harness.get(path.format(org), clinics.a) for org in (clinics.b, absent)]
        assert foreign.status_code == missing.status_code == 404
        assert {**foreign.json(), "traceId": ""} == {**missing.json(), "traceId": ""}


async def test_a_cursor_of_b_shows_a_only_its_own(caller: Caller) -> None:
    clinics = await _clinics(caller)
    await caller.result(booking(clinics.b, appointmentTime="12:00"))
    await caller.result(booking(clinics.a, appointmentTime="13:00"))
    cursor = (await caller.harness.get("/api/appointments?limit=1", clinics.b)).json()["next"]

    items = (await caller.harness.get(f"/api/appointments?after={cursor}", clinics.a)).json()["items"]

    assert [item["orgId"] for item in items] == [str(clinics.a)]


MODULES: Final = (book, cancel, export, find, forget, listing, names, offers, reschedule)


def _without_filter(monkeypatch: pytest.MonkeyPatch, modules: tuple[ModuleType, ...]) -> int:
    """Take the organization out of every WHERE of these modules; how many statements were changed."""
    changed = 0
    for module in modules:
        for name, statement in vars(module).copy().items():
            if isinstance(statement, str) and name.isupper() and "WHERE org_id = $1" in statement:
                monkeypatch.setattr(module, name, statement.replace("org_id = $1", "$1::uuid IS NOT NULL"))
                changed += 1
    return changed


async def test_row_level_security_alone_keeps_tools_apart(caller: Caller, monkeypatch: pytest.MonkeyPatch) -> None:
    clinics = await _clinics(caller)
    await caller.result(booking(clinics.a, appointmentTime="15:00"))
    before = await _of(caller, clinics.b)
    assert _without_filter(monkeypatch, MODULES) >= 13

    booked = await caller.result(booking(clinics.a))
    cancelled = await caller.result(cancelling(clinics.a, patientPhone=THEIR_PHONE), name="cancelAppointment")
    moved = await caller.result(moving(clinics.a, patientPhone=THEIR_PHONE), name="rescheduleAppointment")
    listed = await caller.harness.get("/api/appointments", clinics.a)
    exported = await caller.harness.post("/api/patients/export", {"phone": THEIR_PHONE}, clinics.a)
    erased = await caller.harness.post("/api/erasures", {"phone": THEIR_PHONE}, clinics.a)
    (theirs,) = await caller.appointments(clinics.b)
    by_id = await caller.harness.post("/api/erasures", {"appointment": str(theirs["id"])}, clinics.a)

    assert (exported.json()["appointments"], exported.json()["calls"]) == ([], [])
    assert (erased.json()["appointments"], erased.json()["answers"], by_id.status_code) == (0, 0, 404)
    assert booked == f"Booked for {day()} at 10:00."
    assert cancelled.startswith("Not done: no appointment was found")
    assert moved.startswith("Not done: no appointment was found")
    assert {item["orgId"] for item in listed.json()["items"]} == {str(clinics.a)}
    assert await _of(caller, clinics.b) == before


async def test_as_a_every_statement_sees_and_writes_a_only(caller: Caller, harness: Harness) -> None:
    clinics = await _clinics(caller)
    await caller.result(booking(clinics.a))
    before = await _of(caller, clinics.b)

    async with calendar_of(harness.service.database, clinics.a) as connection:
        for table, column in (("appointments", "org_id"), ("tool_calls", "org_id"), ("organizations", "id")):
            assert {row[0] for row in await connection.fetch(f"SELECT {column} FROM {table}")} == {clinics.a}  # noqa: S608
        assert await connection.execute("UPDATE appointments SET status = 'cancelled'") == "UPDATE 1"
        assert await connection.execute("DELETE FROM appointments") == "DELETE 1"
    foreign = (
        "INSERT INTO tool_calls (org_id, call_id, tool_call_id, tool, code, failed, answer)"
        " VALUES ($1, '', 'x', 't', 'booked', false, 'a')",
        "INSERT INTO outbox (org_id, message_id, type, body) VALUES ($1, gen_random_uuid(), 't', '{}')",
        "INSERT INTO appointments (org_id, id, calendar, patient_name, patient_phone, service, starts_at, ends_at,"
        " call_id, tool_call_id) VALUES ($1, gen_random_uuid(), 1, 'n', '1', 's', now(), now() + '1 h', '', '')",
    )
    for statement in foreign:
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            async with calendar_of(harness.service.database, clinics.a) as connection:
                await connection.execute(statement, clinics.b)
    for statement in ("UPDATE organizations SET name = 'x'", "SELECT * FROM agents", "DELETE FROM tool_calls"):
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            async with calendar_of(harness.service.database, clinics.a) as connection:
                await connection.execute(statement)
    assert await _of(caller, clinics.b) == before


async def test_an_appointment_cannot_be_put_into_another_calendar(caller: Caller, harness: Harness) -> None:
    clinics = await _clinics(caller)
    theirs = await harness.owner.fetchval("SELECT calendar FROM organizations WHERE id = $1", clinics.b)

    with pytest.raises(asyncpg.ForeignKeyViolationError):
        async with calendar_of(harness.service.database, clinics.a) as connection:
            await connection.execute(
                "INSERT INTO appointments (org_id, id, calendar, patient_name, patient_phone, service, starts_at,"
                " ends_at, call_id, tool_call_id)"
                " VALUES ($1, gen_random_uuid(), $2, 'n', '1', 's', now(), now() + interval '1 h', '', '')",
                clinics.a,
                theirs,
            )


async def test_the_services_own_role_reads_no_patient_and_writes_no_appointment(harness: Harness) -> None:
    for statement in (
        "SELECT patient_name FROM appointments",
        "SELECT patient_phone FROM appointments",
        "SELECT * FROM appointments",
        "SELECT answer FROM tool_calls",
        "UPDATE appointments SET status = 'cancelled'",
    ):
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            async with harness.service.database.connection() as connection:
                await connection.execute(statement)
    async with harness.service.database.transaction() as connection:
        await connection.execute("SELECT set_config('role', 'assistant_api_calendar', true)")
        assert await connection.fetchval("SELECT count(*) FROM appointments") == 0


def test_becoming_an_organization_is_for_one_transaction_only() -> None:
    assert access.BECOME_CALENDAR.count("true)") == 2
