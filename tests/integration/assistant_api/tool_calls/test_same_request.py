"""The same id is not the same thing: what makes two tool calls one request (ADR 23)."""

import asyncio
import json
from collections import Counter
from typing import Any, Final
from uuid import UUID, uuid4

import pytest

from .calling import PHONE, Caller, bearer, booking, call, cancelling, day, message, moving, shaped

SIGNATURE: Final = "AY89a1/+z3Jk==" * 72  # 1,008 characters, as gateways put a provider's signature into an id

IDS: Final[dict[str, Any]] = {
    "a gateway's signature": f"call_1__thought__{SIGNATURE}",
    "129 characters": "x" * 129,
    "numbered by the message": "call_0",
    "named and numbered": "functions.bookClinicAppointment:0",
    "empty": "",
    "a space": " ",
    "line breaks": "call_1\r\n\t",
    "unicode": "вызов-№1-☎️",
    "not normalised": "e\u0301",
    "U+0000": "call\x00",
    "a lone surrogate": "call_\ud83d",
    "a direction": "\u202ecall",
    "markup": "<script>\"'&",
    "SQL": "'; DROP TABLE appointments; --",
    "a path": "../../etc/passwd",
    "like a stored hash": "#" + "0" * 64,
    "a number": 7,
    "a fraction": 7.5,
    "a huge number": 10**30,
}


def _text(results: list[dict[str, Any]]) -> list[str]:
    return [entry.get("result") or entry["error"] for entry in results]


@pytest.mark.parametrize("given", IDS.values(), ids=IDS.keys())
async def test_any_id_is_given_back_as_it_came_and_answered_once(caller: Caller, org_id: UUID, given: Any) -> None:
    body = message({**call(booking(org_id)), "id": given}, call_id="c1")

    answers = [await caller.send(json.dumps(body).encode()) for _ in range(2)]

    for answer in answers:
        assert shaped(answer)[0]["toolCallId"] == given
        assert _text(shaped(answer)) == [f"Booked for {day()} at 10:00."]
    assert len(await caller.harness.outbox("ToolCallHandled")) == 1
    assert len(await caller.appointments()) == 1


@pytest.mark.parametrize("given", [value for value in IDS.values() if value != ""], ids=repr)
async def test_any_id_of_a_phone_call_tells_conversations_apart(caller: Caller, org_id: UUID, given: Any) -> None:
    first = message(call(booking(org_id), tool_call_id="call_0"))
    other = message(call(booking(org_id), tool_call_id="call_0"))
    first["message"]["call"]["id"] = given
    other["message"]["call"]["id"] = "another"

    assert _text(shaped(await caller.send(json.dumps(first).encode()))) == [f"Booked for {day()} at 10:00."]
    assert _text(shaped(await caller.send(json.dumps(other).encode())))[0].startswith("Not booked: this time is taken")
    assert _text(shaped(await caller.send(json.dumps(first).encode()))) == [f"Booked for {day()} at 10:00."]


async def test_an_id_may_stand_in_tool_call_id(caller: Caller, org_id: UUID) -> None:
    asked = call(booking(org_id))
    asked["toolCallId"] = asked.pop("id")

    (entry,) = await caller.results(asked)

    assert (entry["toolCallId"], entry["result"]) == (asked["toolCallId"], f"Booked for {day()} at 10:00.")


async def test_a_repeated_id_with_other_arguments_is_a_new_request(caller: Caller, org_id: UUID) -> None:
    """The first slot is taken, and the model numbers its second call as it did the first."""
    await caller.result(booking(org_id, patientPhone="+49170222222"))

    taken = await caller.results(call(booking(org_id), tool_call_id="call_0"), call_id="c1")
    booked = await caller.results(call(booking(org_id, appointmentTime="10:30"), tool_call_id="call_0"), call_id="c1")

    assert _text(taken)[0].startswith("Not booked: this time is taken.")
    assert _text(booked) == [f"Booked for {day()} at 10:30."]


async def test_a_repeated_id_of_another_tool_is_a_new_request(caller: Caller, org_id: UUID) -> None:
    booked = await caller.results(call(booking(org_id), tool_call_id="0"), call_id="c1")
    moved = await caller.results(call(moving(org_id), name="rescheduleAppointment", tool_call_id="0"), call_id="c1")
    cancelled = await caller.results(call(cancelling(org_id), name="cancelAppointment", tool_call_id="0"), call_id="c1")

    assert [_text(each)[0].split()[0] for each in (booked, moved, cancelled)] == ["Booked", "Moved:", "Cancelled:"]


async def test_two_calls_of_one_message_may_have_one_id(caller: Caller, org_id: UUID) -> None:
    first = call(booking(org_id), tool_call_id="call_0")
    second = call(booking(org_id, patientName="Max Example", appointmentTime="10:30"), tool_call_id="call_0")

    results = await caller.results(first, second, first, call_id="c1")

    assert _text(results) == [f"Booked for {day()} at {time}." for time in ("10:00", "10:30", "10:00")]
    assert len(await caller.appointments()) == 2


async def test_values_make_a_request_the_same_not_their_spelling(caller: Caller, org_id: UUID) -> None:
    arguments = booking(org_id)
    respelled = {
        **dict(reversed(arguments.items())),
        "patientPhone": "+49 (151) 1234-5678",
        "patientName": "  Erika Example ",
        "notes": "",
        "definition_version": "1",
    }

    first = await caller.results(call(arguments, tool_call_id="call_0"), call_id="c1")
    again = await caller.results(call(json.dumps(respelled, indent=2), tool_call_id="call_0"), call_id="c1")

    assert _text(first) == _text(again) == [f"Booked for {day()} at 10:00."]
    assert len(await caller.harness.outbox("ToolCallHandled")) == 1


async def test_wrong_arguments_get_the_same_answer_and_corrected_ones_a_new_one(caller: Caller, org_id: UUID) -> None:
    wrong = call(booking(org_id, appointmentTime="half past nine"), tool_call_id="call_0")
    missing = call(booking(org_id, patientName=...), tool_call_id="call_0")
    old = call(booking(org_id, definition_version=99), tool_call_id="call_0")

    texts = [_text(await caller.results(each, call_id="c1"))[0] for each in (wrong, wrong, missing, old, old)]
    right = await caller.results(call(booking(org_id), tool_call_id="call_0"), call_id="c1")

    assert "appointmentTime" in texts[0]
    assert texts[0] == texts[1]
    assert "patientName" in texts[2]
    assert texts[3].startswith("This tool is out of date")
    assert _text(right) == [f"Booked for {day()} at 10:00."]
    assert await caller.harness.owner.fetchval("SELECT count(*) FROM tool_calls") == 4


CONVERSATIONS: Final[dict[str, Any]] = {
    "phone call": {"call": {"id": "x"}},
    "session of a chat": {"chat": {"id": "turn", "sessionId": "x"}},
    "session": {"session": {"id": "x"}},
    "session of a call": {"call": {"sessionId": "x"}},
    "chat": {"chat": {"id": "x"}, "call": None},
    "number at the phone provider": {"call": {"phoneCallProviderId": "x"}},
    "number where text is usual": {"call": {"id": 12}},
}


@pytest.mark.parametrize("named", CONVERSATIONS.values(), ids=CONVERSATIONS.keys())
async def test_a_conversation_is_told_by_whatever_identifies_it(caller: Caller, org_id: UUID, named: Any) -> None:
    def body(tool_call_id: str, names: Any) -> Any:
        asked = call(booking(org_id), tool_call_id=tool_call_id)
        return {"message": {"type": "tool-calls", "toolCallList": [asked], **names}}

    first = shaped(await caller.send(body("call_0", named)))
    await caller.harness.owner.execute("UPDATE tool_calls SET handled_at = now() - interval '1 hour'")
    again = shaped(await caller.send(body("call_0", named)))
    twice = shaped(await caller.send(body("call_1", named)))
    other = shaped(await caller.send(body("call_0", {"call": {"id": "another"}})))

    assert _text(first) == _text(again) == [f"Booked for {day()} at 10:00."]
    assert _text(twice) == [f"Already booked for {day()} at 10:00."]
    assert _text(other)[0].startswith("Not booked: this time is taken.")


async def test_a_session_holds_its_chats_together(caller: Caller, org_id: UUID) -> None:
    def turn(number: int) -> Any:
        asked = call(booking(org_id), tool_call_id=f"call_{number}")
        chat = {"id": f"chat-{number}", "sessionId": "s1"}
        return {"message": {"type": "tool-calls", "toolCallList": [asked], "chat": chat}}

    texts = [_text(shaped(await caller.send(turn(number))))[0].split()[0] for number in range(2)]

    assert texts == ["Booked", "Already"]


async def test_ids_of_different_kinds_are_different_conversations(caller: Caller, org_id: UUID) -> None:
    texts = []
    for names in CONVERSATIONS.values():
        asked = call(booking(org_id), tool_call_id="call_0")
        answer = await caller.send({"message": {"type": "tool-calls", "toolCallList": [asked], **names}})
        texts.append(_text(shaped(answer))[0].split(" ")[0])

    assert texts == ["Booked"] + ["Not"] * (len(CONVERSATIONS) - 1)


def _without_conversation(org_id: UUID, **changes: Any) -> Any:
    return {
        "message": {"type": "tool-calls", "toolCallList": [call(booking(org_id, **changes), tool_call_id="call_0")]}
    }


async def test_without_a_conversation_only_an_equal_request_of_the_last_minute_is_a_repeat(
    caller: Caller, org_id: UUID
) -> None:
    async def ask(**changes: Any) -> str:
        return _text(shaped(await caller.send(_without_conversation(org_id, **changes))))[0]

    first, again = await ask(), await ask()
    other = await ask(patientPhone="+49170222222", appointmentTime="10:30")
    await caller.harness.owner.execute("UPDATE tool_calls SET handled_at = now() - interval '61 seconds'")
    later = await ask()
    later_again = await ask()

    assert first == again == f"Booked for {day()} at 10:00."
    assert other == f"Booked for {day()} at 10:30."
    assert later.startswith("Not booked: this time is taken.")
    assert later_again == later
    assert len(await caller.harness.outbox("ToolCallHandled")) == 3


async def test_many_deliveries_without_a_conversation_are_one_request_also_after_an_older_one(
    caller: Caller, org_id: UUID
) -> None:
    cancel = call(cancelling(org_id), name="cancelAppointment", tool_call_id="call_0")
    body = {"message": {"type": "tool-calls", "toolCallList": [cancel], "customer": {"number": PHONE}}}
    assert _text(shaped(await caller.send(body)))[0].startswith("Not done: no appointment was found")
    await caller.harness.owner.execute("UPDATE tool_calls SET handled_at = now() - interval '2 minutes'")
    await caller.result(booking(org_id))

    answers = await asyncio.gather(*(caller.send(body) for _ in range(50)))

    assert {_text(shaped(answer))[0] for answer in answers} == {f"Cancelled: the appointment of {day()} at 10:00."}
    handled = await caller.harness.outbox("ToolCallHandled")
    assert Counter(sent["body"]["code"] for sent in handled) == {"no_appointment": 1, "booked": 1, "cancelled": 1}


async def test_many_deliveries_with_a_strange_id_are_one_appointment_and_one_answer(
    caller: Caller, org_id: UUID
) -> None:
    body = json.dumps(message({**call(booking(org_id)), "id": SIGNATURE}, call_id=SIGNATURE)).encode()

    answers = [answer.content for answer in await asyncio.gather(*(caller.send(body) for _ in range(200)))]

    assert len(set(answers)) == 1
    assert len(await caller.appointments()) == 1
    assert len(await caller.harness.outbox("ToolCallHandled")) == 1


async def test_one_mother_books_for_two_children_in_one_call(caller: Caller, org_id: UUID) -> None:
    async def ask(name: str, time: str) -> str:
        return await caller.result(booking(org_id, patientName=name, appointmentTime=time), call_id="c1")

    assert await ask("Anna Example", "10:00") == f"Booked for {day()} at 10:00."
    assert (await ask("Ben Example", "10:00")).startswith(
        f"Not booked: this time is taken. Next free: {day()} at 10:30"
    )
    assert await ask("Ben Example", "10:30") == f"Booked for {day()} at 10:30."
    assert await ask("Anna Example", "10:00") == f"Already booked for {day()} at 10:00."
    names = [(row["patient_name"], row["starts_at"].hour) for row in await caller.appointments()]
    assert [name for name, _ in names] == ["Anna Example", "Ben Example"]


@pytest.mark.parametrize(
    "again",
    [
        "ZOË MÜLLER-LÜDENSCHEIDT",
        "Müller-Lüdenscheidt, Zoë",
        "Zoe\u0308  Mu\u0308ller\u2011Lu\u0308denscheidt",
        "zoe muller ludenscheidt",
    ],
    ids=["case", "order", "spaces", "accents"],
)
async def test_a_patient_is_the_same_however_the_name_is_spelled(caller: Caller, org_id: UUID, again: str) -> None:
    await caller.result(booking(org_id, patientName="Zoë Müller-Lüdenscheidt"), call_id="c1")

    answer = await caller.result(booking(org_id, patientName=again), call_id="c1")

    assert answer == f"Already booked for {day()} at 10:00."
    (row,) = await caller.appointments()
    assert row["patient_name"] == "Zoë Müller-Lüdenscheidt"


async def test_what_is_said_about_an_appointment_later_in_the_call_is_kept(caller: Caller, org_id: UUID) -> None:
    await caller.result(booking(org_id), call_id="c1")

    await caller.result(booking(org_id, notes="Allergic to latex", service="Cleaning"), call_id="c1")
    await caller.result(booking(org_id, service="Cleaning"), call_id="c1")

    (row,) = await caller.appointments()
    assert (row["service"], row["notes"]) == ("Cleaning", "Allergic to latex")


async def test_a_model_that_asks_many_times_at_once_hears_of_one_booking(caller: Caller, org_id: UUID) -> None:
    texts = await asyncio.gather(*(caller.result(booking(org_id), call_id="c1") for _ in range(30)))

    assert Counter(text.split(" for ")[0] for text in texts) == {"Booked": 1, "Already booked": 29}


async def test_another_callers_slot_is_taken_whatever_the_patients_name(caller: Caller, org_id: UUID) -> None:
    await caller.result(booking(org_id), call_id="c1")

    other_call = await caller.result(booking(org_id), call_id=str(uuid4()))
    other_number = await caller.result(booking(org_id, patientPhone=f"{PHONE}9"), call_id="c1")

    assert other_call.startswith("Not booked: this time is taken.")
    assert other_number.startswith("Not booked: this time is taken.")


async def test_a_body_that_names_nothing_is_answered_too(caller: Caller) -> None:
    answer = await caller.send({"message": {"type": "tool-calls", "toolCallList": [{}]}}, bearer())

    assert _text(shaped(answer)) == ["This tool call has no id, so nothing was done."]
