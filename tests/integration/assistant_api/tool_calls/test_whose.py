"""Whose appointment it is: who may cancel or move one, and that nobody learns who has one (ADR 25)."""

import asyncio
import json
from collections import Counter
from datetime import UTC, date, datetime
from typing import Any, Final
from uuid import UUID, uuid4

import pytest

from ..harness import Harness
from .calling import PHONE, Caller, booking, call, cancelling, day, message, moving, shaped

OTHER: Final = "+491709999999"
NAME: Final = "Erika Example"
MISS: Final = (
    "Not done: no appointment was found that this caller can change. Check with the caller what was said, once; if it"
    " stays so, say that the clinic will call back."
)


def _cancelling(org_id: UUID, **changes: Any) -> dict[str, Any]:
    """Version 2, which has the name."""
    return cancelling(org_id, definition_version=2, patientName=NAME, **changes)


async def _cancel(caller: Caller, arguments: dict[str, Any], **how: Any) -> str:
    return await caller.result(arguments, name="cancelAppointment", **how)


async def _clinic(harness: Harness, **settings: Any) -> UUID:
    answer = await harness.post("/api/organizations", {"name": "Clinic", **settings})
    assert answer.status_code == 201, answer.text
    return UUID(answer.json()["id"])


def _no_conversation(arguments: dict[str, Any], *, customer: str | None = PHONE) -> dict[str, Any]:
    asked = call(arguments, name="cancelAppointment")
    return {"message": {"type": "tool-calls", "toolCallList": [asked], "customer": {"number": customer}}}


async def _states(caller: Caller) -> list[str]:
    return [row["status"] for row in await caller.appointments()]


# What was said when it was booked, what is said when it is cancelled, and the number that Vapi reports then.
SAME: Final = {
    "national": ("0151 12345678", "+49 151 12345678", "+4915112345678"),
    "a zero in brackets": ("+49 (0)151 12345678", "0151 12345678", "+4915112345678"),
    "dialled abroad": ("0049 151 12345678", "+49 (0) 151 12345678", "4915112345678"),
    "a report in national form": ("+4915112345678", "0151-12345678", "015112345678"),
}


@pytest.mark.parametrize(("booked", "said", "reported"), SAME.values(), ids=SAME.keys())
@pytest.mark.parametrize("version", [1, 2])
async def test_the_callers_own_number_cancels_in_whatever_form(
    caller: Caller, harness: Harness, booked: str, said: str, reported: str, version: int
) -> None:
    org_id = await _clinic(harness, timeZone="Europe/Berlin")
    await caller.result(booking(org_id, patientPhone=booked))
    arguments = cancelling(org_id, patientPhone=said) if version == 1 else _cancelling(org_id, patientPhone=said)

    assert (await _cancel(caller, arguments, customer=reported)).startswith("Cancelled: ")

    (row,) = await caller.appointments()
    assert (row["status"], row["phone_e164"]) == ("cancelled", "+4915112345678")


async def test_the_number_may_stand_in_the_call(caller: Caller, org_id: UUID) -> None:
    await caller.result(booking(org_id))
    body = message(call(cancelling(org_id), name="cancelAppointment"), customer=None)
    body["message"]["call"]["customer"] = {"number": PHONE}

    assert shaped(await caller.send(body))[0]["result"].startswith("Cancelled: ")


@pytest.mark.parametrize("customer", [OTHER, None, "anonymous", "+266696687", "", "unknown", "0000000000"])
async def test_version_1_cancels_and_moves_for_the_callers_own_number_only(
    caller: Caller, org_id: UUID, customer: str | None
) -> None:
    await caller.result(booking(org_id))

    texts = {
        await _cancel(caller, cancelling(org_id), customer=customer),
        await caller.result(moving(org_id), name="rescheduleAppointment", customer=customer),
    }

    assert texts == {MISS}
    assert await _states(caller) == ["booked"]


@pytest.mark.parametrize(
    "name", [NAME, "ERIKA EXAMPLE", "Example, Erika", "Érika  Examplé", "E\u0301rika Example", "erika\u00a0example"]
)
@pytest.mark.parametrize("customer", [OTHER, None, "anonymous"])
async def test_the_name_on_it_cancels_from_any_phone(
    caller: Caller, org_id: UUID, name: str, customer: str | None
) -> None:
    await caller.result(booking(org_id))

    assert (await _cancel(caller, {**_cancelling(org_id), "patientName": name}, customer=customer)).startswith("Canc")


async def test_the_name_moves_it_too(caller: Caller, org_id: UUID) -> None:
    await caller.result(booking(org_id))
    arguments = moving(org_id, definition_version=2, patientName=NAME)

    moved = await caller.result(arguments, name="rescheduleAppointment", customer=OTHER)

    assert moved == f"Moved: the appointment is now on {day()} at 11:00."


async def test_the_callers_own_number_is_enough_when_the_name_was_misheard(caller: Caller, org_id: UUID) -> None:
    await caller.result(booking(org_id))

    assert (await _cancel(caller, {**_cancelling(org_id), "patientName": "Erica Xample"})).startswith("Cancelled: ")


async def test_a_mothers_two_children_are_told_apart_by_name(caller: Caller, org_id: UUID) -> None:
    for name, time in (("Anna Example", "10:00"), ("Ben Example", "11:00")):
        await caller.result(booking(org_id, patientName=name, appointmentTime=time))

    version_1 = await _cancel(caller, cancelling(org_id))
    nobody = await _cancel(caller, {**_cancelling(org_id), "patientName": "Carl Example"})
    ben = await _cancel(caller, {**_cancelling(org_id), "patientName": "Ben Example"})

    assert (version_1, nobody) == (MISS, MISS)
    assert ben == f"Cancelled: the appointment of {day()} at 11:00."
    assert await _states(caller) == ["booked", "cancelled"]


WRONG: Final[dict[str, dict[str, Any]]] = {
    "nobody's number": {"patientPhone": "+491715555555"},
    "zeros": {"patientPhone": "00000"},
    "another name": {"patientName": "Max Other"},
    "a part of the name": {"patientName": "Erika"},
    "another day": {"appointmentDate": day(8)},
    "yesterday": {"appointmentDate": day(-1)},
    "the year 1": {"appointmentDate": "0001-01-01"},
    "the year 9999": {"appointmentDate": "9999-12-31"},
}


async def test_every_miss_sounds_and_is_kept_the_same(caller: Caller, org_id: UUID) -> None:
    await caller.result(booking(org_id))
    await caller.result(booking(org_id, appointmentTime="15:00", patientPhone=OTHER))
    await caller.result(booking(org_id, appointmentTime="16:00", patientPhone=OTHER))
    wrong = [{**_cancelling(org_id), **changes} for changes in WRONG.values()]
    several = {**_cancelling(org_id), "patientPhone": OTHER}

    texts = [await _cancel(caller, arguments, customer="anonymous") for arguments in (*wrong, several)]
    texts += [
        await caller.result(
            {**arguments, "newDate": day(), "newTime": "12:00"}, name="rescheduleAppointment", customer="anonymous"
        )
        for arguments in (*wrong, several)
    ]

    assert set(texts) == {MISS}
    kept = await caller.harness.owner.fetch("SELECT DISTINCT code, failed, answer FROM tool_calls WHERE tool <> $1",
                                            "bookClinicAppointment")  # fmt: skip
    assert [tuple(row) for row in kept] == [("no_appointment", False, MISS)]
    sent = [one["body"] for one in await caller.harness.outbox("ToolCallHandled")]
    assert Counter(one["code"] for one in sent) == {"booked": 3, "no_appointment": 2 * len(wrong) + 2}
    assert {frozenset(one) for one in sent} == {
        frozenset({"org_id", "tool", "definition_version", "code", "duration_ms"})
    }
    assert set(await _states(caller)) == {"booked"}


async def test_after_three_misses_of_a_call_even_the_right_claim_is_one(caller: Caller, org_id: UUID) -> None:
    await caller.result(booking(org_id))
    wrong = ({"patientName": "Max Other"}, {"appointmentDate": day(9)}, {"patientPhone": "+491715555555"})
    for changes in wrong:
        assert await _cancel(caller, {**_cancelling(org_id), **changes}, call_id="c1", customer=OTHER) == MISS

    refused = await _cancel(caller, _cancelling(org_id), call_id="c1", customer=OTHER)
    moved = await caller.result(
        moving(org_id, definition_version=2, patientName=NAME), name="rescheduleAppointment", call_id="c1"
    )
    own = await _cancel(caller, cancelling(org_id), call_id="c1")

    assert {refused, moved, own} == {MISS}
    assert await _states(caller) == ["booked"]
    assert (await _cancel(caller, _cancelling(org_id), call_id="c2", customer=OTHER)).startswith("Cancelled: ")


async def test_two_misses_leave_a_third_try(caller: Caller, org_id: UUID) -> None:
    await caller.result(booking(org_id))
    for ahead in (8, 9):
        await _cancel(caller, _cancelling(org_id, appointmentDate=day(ahead)), call_id="c1")

    assert (await _cancel(caller, _cancelling(org_id), call_id="c1")).startswith("Cancelled: ")


async def test_a_repeated_delivery_is_no_second_try(caller: Caller, org_id: UUID) -> None:
    await caller.result(booking(org_id))
    wrong = message(call(_cancelling(org_id, appointmentDate=day(9)), name="cancelAppointment"), call_id="c1")

    answers = await asyncio.gather(*(caller.send(wrong) for _ in range(20)))

    assert {shaped(answer)[0]["result"] for answer in answers} == {MISS}
    assert await caller.harness.owner.fetchval("SELECT misses FROM missed_claims") == 1
    assert (await _cancel(caller, _cancelling(org_id), call_id="c1")).startswith("Cancelled: ")


async def test_tries_at_the_same_moment_are_all_counted(caller: Caller, org_id: UUID) -> None:
    """Forty at once, of which one is right, in a call that has had three misses: none gets through."""
    await caller.result(booking(org_id))
    wrong = [_cancelling(org_id, appointmentDate=day(ahead)) for ahead in range(8, 47)]
    for arguments in wrong[:3]:
        await _cancel(caller, arguments, call_id="c1", customer=OTHER)

    tries = [_cancel(caller, arguments, call_id="c1", customer=OTHER) for arguments in (*wrong, _cancelling(org_id))]
    texts = await asyncio.gather(*tries)

    assert set(texts) == {MISS}
    assert await caller.harness.owner.fetchval("SELECT misses FROM missed_claims") == 3 + len(wrong) + 1
    assert await _states(caller) == ["booked"]


async def test_in_a_burst_of_guesses_nothing_is_found_after_the_third_miss(caller: Caller, org_id: UUID) -> None:
    """Outcomes are written under the lock that tries wait for, so their order is the order of the tries."""
    days = range(1, 31)
    for ahead in days:
        await caller.result(booking(org_id, appointmentDate=day(ahead)))
    guesses = [
        {**_cancelling(org_id, appointmentDate=day(ahead)), "patientName": name}
        for ahead in days
        for name in ("Max Other", NAME)
    ]

    await asyncio.gather(*(_cancel(caller, guess, call_id="c1", customer=OTHER) for guess in guesses))

    sent = [one["body"] for one in await caller.harness.outbox("ToolCallHandled")]
    codes = [one["code"] for one in sent if one["tool"] == "cancelAppointment"]
    third_miss = [place for place, code in enumerate(codes) if code == "no_appointment"][2]
    assert set(codes[third_miss:]) == {"no_appointment"}
    assert (await _states(caller)).count("cancelled") == codes.count("cancelled") == third_miss - 2
    assert await caller.harness.owner.fetchval("SELECT misses FROM missed_claims") == codes.count("no_appointment")


async def _three_wrong_and_a_right_one(caller: Caller, org_id: UUID) -> list[str]:
    async def ask(arguments: dict[str, Any]) -> str:
        text: str = shaped(await caller.send(_no_conversation(arguments, customer=None)))[0]["result"]
        return text

    await caller.result(booking(org_id))
    await caller.result(booking(org_id, appointmentTime="15:00", patientPhone=OTHER))
    forms = (PHONE, "0049 151 12345678", "+49 (0)151 12345678")
    wrong = [_cancelling(org_id, patientPhone=form, appointmentDate=day(8 + place)) for place, form in enumerate(forms)]
    return [
        await ask(arguments) for arguments in (*wrong, _cancelling(org_id), _cancelling(org_id, patientPhone=OTHER))
    ]


async def test_without_a_call_id_a_number_has_three_tries_an_hour(caller: Caller, harness: Harness) -> None:
    hour = -1
    while hour != datetime.now(UTC).hour:  # once more where the hour changed meanwhile
        await harness.owner.execute("DELETE FROM missed_claims")
        hour, org_id = datetime.now(UTC).hour, await harness.organization()
        *wrong, right, other = await _three_wrong_and_a_right_one(caller, org_id)

    assert {*wrong, right} == {MISS}
    assert other.startswith("Cancelled: ")
    (kept,) = await harness.owner.fetch("SELECT scope, misses FROM missed_claims")
    assert kept["misses"] == 4
    assert "15112345678" not in kept["scope"]


async def test_without_a_call_id_another_callers_equal_request_is_another_one(caller: Caller, org_id: UUID) -> None:
    """Equal in everything but who calls, and within the minute in which an equal request is a repeat."""
    await caller.result(booking(org_id))
    asked = call(cancelling(org_id), name="cancelAppointment", tool_call_id="call_0")

    def body(customer: str) -> dict[str, Any]:
        return {"message": {"type": "tool-calls", "toolCallList": [asked], "customer": {"number": customer}}}

    stranger = shaped(await caller.send(body(OTHER)))[0]["result"]
    owner = shaped(await caller.send(body(PHONE)))[0]["result"]
    owner_again = shaped(await caller.send(body(PHONE)))[0]["result"]
    stranger_again = shaped(await caller.send(body(OTHER)))[0]["result"]

    assert stranger == stranger_again == MISS
    assert owner == owner_again == f"Cancelled: the appointment of {day()} at 10:00."


async def test_misses_are_forgotten_with_the_calls_they_were_in(caller: Caller, org_id: UUID) -> None:
    for call_id in ("old", "new"):
        await _cancel(caller, _cancelling(org_id), call_id=call_id)
    await caller.harness.owner.execute(
        "UPDATE missed_claims SET missed_at = now() - interval '31 d' WHERE scope = 'old'"
    )

    assert not await caller.harness.service.housekeeping.run_once()

    assert [row["scope"] for row in await caller.harness.owner.fetch("SELECT scope FROM missed_claims")] == ["new"]


async def test_misses_of_one_clinic_are_not_another_ones(caller: Caller, org_id: UUID, harness: Harness) -> None:
    other = await harness.organization()
    await caller.result(booking(other))
    for ahead in (8, 9, 10):
        await _cancel(caller, _cancelling(org_id, appointmentDate=day(ahead)), call_id="c1")

    assert (await _cancel(caller, _cancelling(other), call_id="c1")).startswith("Cancelled: ")


@pytest.mark.parametrize("said", ["00000", "0000000000", "+49 0000000", "000-000-0000"])
@pytest.mark.parametrize("settings", [{}, {"timeZone": "Europe/Berlin"}, {"country": "US"}], ids=json.dumps)
async def test_a_number_of_zeros_is_no_number(
    caller: Caller, harness: Harness, said: str, settings: dict[str, Any]
) -> None:
    org_id = await _clinic(harness, **settings)
    await _old_row(harness, org_id, "0000000000")

    cancelled = await _cancel(caller, cancelling(org_id, patientPhone=said), customer=said)
    booked = await caller.result(booking(org_id, patientPhone=said, appointmentTime="15:00"))

    assert cancelled == MISS
    assert booked == (
        "Not booked: this is no phone number under which the clinic could call back. Ask for the whole number, with"
        " area code and, if it is a foreign one, country code, as in +49 151 23456789, and call the tool again."
    )
    assert await _states(caller) == ["booked"]


async def test_a_number_that_its_plan_does_not_have_is_asked_for_again(caller: Caller, harness: Harness) -> None:
    org_id = await _clinic(harness, timeZone="America/New_York")

    for said in ("12345", "+1 212 555 01234", "+1 212 555 012"):
        assert (await caller.result(booking(org_id, patientPhone=said))).startswith("Not booked: this is no phone")
    for said, time in (("555-1234", "10:00"), ("(212) 555-0123", "11:00"), ("+49 151 12345678", "12:00")):
        assert (await caller.result(booking(org_id, patientPhone=said, appointmentTime=time))).startswith("Booked")

    assert [row["phone_e164"] for row in await caller.appointments()] == [None, "+12125550123", "+4915112345678"]


async def test_without_a_country_a_national_number_is_kept_and_compared_as_said(caller: Caller, org_id: UUID) -> None:
    await caller.result(booking(org_id, patientPhone="0151 1234-5678"))

    others = [
        await _cancel(caller, cancelling(org_id, patientPhone=said), customer="015112345678")
        for said in ("+4915112345678", "151 12345678")
    ]
    same = await _cancel(caller, cancelling(org_id, patientPhone="(0151) 12345678"), customer="0151 12345678")

    assert others == [MISS, MISS]
    assert same.startswith("Cancelled: ")
    assert [row["phone_e164"] for row in await caller.appointments()] == [None]


@pytest.mark.parametrize(
    ("first", "then"),
    [({}, {"country": "DE"}), ({"country": "AT"}, {"country": "DE"}), ({}, {"timeZone": "Europe/Berlin"}),
     ({"timeZone": "Europe/Vienna"}, {"timeZone": "Europe/Vienna", "country": "DE"})],
    ids=json.dumps,
)  # fmt: skip
async def test_an_appointment_is_found_after_the_clinics_country_was_set_or_put_right(
    caller: Caller, harness: Harness, first: dict[str, Any], then: dict[str, Any]
) -> None:
    org_id = await _clinic(harness, **first)
    await caller.result(booking(org_id, patientPhone="0151 12345678"))
    await _set(harness, org_id, then)

    assert (await _cancel(caller, _cancelling(org_id, patientPhone="0151 12345678"))).startswith("Cancelled: ")


async def test_an_appointment_is_found_after_the_clinics_country_was_taken_away(
    caller: Caller, harness: Harness
) -> None:
    org_id = await _clinic(harness, country="DE")
    await caller.result(booking(org_id, patientPhone="0151 12345678"))
    await _set(harness, org_id, {})

    assert (await _cancel(caller, cancelling(org_id, patientPhone="0151 12345678"))).startswith("Cancelled: ")


async def test_one_number_in_two_forms_is_already_booked(caller: Caller, harness: Harness) -> None:
    org_id = await _clinic(harness, timeZone="Europe/Berlin")
    await caller.result(booking(org_id, patientPhone="0151 12345678"), call_id="c1")

    again = await caller.result(booking(org_id, patientPhone="+49 (0)151 12345678"), call_id="c1")

    assert again == f"Already booked for {day()} at 10:00."


async def test_two_numbers_that_look_alike_are_two(caller: Caller, harness: Harness) -> None:
    """Without leading zeros and plus they were one, once."""
    org_id = await _clinic(harness, country="DE")
    await caller.result(booking(org_id, patientPhone="030 210 1234567"), call_id="c1")

    other = await caller.result(booking(org_id, patientPhone="+30 210 1234567"), call_id="c1")

    assert other.startswith("Not booked: this time is taken.")


async def _set(harness: Harness, org_id: UUID, calendar: dict[str, Any]) -> None:
    path = f"/api/organizations/{org_id}/calendar"
    answer = await harness.http.put(path, json=calendar, headers=harness.bearer(org_id))
    assert answer.status_code == 200, answer.text


async def _old_row(harness: Harness, org_id: UUID, said: str) -> None:
    """An appointment as a release made it that took any digits."""
    await harness.owner.execute(
        "INSERT INTO appointments (org_id, id, calendar, patient_name, patient_phone, service, starts_at, ends_at,"
        " call_id, tool_call_id) SELECT id, $2, calendar, $3, $4, 's', $5::date + interval '10 h',"
        " $5::date + interval '10 h 30 min', 'c', 't' FROM organizations WHERE id = $1",
        org_id,
        uuid4(),
        NAME,
        said,
        date.fromisoformat(day()),
    )
