"""A caller asks for an appointment, and the appointment is there."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest

from assistant_api.app.application import create_app
from assistant_api.app.service import Service
from devstack.databases import DatabaseUrls
from devstack.sandbox import Sandbox

from ..harness import Harness, make_settings
from .calling import PATH, PHONE, TOKENS, Caller, bearer, booking, call, cancelling, day, message, moving, shaped


def _at(date: str, time: str) -> datetime:
    return datetime.fromisoformat(f"{date}T{time}+00:00")


async def test_a_booking_is_a_row_an_answer_and_a_message_without_content(caller: Caller, org_id: UUID) -> None:
    asked = call(booking(org_id, notes="Afraid of needles"), tool_call_id="call_1")

    results = await caller.results(asked, call_id="phone-call-1")

    assert results == [
        {"toolCallId": "call_1", "name": "bookClinicAppointment", "result": f"Booked for {day()} at 10:00."}
    ]
    (row,) = await caller.appointments()
    assert (row["org_id"], row["patient_name"], row["patient_phone"]) == (org_id, "Erika Example", PHONE)
    assert (row["service"], row["notes"], row["status"]) == ("Check-up", "Afraid of needles", "booked")
    assert (row["starts_at"], row["ends_at"]) == (_at(day(), "10:00"), _at(day(), "10:30"))
    assert (row["call_id"], row["tool_call_id"]) == ("phone-call-1", "call_1")
    (sent,) = await caller.harness.outbox("ToolCallHandled")
    assert sent["body"].pop("duration_ms") >= 0
    assert sent["body"] == {
        "org_id": str(org_id),
        "tool": "bookClinicAppointment",
        "definition_version": 1,
        "code": "booked",
    }


@pytest.mark.parametrize(
    "entry",
    [
        lambda id_, name, given: {"id": id_, "type": "function", "function": {"name": name, "arguments": given}},
        lambda id_, name, given: {"id": id_, "function": {"name": name, "parameters": given}},
        lambda id_, name, given: {"id": id_, "name": name, "arguments": given},
        lambda id_, name, given: {"id": id_, "name": name, "parameters": given},
        lambda id_, name, given: {"toolCallId": id_, "tool": {"name": name}, "arguments": given},
        lambda id_, name, given: {"toolCallId": id_, "tool": {"function": {"name": name}}, "parameters": given},
    ],
    ids=["function.arguments", "function.parameters", "arguments", "parameters", "tool.name", "tool.function.name"],
)
@pytest.mark.parametrize("as_text", [False, True], ids=["object", "text"])
@pytest.mark.parametrize("place", ["toolCallList", "toolCalls", "toolWithToolCallList"])
async def test_every_shape_of_a_call_is_understood(
    caller: Caller, org_id: UUID, entry: Any, as_text: bool, place: str
) -> None:
    arguments = booking(org_id)
    asked = entry("toolu_1", "bookClinicAppointment", json.dumps(arguments) if as_text else arguments)
    if place == "toolWithToolCallList":
        asked = {"type": "function", "function": {"name": "bookClinicAppointment"}, "toolCall": asked}

    results = shaped(await caller.send({"message": {"type": "tool-calls", place: [asked], "call": {"id": "c1"}}}))

    assert results[0]["result"].startswith("Booked for")
    assert len(await caller.appointments()) == 1


async def test_the_message_names_the_assistant_and_a_stranger_s_id_is_left_out(caller: Caller, org_id: UUID) -> None:
    for time, named in (("10:00", "assistant-7"), ("11:00", "x' OR 1"), ("12:00", ["assistant-7"])):
        asked = call(booking(org_id, appointmentTime=time))
        about = {"id": f"at {time}", "assistantId": named}
        await caller.send({"message": {"type": "tool-calls", "toolCallList": [asked], "call": about}})
    sent = [one["body"] for one in await caller.harness.outbox("ToolCallHandled")]
    assert [one["code"] for one in sent] == ["booked"] * 3
    assert sorted(one.get("assistant_id", "") for one in sent) == ["", "", "assistant-7"]


@pytest.mark.parametrize(
    "written",
    [
        "```json\n{}\n```",
        "```\n{}\n```",
        "```json {} ```",
        "\n  ```JSON\r\n{}\r\n```\n",
        "  {}\n",
    ],
    ids=["fence", "fence without a language", "fence on one line", "fence with CRLF", "spaces"],
)
async def test_arguments_in_a_code_fence_are_read(caller: Caller, org_id: UUID, written: str) -> None:
    result = await caller.result(written.replace("{}", json.dumps(booking(org_id))))

    assert result.startswith("Booked for")


async def test_a_line_break_inside_a_text_of_the_arguments_is_read(caller: Caller, org_id: UUID) -> None:
    text = json.dumps(booking(org_id, notes="first line|second\tline")).replace("|", "\n")

    assert (await caller.result(text)).startswith("Booked for")
    (row,) = await caller.appointments()
    assert row["notes"] == "first line\nsecond\tline"


@pytest.mark.parametrize(
    "written",
    ["Here you are: {}", "{} {}", "```json\n{}\n``` Done.", "{},", "({})"],
    ids=["words before", "twice", "words behind", "a comma behind", "brackets"],
)
async def test_arguments_among_other_words_are_not_guessed(caller: Caller, org_id: UUID, written: str) -> None:
    error = await caller.error(written.replace("{}", json.dumps(booking(org_id))))

    assert error.startswith("The arguments are not a JSON object")
    assert await caller.appointments() == []


async def test_a_list_that_says_less_gives_way_to_one_that_says_all(caller: Caller, org_id: UUID) -> None:
    whole = call(booking(org_id), tool_call_id="toolu_1")
    body = {
        "message": {
            "type": "tool-calls",
            "call": {"id": "c1"},
            "toolCallList": [{"id": "toolu_1"}],
            "toolCalls": [{**whole, "function": {"name": "bookClinicAppointment"}}],
            "toolWithToolCallList": [
                {"function": {"name": "bookClinicAppointment", "parameters": {}}, "toolCall": whole}
            ],
        }
    }

    (entry,) = shaped(await caller.send(body))

    assert entry["result"].startswith("Booked for")


async def test_the_schema_beside_a_call_is_not_taken_for_its_arguments(caller: Caller, org_id: UUID) -> None:
    schema = {"type": "object", "properties": {"organization_id": {"type": "string"}}}
    around = {"function": {"name": "bookClinicAppointment", "parameters": schema}, "toolCall": {"id": "toolu_1"}}

    (entry,) = shaped(await caller.send({"message": {"type": "tool-calls", "toolWithToolCallList": [around]}}))

    assert entry["error"].startswith("The arguments are not a JSON object")


@pytest.mark.parametrize("as_text", [False, True], ids=["object", "text"])
async def test_a_legacy_function_call_is_answered_in_its_own_form(caller: Caller, org_id: UUID, as_text: bool) -> None:
    given = booking(org_id)
    asked = {"name": "bookClinicAppointment", "parameters": json.dumps(given) if as_text else given}
    body = {"message": {"type": "function-call", "functionCall": asked, "call": {"id": "c1"}}}

    first, again = await caller.send(body), await caller.send(body)

    assert first.status_code == 200
    assert set(first.json()) == {"result"}
    assert first.json()["result"].startswith("Booked for")
    assert again.content == first.content
    assert len(await caller.appointments()) == 1


@pytest.mark.parametrize("asked", [None, {}, {"name": "x"}, [], "bookClinicAppointment"])
async def test_a_legacy_function_call_that_says_nothing_is_answered_too(caller: Caller, asked: Any) -> None:
    answer = await caller.send({"message": {"type": "function-call", "functionCall": asked}})

    assert (answer.status_code, set(answer.json())) == (200, {"result"})
    assert "nothing was done" in answer.json()["result"]


async def test_a_taken_slot_is_refused_and_others_are_offered(caller: Caller, org_id: UUID) -> None:
    await caller.result(booking(org_id))
    await caller.result(booking(org_id, appointmentTime="11:00"))

    refusal = await caller.result(booking(org_id, patientName="Another"))

    assert refusal == (
        f"Not booked: this time is taken. Next free: {day()} at 10:30; {day()} at 11:30; {day()} at 12:00."
        " Offer these to the caller."
    )
    assert len(await caller.appointments()) == 2


async def test_a_model_that_asks_twice_in_one_phone_call_hears_that_it_has_booked(caller: Caller, org_id: UUID) -> None:
    await caller.result(booking(org_id), call_id="c1")

    again = await caller.result(booking(org_id, patientPhone="0049 151 1234 5678"), call_id="c1")

    assert again == f"Already booked for {day()} at 10:00."
    assert len(await caller.appointments()) == 1


async def test_the_same_slot_of_two_clinics_is_booked_twice(caller: Caller, harness: Harness, org_id: UUID) -> None:
    other = await harness.organization()

    await caller.result(booking(org_id))
    await caller.result(booking(other))

    assert [len(await caller.appointments(org)) for org in (org_id, other)] == [1, 1]


async def test_what_is_past_closed_between_slots_or_too_far_is_refused(caller: Caller, harness: Harness) -> None:
    org_id = await harness.organization()
    hours = {name: [["09:00", "12:00"], ["13:30", "17:00"]] for name in ("monday", "tuesday", "wednesday")}
    calendar = {"openingHours": hours, "services": ["Check-up", "Cleaning"], "slotMinutes": 45}
    answer = await harness.http.put(
        f"/api/organizations/{org_id}/calendar", json=calendar, headers=harness.bearer(org_id)
    )
    assert answer.status_code == 200, answer.text
    monday = next(day(ahead) for ahead in range(7, 14) if datetime.fromisoformat(day(ahead)).weekday() == 0)
    sunday = (datetime.fromisoformat(monday) + timedelta(days=6)).date().isoformat()
    next_monday = (datetime.fromisoformat(monday) + timedelta(days=7)).date().isoformat()

    closed = await caller.result(booking(org_id, appointmentDate=sunday))
    late = await caller.result(booking(org_id, appointmentDate=monday, appointmentTime="11:30"))
    between = await caller.result(booking(org_id, appointmentDate=monday, appointmentTime="09:10"))
    past = await caller.result(booking(org_id, appointmentDate=day(-1)))
    far = await caller.result(booking(org_id, appointmentDate=day(400)))
    unknown = await caller.result(booking(org_id, appointmentDate=monday, appointmentTime="09:45", service="Surgery"))
    good = await caller.result(booking(org_id, appointmentDate=monday, appointmentTime="14:15", service="check-UP"))

    assert closed.startswith(f"Not booked: the clinic is closed at this time. Next free: {next_monday} at 09:00;")
    assert late.startswith("Not booked: the clinic is closed at this time. Next free: " + f"{monday} at 13:30;")
    assert between.startswith("Not booked: appointments do not start at this time. Next free: " + f"{monday} at 09:45")
    assert past.startswith("Not done: this time is in the past. Next free: ")
    assert far.startswith("Not booked: this day is too far ahead. Next free: ")
    assert unknown.startswith(
        "Not booked: the clinic does not offer this service. It offers: Check-up, Cleaning."
        f" Next free: {monday} at 09:45;"
    )
    assert good == f"Booked for {monday} at 14:15."
    (row,) = await caller.appointments()
    assert row["service"] == "Check-up"


async def test_slots_follow_the_clinics_time_zone(caller: Caller, harness: Harness) -> None:
    answer = await harness.post("/api/organizations", {"name": "Kathmandu", "timeZone": "Asia/Kathmandu"})
    org_id = UUID(answer.json()["id"])
    assert answer.json()["calendar"]["timeZone"] == "Asia/Kathmandu"

    assert await caller.result(booking(org_id)) == f"Booked for {day()} at 10:00."

    (row,) = await caller.appointments()
    assert row["starts_at"].astimezone(UTC) == _at(day(), "04:15")


async def test_a_cancelled_slot_is_free_again(caller: Caller, org_id: UUID) -> None:
    await caller.result(booking(org_id))

    cancelled = await caller.result(cancelling(org_id, patientPhone="0049 (151) 12345678"), name="cancelAppointment")

    assert cancelled == f"Cancelled: the appointment of {day()} at 10:00."
    assert await caller.result(booking(org_id, patientPhone="+491701111111")) == f"Booked for {day()} at 10:00."
    assert sorted(row["status"] for row in await caller.appointments()) == ["booked", "cancelled"]


async def test_only_the_callers_own_appointment_of_that_day_is_cancelled(caller: Caller, org_id: UUID) -> None:
    await caller.result(booking(org_id))

    for changes in ({"patientPhone": "+4915100000000"}, {"appointmentDate": day(8)}):
        refusal = await caller.result(cancelling(org_id, **changes), name="cancelAppointment")
        assert refusal.startswith("Not done: no appointment was found")
    await caller.result(booking(org_id, appointmentTime="15:00"))
    several = await caller.result(cancelling(org_id), name="cancelAppointment")
    past = await caller.result(cancelling(org_id, appointmentDate=day(-1)), name="cancelAppointment")

    assert {several, past} == {refusal}
    assert {row["status"] for row in await caller.appointments()} == {"booked"}


async def test_moving_frees_the_old_slot_and_takes_the_new_one(caller: Caller, org_id: UUID) -> None:
    await caller.result(booking(org_id))

    moved = await caller.result(moving(org_id), name="rescheduleAppointment")

    assert moved == f"Moved: the appointment is now on {day()} at 11:00."
    (row,) = await caller.appointments()
    assert (row["starts_at"], row["ends_at"]) == (_at(day(), "11:00"), _at(day(), "11:30"))
    assert (await caller.result(booking(org_id, patientPhone="+49170222222"))).startswith("Booked")


async def test_moving_to_a_taken_or_impossible_time_keeps_the_old_one(caller: Caller, org_id: UUID) -> None:
    await caller.result(booking(org_id))
    await caller.result(booking(org_id, appointmentTime="11:00", patientPhone="+49170222222"))
    before = await caller.appointments()

    taken = await caller.result(moving(org_id), name="rescheduleAppointment")
    past = await caller.result(moving(org_id, newDate=day(-2)), name="rescheduleAppointment")

    assert taken.startswith(f"Not booked: this time is taken. Next free: {day()} at 11:30;")
    assert past.startswith("Not done: this time is in the past. Next free:")
    assert await caller.appointments() == before


async def test_several_calls_of_one_request_are_answered_in_order(caller: Caller, org_id: UUID) -> None:
    calls = [
        call(booking(org_id)),
        call(cancelling(org_id), name="cancelAppointment"),
        call(booking(org_id)),
        call(booking(org_id), name="noSuchTool"),
    ]

    results = await caller.results(*calls)

    assert [entry["toolCallId"] for entry in results] == [entry["id"] for entry in calls]
    assert [entry["name"] for entry in results] == [entry["function"]["name"] for entry in calls]
    assert [next(iter(set(entry) & {"result", "error"})) for entry in results] == ["result"] * 3 + ["error"]
    assert sorted(row["status"] for row in await caller.appointments()) == ["booked", "cancelled"]


async def test_more_calls_than_a_conversation_has_are_not_looked_at(caller: Caller, org_id: UUID) -> None:
    calls = [
        call(booking(org_id, appointmentTime=f"{hour:02}:{minute}")) for hour in range(20) for minute in ("00", "30")
    ]

    results = await caller.results(*calls)

    assert [("error" in entry) for entry in results] == [False] * 20 + [True] * 20
    assert len(await caller.appointments()) == 20


async def test_what_is_no_message_has_no_results(caller: Caller) -> None:
    bodies: list[Any] = [{"message": {}}, {}, [], "x", None]
    for body in bodies:
        assert shaped(await caller.send(body)) == []


async def test_without_a_database_the_model_hears_that_nothing_is_certain(
    assistant_api_db: DatabaseUrls, sandbox: Sandbox
) -> None:
    service = Service(make_settings(assistant_api_db, sandbox, vapi_webhook_tokens=TOKENS[0]))  # never connected
    transport = httpx.ASGITransport(create_app(service.parts))
    async with httpx.AsyncClient(transport=transport, base_url="http://assistant-api") as http:
        answer = await http.post(PATH, json=message(call(booking(uuid4()))), headers=bearer())
    await service.close()

    (entry,) = shaped(answer)
    assert entry["error"].startswith("The calendar does not answer, so it is not known whether anything was done.")


async def test_a_clinic_that_is_held_up_hears_it_and_the_call_can_be_made_again(caller: Caller, org_id: UUID) -> None:
    again = message(call(booking(org_id), tool_call_id="call_1"), call_id="c1")
    async with caller.harness.owner.transaction():
        await caller.harness.owner.execute("LOCK TABLE tool_calls IN ACCESS EXCLUSIVE MODE")
        (entry,) = shaped(await caller.send(again))
        assert entry["error"].startswith("The calendar does not answer")

    assert shaped(await caller.send(again))[0]["result"].startswith("Booked for")
    assert len(await caller.appointments()) == 1


async def test_an_organization_that_does_not_exist_is_no_other_one(caller: Caller, org_id: UUID) -> None:
    error = await caller.error(booking(uuid4()))
    missing = await caller.error(booking(org_id, organization_id=...))

    assert error == "This clinic does not take appointments here, so nothing was done."
    assert missing.startswith("The clinic of this assistant is not known")
    assert await caller.appointments() == []
    assert message()["message"]["toolCalls"] == []
