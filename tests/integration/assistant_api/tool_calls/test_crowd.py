"""Many at once: one slot is booked once, and one call is answered once."""

import asyncio
import time
from collections import Counter
from itertools import pairwise
from uuid import UUID, uuid4

from .calling import PHONE, Caller, booking, call, cancelling, day, message, moving, shaped

CROWD = 200
DELIVERIES = 1000
P99_SECONDS_MAX = 0.5


async def test_two_hundred_want_one_slot_and_one_gets_it(caller: Caller, org_id: UUID) -> None:
    for warm in range(20):  # connections and prepared statements, as a running service has them
        await caller.result(booking(org_id, appointmentDate=day(30), appointmentTime="10:00", patientName=str(warm)))
    times: list[float] = []

    async def ask(number: int) -> str:
        began = time.perf_counter()
        text = await caller.result(booking(org_id, patientPhone=f"+4917{number:08}"))
        times.append(time.perf_counter() - began)
        return text

    texts = await asyncio.gather(*(ask(number) for number in range(CROWD)))

    counts = Counter(text.split(".")[0] for text in texts)
    assert counts == {f"Booked for {day()} at 10:00": 1, "Not booked: this time is taken": CROWD - 1}
    assert all("Next free:" in text for text in texts if text.startswith("Not"))
    assert len([row for row in await caller.appointments() if row["starts_at"].date().isoformat() == day()]) == 1
    p99 = sorted(times)[int(CROWD * 0.99) - 1]
    print(f"{CROWD} at once for one slot: p50 {sorted(times)[CROWD // 2] * 1000:.0f} ms, p99 {p99 * 1000:.0f} ms")


async def test_a_thousand_deliveries_of_a_call_are_one_appointment_and_one_answer(caller: Caller, org_id: UUID) -> None:
    body = message(call(booking(org_id), tool_call_id="call_1"), call_id="c1")

    answers = [
        answer.content
        for _ in range(5)
        for answer in await asyncio.gather(*(caller.send(body) for _ in range(DELIVERIES // 5)))
    ]

    assert len(answers) == DELIVERIES
    assert len(set(answers)) == 1
    assert len(await caller.appointments()) == 1
    assert len(await caller.harness.outbox("ToolCallHandled")) == 1
    assert await caller.harness.owner.fetchval("SELECT count(*) FROM tool_calls") == 1


async def test_a_refusal_is_kept_too_even_when_the_slot_has_become_free(caller: Caller, org_id: UUID) -> None:
    await caller.result(booking(org_id))
    late = message(call(booking(org_id, patientPhone="+49170222222"), tool_call_id="call_2"), call_id="c2")
    refused = shaped(await caller.send(late))
    await caller.result(cancelling(org_id), name="cancelAppointment")

    assert shaped(await caller.send(late)) == refused
    assert refused[0]["result"].startswith("Not booked: this time is taken.")
    assert [row["status"] for row in await caller.appointments()] == ["cancelled"]


async def test_a_thousand_cancellations_and_moves_of_one_call_happen_once(caller: Caller, org_id: UUID) -> None:
    await caller.result(booking(org_id))
    move = message(call(moving(org_id), name="rescheduleAppointment", tool_call_id="m"), call_id="c1")
    cancel = message(call(cancelling(org_id), name="cancelAppointment", tool_call_id="x"), call_id="c1")

    moves = await asyncio.gather(*(caller.send(move) for _ in range(100)))
    cancels = await asyncio.gather(*(caller.send(cancel) for _ in range(100)))

    assert {shaped(answer)[0]["result"] for answer in moves} == {f"Moved: the appointment is now on {day()} at 11:00."}
    assert {shaped(answer)[0]["result"] for answer in cancels} == {f"Cancelled: the appointment of {day()} at 11:00."}


async def test_moves_and_bookings_that_want_the_same_slots_never_overlap(caller: Caller, org_id: UUID) -> None:
    hours = [f"{hour:02}:00" for hour in range(8, 16)]
    phones = [f"+4917{number:08}" for number in range(len(hours))]
    for hour, phone in zip(hours, phones, strict=True):
        await caller.result(booking(org_id, appointmentTime=hour, patientPhone=phone))

    moves = [
        caller.result(moving(org_id, patientPhone=phone, newTime="20:00"), name="rescheduleAppointment", customer=phone)
        for phone in phones
    ]
    books = [
        caller.result(booking(org_id, appointmentTime="20:00", patientPhone=f"+4918{number:08}"))
        for number in range(len(hours))
    ]
    texts = await asyncio.gather(*moves, *books)

    assert sum(text.startswith(("Moved", "Booked")) for text in texts) == 1
    rows = [row for row in await caller.appointments() if row["status"] == "booked"]
    assert len(rows) == len({row["starts_at"] for row in rows})
    assert all(a["ends_at"] <= b["starts_at"] for a, b in pairwise(rows))


async def test_the_same_ids_at_another_clinic_are_another_call(caller: Caller, org_id: UUID) -> None:
    other = await caller.harness.organization()

    for org in (org_id, other):
        results = await caller.results(call(booking(org), tool_call_id="call_1"), call_id="c1")
        assert results[0]["result"].startswith("Booked for")
    again = await caller.results(call(booking(org_id), tool_call_id="call_1"), call_id=str(uuid4()))

    assert again[0]["result"].startswith("Not booked: this time is taken.")
    assert [row["patient_phone"] for row in await caller.appointments()] == [PHONE, PHONE]
