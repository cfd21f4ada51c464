"""Tool calls in the access log: one row each, in the transaction of the call, by the caller `vapi`."""

from typing import Any
from uuid import UUID, uuid4

import structlog

from ..harness import Harness
from .calling import PHONE, Caller, booking, call, cancelling, day, moving


async def logged(harness: Harness) -> list[tuple[Any, ...]]:
    """Action, object, result and code of each row that Vapi left."""
    found = await harness.owner.fetch(
        "SELECT action, object_id, result, code FROM access_log WHERE role = 'vapi' ORDER BY id"
    )
    return [tuple(row) for row in found]


async def test_each_call_leaves_one_row_and_a_repeat_its_own(caller: Caller, org_id: UUID) -> None:
    named, conversation = {"patientName": "Erika Example"}, str(uuid4())
    calls = [
        call(booking(org_id), tool_call_id="c-1"),
        call(moving(org_id, **named), name="rescheduleAppointment", tool_call_id="c-2"),
        call(cancelling(org_id, **named), name="cancelAppointment", tool_call_id="c-3"),
        call(booking(org_id, appointmentTime="x"), tool_call_id="c-4"),
        call(booking(org_id), tool_call_id="c-1"),
    ]
    await caller.results(*calls, call_id=conversation)

    assert await logged(caller.harness) == [
        ("tool_call.book", "c-1", "done", None),
        ("tool_call.reschedule", "c-2", "done", None),
        ("tool_call.cancel", "c-3", "done", None),
        ("tool_call.book", "c-4", "refused", "invalid_arguments"),
        ("tool_call.repeat", "c-1", "done", None),
    ]
    rows = [dict(row) for row in await caller.harness.owner.fetch("SELECT * FROM access_log WHERE role = 'vapi'")]
    assert {(row["principal"], row["org_id"], row["scopes"]) for row in rows} == {("vapi", org_id, None)}
    assert all(len(row["trace_id"]) == 32 for row in rows)
    for said in (PHONE, PHONE[1:], "Erika", day()):
        assert said not in str(rows)
    assert caller.harness.service.access_counter.counted["tool_call.book", "refused"] == 1


async def test_a_call_that_is_nobodys_is_a_row_without_anything_of_it(caller: Caller) -> None:
    await caller.results(call(booking(uuid4())), call(booking("nobody")), call({}, name="someOther"))

    assert await logged(caller.harness) == [
        ("tool_call.receive", None, "refused", "unknown_clinic"),
        ("tool_call.receive", None, "refused", "foreign"),
        ("tool_call.receive", None, "refused", "foreign"),
    ]


async def test_no_call_is_answered_without_its_row(caller: Caller, org_id: UUID) -> None:
    conversation, first = str(uuid4()), call(booking(org_id), tool_call_id="c-1")
    await caller.results(first, call_id=conversation)
    owner = caller.harness.owner
    await owner.execute("ALTER TABLE access_log ADD CONSTRAINT never CHECK (false) NOT VALID")
    try:
        with structlog.testing.capture_logs():
            for again in (first, call(booking(org_id, appointmentTime="12:00"), tool_call_id="c-2")):
                answer = await caller.send({"message": {"type": "tool-calls", "toolCallList": [again]}})
                assert (answer.status_code, "Booked" in answer.text) == (500, False)
    finally:
        await owner.execute("ALTER TABLE access_log DROP CONSTRAINT never")

    assert len(await caller.appointments(org_id)) == 1
    assert len(await caller.harness.outbox("ToolCallHandled")) == 1
    assert [row[0] for row in await logged(caller.harness)] == ["tool_call.book"]
