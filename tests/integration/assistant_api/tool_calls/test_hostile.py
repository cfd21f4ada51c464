"""What an attacker, or a confused model, may put into a tool call: the right answer, and nothing is changed."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID, uuid4

import pytest

from ..harness import Harness
from .calling import Caller, bearer, booking, call, cancelling, message, moving, shaped

PLANTED: Final = "Zq7Canary"
"""In every hostile text, so that an echo is seen."""

SQL: Final = f"'; DROP TABLE appointments; -- {PLANTED}"
LIQUID: Final = "{{ customer.number }}" + PLANTED


@dataclass(frozen=True, slots=True)
class Clinics:
    """The clinic that is called, and another one, which has an appointment too."""

    ours: UUID
    theirs: UUID


Make = Callable[[Clinics], Any]

NO_CLINIC = "The clinic of this assistant is not known"
NO_SUCH_CLINIC = "This clinic does not take appointments here"
OUT_OF_DATE = "This tool is out of date"
NO_TOOL = "There is no such tool here"
NO_OBJECT = "The arguments are not a JSON object"
NO_ID = "This tool call has no id"
UNFIT = "Nothing was done. "
NO_NUMBER = "Not booked: this is no phone number"


def _booking(**changes: Any) -> Make:
    return lambda clinics: message(call(booking(clinics.ours, **changes)))


def _arguments(make: Callable[[Clinics], Any]) -> Make:
    return lambda clinics: message(call(make(clinics)))


def _entry(**changes: Any) -> Make:
    return lambda clinics: message({**call(booking(clinics.ours)), **changes})


def _other(name: str, make: Callable[[UUID], dict[str, Any]]) -> Make:
    return lambda clinics: message(call(make(clinics.ours), name=name))


def _nested(depth: int) -> Any:
    value: Any = PLANTED
    for _ in range(depth):
        value = [value]
    return value


def _raw_arguments(text: str) -> Make:
    return lambda clinics: message(call(text.replace("ORG", str(clinics.ours))))


HOSTILE: Final[dict[str, tuple[Make, str]]] = {
    # wrong types
    "name is a number": (_booking(patientName=7), UNFIT + "patientName: give it as text"),
    "name is a list": (_booking(patientName=[PLANTED]), UNFIT + "patientName"),
    "name is an object": (_booking(patientName={"$ne": PLANTED}), UNFIT + "patientName"),
    "name is null": (_booking(patientName=None), UNFIT + "patientName"),
    "name is true": (_booking(patientName=True), UNFIT + "patientName"),
    "phone is a number": (_booking(patientPhone=4915112345678), UNFIT + "patientPhone"),
    "date is a number": (_booking(appointmentDate=20261201), UNFIT + "appointmentDate"),
    "date is a moment": (_booking(appointmentDate="2026-12-01T10:00:00Z"), UNFIT + "appointmentDate"),
    "date does not exist": (_booking(appointmentDate="2027-02-30"), UNFIT + "appointmentDate"),
    "date is before the calendar": (_booking(appointmentDate="0000-01-01"), UNFIT + "appointmentDate"),
    "date is the last of all": (_booking(appointmentDate="9999-12-31"), "Not booked: this day is too far ahead."),
    "date is the first of all": (_booking(appointmentDate="0001-01-01"), "Not done: this time is in the past."),
    "date has more years": (_booking(appointmentDate="10000-01-01"), UNFIT + "appointmentDate"),
    "time is past midnight": (_booking(appointmentTime="25:00"), UNFIT + "appointmentTime"),
    "time has a line break": (_booking(appointmentTime="10:00\n11:00"), UNFIT + "appointmentTime"),
    "time is in other digits": (_booking(appointmentTime="१०:००"), UNFIT + "appointmentTime"),
    "time is a list of times": (_booking(appointmentTime=["10:00", "11:00"]), UNFIT + "appointmentTime"),
    "service is empty": (_booking(service="   "), UNFIT + "service"),
    "phone is a word": (_booking(patientPhone=PLANTED), NO_NUMBER),
    # spellings and extras
    "snake case": (
        lambda clinics: message(call({**booking(clinics.ours, patientName=...), "patient_name": PLANTED})),
        UNFIT,
    ),
    "arguments and parameters disagree": (
        lambda clinics: message(
            {
                "id": "c",
                "function": {
                    "name": "bookClinicAppointment",
                    "arguments": {"organization_id": str(clinics.ours)},
                    "parameters": booking(clinics.theirs),
                },
            }
        ),
        OUT_OF_DATE,
    ),
    # JSON in strings
    "arguments are broken text": (_raw_arguments('{"organization_id": "ORG"'), NO_OBJECT),
    "arguments are text in text": (
        _arguments(lambda clinics: json.dumps(json.dumps(booking(clinics.ours)))),
        NO_OBJECT,
    ),
    "arguments are a list": (_arguments(lambda clinics: [booking(clinics.ours)]), NO_OBJECT),
    "arguments are null": (_arguments(lambda clinics: None), NO_OBJECT),
    "arguments are a number": (_arguments(lambda clinics: 7), NO_OBJECT),
    "arguments name the clinic twice": (
        _raw_arguments('{"organization_id": "x", "organization_id": "ORG", "definition_version": 1}'),
        NO_OBJECT,
    ),
    "arguments have NaN": (_raw_arguments('{"organization_id": "ORG", "definition_version": NaN}'), NO_OBJECT),
    "arguments have a surrogate": (_booking(patientName="\ud800" + PLANTED), UNFIT),
    # huge and nested
    "name is long": (_booking(patientName="x" * 121), UNFIT + "patientName"),
    "notes are huge": (_booking(notes=PLANTED * 1500), UNFIT + "notes"),
    "nested deeply": (_booking(notes=_nested(90)), UNFIT),
    "number without end": (_booking(notes=10**400), UNFIT),
    "tool name is long": (_entry(function={"name": PLANTED * 200, "arguments": {}}), NO_TOOL),
    # control characters and other text
    "NUL in the name": (_booking(patientName=f"{PLANTED}\x00"), UNFIT + "patientName"),
    "ESC in the name": (_booking(patientName=f"\x1b[31m{PLANTED}"), UNFIT + "patientName"),
    "BEL in the notes": (_booking(notes=f"\x07{PLANTED}"), UNFIT + "notes"),
    "Liquid in the name": (_booking(patientName=LIQUID), UNFIT + "patientName: write it again"),
    "Liquid in the service": (_booking(service="{% for i in (1..1000000) %}"), UNFIT + "service"),
    "Liquid in the notes": (_booking(notes=LIQUID), UNFIT + "notes"),
    "Liquid as clinic": (_booking(organization_id="{{ call.orgId }}"), NO_CLINIC),
    # SQL
    "SQL as clinic": (_booking(organization_id=SQL), NO_CLINIC),
    "SQL as version": (_booking(definition_version="1; DROP TABLE appointments"), OUT_OF_DATE),
    "SQL as date": (_booking(appointmentDate=SQL), UNFIT + "appointmentDate"),
    "SQL as phone": (_booking(patientPhone="' OR '1'='1"), NO_NUMBER),
    "SQL as tool": (_entry(function={"name": SQL, "arguments": {}}), NO_TOOL),
    "a phone that is any phone": (
        _other("cancelAppointment", lambda org: cancelling(org, patientPhone="%%%%%")),
        "Not done: ",
    ),
    # whose it is
    "no clinic": (_booking(organization_id=...), NO_CLINIC),
    "clinic is null": (_booking(organization_id=None), NO_CLINIC),
    "clinic is a list": (
        lambda clinics: message(call(booking(clinics.ours, organization_id=[str(clinics.ours)]))),
        NO_CLINIC,
    ),
    "clinic in camel case": (
        lambda clinics: message(call({**booking("x", organization_id=...), "organizationId": str(clinics.ours)})),
        NO_CLINIC,
    ),
    "an unknown clinic": (_booking(organization_id=str(uuid4())), NO_SUCH_CLINIC),
    "no clinic at all": (_booking(organization_id="00000000-0000-0000-0000-000000000000"), NO_SUCH_CLINIC),
    "the clinic's name": (_booking(organization_id="Clinic"), NO_CLINIC),
    # which definition
    "no version": (_booking(definition_version=...), OUT_OF_DATE),
    "version of tomorrow": (_booking(definition_version=99), OUT_OF_DATE),
    "version below zero": (_booking(definition_version=-1), OUT_OF_DATE),
    "version is true": (_booking(definition_version=True), OUT_OF_DATE),
    "version is a fraction": (_booking(definition_version=1.5), OUT_OF_DATE),
    "version is a list": (_booking(definition_version=[1]), OUT_OF_DATE),
    # ids and names
    "no id": (_entry(id=None), NO_ID),
    "id is a list": (_entry(id=["call_1"]), NO_ID),
    "id is an object": (_entry(id={"$ne": PLANTED}), NO_ID),
    "id is true": (_entry(id=True), NO_ID),
    "no function": (lambda clinics: message({"id": "call_1"}), NO_TOOL),
    "function is text": (_entry(function=PLANTED), NO_TOOL),
    "another case": (lambda clinics: message(call(booking(clinics.ours), name="BOOKCLINICAPPOINTMENT")), NO_TOOL),
    "name with a space": (lambda clinics: message(call(booking(clinics.ours), name="bookClinicAppointment ")), NO_TOOL),
    "the call is no object": (lambda clinics: message(PLANTED), NO_ID),  # type: ignore[arg-type]
    # other tools
    "cancel somebody's of another clinic": (
        _other("cancelAppointment", cancelling),
        "Not done: no appointment was found that this caller can change.",
    ),
    "move somebody's of another clinic": (
        _other("rescheduleAppointment", moving),
        "Not done: no appointment was found that this caller can change.",
    ),
    "cancel with the arguments of a booking": (_other("cancelAppointment", booking), "Not done: "),
}


async def _state(harness: Harness) -> list[Any]:
    """Everything but what says that calls were answered."""
    tables = ("organizations", "agents", "saves", "appointments", "idempotency_keys")
    rows = [await harness.owner.fetch(f"SELECT * FROM {table} ORDER BY 1, 2") for table in tables]  # noqa: S608
    return [[dict(row) for row in found] for found in rows]


async def _clinics(caller: Caller) -> Clinics:
    clinics = Clinics(await caller.harness.organization(), await caller.harness.organization())
    await caller.result(booking(clinics.theirs))
    return clinics


def test_there_are_at_least_sixty() -> None:
    assert len(HOSTILE) >= 60


@pytest.mark.parametrize(("make", "wanted"), HOSTILE.values(), ids=HOSTILE.keys())
async def test_a_hostile_call_gets_the_right_answer_and_changes_nothing(
    caller: Caller, make: Make, wanted: str
) -> None:
    clinics = await _clinics(caller)
    before = await _state(caller.harness)
    body = json.dumps(make(clinics)).encode()

    first = await caller.send(body)
    again = await caller.send(body)

    (entry,) = shaped(first)
    text = entry.get("result") or entry["error"]
    assert text.startswith(wanted)
    assert PLANTED not in text
    assert again.content == first.content
    assert await _state(caller.harness) == before
    kept = await caller.harness.owner.fetch("SELECT * FROM tool_calls UNION ALL SELECT * FROM tool_calls")
    sent = await caller.harness.owner.fetch("SELECT body::text FROM outbox WHERE type LIKE '%ToolCall%'")
    assert PLANTED not in str([dict(row) for row in (*kept, *sent)])


IGNORED: Final[dict[str, dict[str, Any]]] = {
    "both spellings": {"patient_name": PLANTED},
    "a name that is one of ours": {"__class__": PLANTED, "model_config": PLANTED},
    "a status": {"status": "cancelled", "id": str(uuid4()), "starts_at": "2000-01-01"},
    "a value named like a patient": {PLANTED: 1},
    "many keys": {f"k{number}": PLANTED for number in range(500)},
    "nested deeply": {"x": _nested(90)},
    "a number without end": {"x": 10**400},
    "half an emoji": {"\ud83d": "\ud83d"},
    "null": {"notes": None, PLANTED: None},
}


@pytest.mark.parametrize("extra", IGNORED.values(), ids=IGNORED.keys())
async def test_what_the_tool_does_not_have_is_ignored_and_kept_nowhere(
    caller: Caller, org_id: UUID, extra: dict[str, Any]
) -> None:
    """The registered schema allows more keys, and models make some up: no reason not to book."""
    (plain,) = await caller.results(call(booking(org_id)))
    (expected,) = await caller.appointments(org_id)
    other = await caller.harness.organization()

    (entry,) = await caller.results(call(booking(other, **extra)))

    assert entry["result"] == plain["result"]
    (row,) = await caller.appointments(other)
    said = ("patient_name", "patient_phone", "service", "notes", "starts_at", "ends_at", "status")
    assert [row[name] for name in said] == [expected[name] for name in said]
    kept = await caller.harness.owner.fetch("SELECT t::text FROM tool_calls t UNION ALL SELECT o::text FROM outbox o")
    assert PLANTED not in str([dict(each) for each in kept])


async def test_a_text_cannot_turn_around_or_break_a_line_of_whoever_shows_it(caller: Caller, org_id: UUID) -> None:
    await caller.result(booking(org_id, patientName='A\n{"level":"error"}', service="\u202eCheck-up"))

    (row,) = await caller.appointments()
    assert (row["patient_name"], row["service"]) == ('A {"level":"error"}', "Check-up")


async def test_sql_in_a_name_is_only_a_name(caller: Caller, org_id: UUID) -> None:
    name = "Robert'); DROP TABLE appointments;-- %_\\"

    await caller.result(booking(org_id, patientName=name, notes="first\nsecond"))

    (row,) = await caller.appointments()
    assert (row["patient_name"], row["notes"]) == (name, "first\nsecond")


async def test_a_huge_request_is_refused_before_it_is_read(caller: Caller, org_id: UUID) -> None:
    keys = {f"k{number}": 0 for number in range(300_000)}

    answer = await caller.send(json.dumps(message(call(booking(org_id, **keys)))).encode(), bearer())

    assert answer.status_code == 413
    assert await caller.appointments() == []
