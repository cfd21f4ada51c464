"""What a model that must go on is told, by both versions of the booking tool, and what is booked without a question."""

from typing import Any
from uuid import UUID

import pytest

from ..harness import Harness
from .calling import Caller, booking, call, cancelling, day, moving

STANDS = (
    " What was booked for this patient earlier in this call still stands: {}."
    " Say so, and that it has to be cancelled if it is not wanted."
)


@pytest.mark.parametrize("version", [1, 2])
async def test_both_versions_of_the_booking_tool_are_answered(caller: Caller, org_id: UUID, version: int) -> None:
    assert await caller.result(booking(org_id, definition_version=version)) == f"Booked for {day()} at 10:00."

    (sent,) = await caller.harness.outbox("ToolCallHandled")
    assert (sent["body"]["code"], sent["body"]["definition_version"]) == ("booked", version)


@pytest.mark.parametrize("contract", [1, 2])
async def test_a_version_from_after_this_release_is_answered_by_its_contract_and_counted_as_what_it_is(
    caller: Caller, org_id: UUID, contract: int
) -> None:
    newer = {"definition_version": 17, "contract": contract}

    assert await caller.result(booking(org_id, **newer)) == f"Booked for {day()} at 10:00."
    assert await caller.error(booking(org_id, **newer, patientName="")) != ""

    sent = [message["body"] for message in await caller.harness.outbox("ToolCallHandled")]
    assert [(one["code"], one["definition_version"]) for one in sent] == [("booked", 17), ("invalid_arguments", 17)]


async def test_a_contract_that_the_model_filled_in_changes_nothing(caller: Caller, org_id: UUID) -> None:
    """Version 1 asks for no name, and a tool of it may be registered without the parameter."""
    await caller.result(booking(org_id))
    said = cancelling(org_id, contract=2)

    assert await caller.result(said, name="cancelAppointment") == f"Cancelled: the appointment of {day()} at 10:00."
    unknown = booking(org_id, definition_version=0, contract=1)
    assert "out of date" in await caller.error(unknown)


@pytest.mark.parametrize("version", [1, 2])
async def test_a_refusal_is_one_for_the_model_to_go_on_with(caller: Caller, org_id: UUID, version: int) -> None:
    wrong = booking(org_id, definition_version=version, appointmentDate="3/12", patientPhone=4930123456, patientName="")

    assert await caller.error(wrong) == (
        "Nothing was done."
        " patientName is missing: ask the caller for the patient's full name and give the name alone."
        ' patientPhone: give it as text in quotation marks, for example "+49 30 1234567".'
        " appointmentDate: give the day as YYYY-MM-DD, for example 2026-12-03; ask the caller only if it is not clear"
        " which one is meant."
        " Then call the tool again with all values."
    )
    assert await caller.appointments() == []


@pytest.mark.parametrize(
    "said",
    [
        {"notes": None},
        {"appointmentDate": day().replace("-", "\u2011")},
        {"appointmentTime": "\u206810:00\u2069"},
        {"appointmentTime": "10:00:00"},
        {"service": "CHECK\u2010UP"},
        {"service": " check-up\u00a0"},
        {"callerMood": "worried"},
    ],
    ids=ascii,
)
async def test_what_cannot_be_misread_is_booked(caller: Caller, harness: Harness, said: dict[str, Any]) -> None:
    org_id = await harness.organization()
    answer = await harness.http.put(
        f"/api/organizations/{org_id}/calendar", json={"services": ["Check-up"]}, headers=harness.bearer(org_id)
    )
    assert answer.status_code == 200, answer.text

    assert await caller.result(booking(org_id, **said)) == f"Booked for {day()} at 10:00."

    (row,) = await caller.appointments()
    assert (row["service"], row["notes"]) == ("Check-up", "")


async def test_services_that_differ_in_case_and_hyphens_only_are_not_mixed_up(caller: Caller, harness: Harness) -> None:
    org_id = await harness.organization()
    services = {"services": ["Check-up", "Check\u2011up"]}
    await harness.http.put(f"/api/organizations/{org_id}/calendar", json=services, headers=harness.bearer(org_id))

    exact = await caller.result(booking(org_id, service="Check\u2011up"))
    either = await caller.result(booking(org_id, service="check-up", appointmentTime="11:00"))

    assert exact.startswith("Booked")
    assert either.startswith("Not booked: the clinic does not offer this service.")
    assert [row["service"] for row in await caller.appointments()] == ["Check\u2011up"]


async def test_booking_another_time_in_one_call_books_and_says_that_the_earlier_one_stands(
    caller: Caller, org_id: UUID
) -> None:
    async def ask(time: str, **changes: Any) -> str:
        return await caller.result(booking(org_id, appointmentTime=time, **changes), call_id="c1")

    first = f"{day()} at 10:00"
    assert await ask("10:00") == f"Booked for {first}."
    assert await ask("11:00", patientName="EXAMPLE, Erika") == f"Booked for {day()} at 11:00." + STANDS.format(first)
    both = f"{first}; {day()} at 11:00"
    assert await ask("12:00") == f"Booked for {day()} at 12:00." + STANDS.format(both)
    assert await ask("10:00") == f"Already booked for {first}." + STANDS.format(f"{day()} at 11:00; {day()} at 12:00")
    assert [row["status"] for row in await caller.appointments()] == ["booked"] * 3


async def test_an_earlier_booking_is_the_same_patients_in_the_same_call_and_not_cancelled(
    caller: Caller, org_id: UUID
) -> None:
    await caller.result(
        booking(org_id, appointmentTime="08:00", patientName="Ben Example", patientPhone="+49170222222"), call_id="c1"
    )
    await caller.result(booking(org_id, appointmentDate=day(8)), call_id="another")
    await caller.result(booking(org_id), call_id="c1")
    await caller.result(cancelling(org_id), name="cancelAppointment", call_id="c1")

    assert (
        await caller.result(booking(org_id, appointmentTime="11:00"), call_id="c1") == f"Booked for {day()} at 11:00."
    )


async def test_an_earlier_booking_that_was_moved_is_told_where_it_is_now(caller: Caller, org_id: UUID) -> None:
    await caller.result(booking(org_id), call_id="c1")
    await caller.result(moving(org_id, newTime="15:00"), name="rescheduleAppointment", call_id="c1")

    answer = await caller.result(booking(org_id, appointmentTime="11:00"), call_id="c1")

    assert answer == f"Booked for {day()} at 11:00." + STANDS.format(f"{day()} at 15:00")


async def test_without_a_conversation_nobody_knows_of_an_earlier_booking(caller: Caller, org_id: UUID) -> None:
    body = {"type": "tool-calls", "toolCallList": [call(booking(org_id))]}
    await caller.send({"message": body})

    answer = await caller.send({"message": {**body, "toolCallList": [call(booking(org_id, appointmentTime="11:00"))]}})

    assert answer.json()["results"][0]["result"] == f"Booked for {day()} at 11:00."
