"""Phone calls of an erased patient: deleted at Vapi where that is set, for as long as it takes, and named otherwise."""

from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID, uuid4

import pytest
import pytest_asyncio
from tests.support.eventually import eventually

from devstack.databases import DatabaseUrls
from devstack.sandbox import Sandbox

from ..harness import Harness, Vapi, make_settings, running
from ..tool_calls.calling import TOKENS, Caller, booking
from .asking import PHONE, erase, receipt


@pytest_asyncio.fixture(loop_scope="session")
async def harness(assistant_api_db: DatabaseUrls, sandbox: Sandbox, vapi: Vapi) -> AsyncIterator[Harness]:
    """The service, which deletes calls, and has little patience."""
    settings = make_settings(
        assistant_api_db,
        sandbox,
        vapi_webhook_tokens=TOKENS[0],
        erase_vapi_calls=True,
        vapi_deadline_seconds=0.6,
        send_window_seconds=0.3,
        settle_seconds=1.0,
        surplus_age_seconds=2.0,
        lease_seconds=3,
        removal_lease_seconds=1,
        retry_seconds_max=0.2,
        retry_seconds_min=0.1,
        key_refused_seconds=0.5,
    )
    async with running(settings, assistant_api_db, vapi) as harness:
        yield harness


async def _called(caller: Caller, org_id: UUID, hour: int = 10) -> str:
    """A phone call at Vapi, in which the patient booked."""
    made = await caller.harness.vapi.api.post("/assistant", json={"model": {"provider": "openai", "model": "gpt-4o"}})
    call_id = str(uuid4())
    order = {"assistantId": made.json()["id"], "callId": call_id}
    (await caller.harness.vapi.control.post("/__sandbox/calls", json=order)).raise_for_status()
    wish = booking(org_id, patientPhone=PHONE, appointmentTime=f"{hour:02}:00")
    await caller.result(wish, call_id=call_id)
    return call_id


async def _states(harness: Harness, org_id: UUID, erasure: dict[str, Any]) -> list[str]:
    return [call["state"] for call in (await receipt(harness, org_id, erasure))["calls"]]


async def _deleted(harness: Harness, org_id: UUID, erasure: dict[str, Any]) -> None:
    async def check() -> bool:
        await harness.service.call_deletions.run_once()
        return set(await _states(harness, org_id, erasure)) == {"deleted"}

    await eventually(check, within_seconds=20)


async def _status(harness: Harness, call_id: str) -> int:
    return (await harness.vapi.api.get(f"/call/{call_id}")).status_code


async def test_they_are_deleted_and_the_receipt_says_so(caller: Caller, org_id: UUID) -> None:
    harness = caller.harness
    calls = [await _called(caller, org_id, hour) for hour in (8, 9, 10)]
    kept = await _called(caller, await harness.organization())

    done = await erase(harness, org_id, {"phone": PHONE})
    assert {call["state"] for call in done["calls"]} == {"to_delete"}
    assert await harness.service.call_deletions.run_once() == 3

    assert await _states(harness, org_id, done) == ["deleted"] * 3
    assert [await _status(harness, one) for one in calls] == [404, 404, 404]
    assert await _status(harness, kept) == 200
    sent = [entry for entry in await harness.vapi.requests("DELETE") if entry["route"] == "DELETE /call/{id}"]
    assert sorted(entry["path"].rpartition("/")[2] for entry in sent) == sorted(calls)
    assert await harness.service.call_deletions.run_once() == 0


async def test_a_call_that_is_gone_already_counts_as_deleted(caller: Caller, org_id: UUID) -> None:
    call_id = await _called(caller, org_id)
    (await caller.harness.vapi.api.request("DELETE", f"/call/{call_id}", json={})).raise_for_status()
    done = await erase(caller.harness, org_id, {"phone": PHONE})

    await caller.harness.service.call_deletions.run_once()

    assert await _states(caller.harness, org_id, done) == ["deleted"]


@pytest.mark.parametrize(
    "action",
    [
        {"kind": "status", "status": 503},
        {"kind": "status", "status": 500, "commit": True, "body": "html"},
        {"kind": "reset", "commit": True},
        {"kind": "reset", "commit": False},
        {"kind": "hang", "hold_ms": 900},
        {"kind": "status", "status": 429, "retry_after": 1},
        {"kind": "status", "status": 401},
        {"kind": "status", "status": 400},
        {"kind": "mangle", "form": "garbage"},
        {"kind": "mangle", "form": "huge"},
    ],
    ids=lambda action: "-".join(map(str, action.values())),
)
async def test_whatever_vapi_answers_it_is_deleted_in_the_end(
    caller: Caller, org_id: UUID, action: dict[str, Any]
) -> None:
    call_id = await _called(caller, org_id)
    await caller.harness.vapi.break_route("DELETE /call/{id}", action, times=1)
    done = await erase(caller.harness, org_id, {"phone": PHONE})

    await caller.harness.service.call_deletions.run_once()
    await _deleted(caller.harness, org_id, done)

    assert await _status(caller.harness, call_id) == 404


async def test_while_it_waits_the_receipt_says_why(caller: Caller, org_id: UUID) -> None:
    await _called(caller, org_id)
    await caller.harness.vapi.break_route("DELETE /call/{id}", {"kind": "status", "status": 400})
    done = await erase(caller.harness, org_id, {"phone": PHONE})

    await caller.harness.service.call_deletions.run_once()

    (call,) = (await receipt(caller.harness, org_id, done))["calls"]
    assert (call["state"], call["code"]) == ("to_delete", "TS-109")


async def test_a_lease_that_nobody_ended_is_taken_up_by_the_next(caller: Caller, org_id: UUID) -> None:
    """The process died after it had claimed the call: with or without the DELETE."""
    await _called(caller, org_id)
    done = await erase(caller.harness, org_id, {"phone": PHONE})
    await caller.harness.owner.execute("UPDATE erased_calls SET next_due = now() + interval '1 second'")
    assert await caller.harness.service.call_deletions.run_once() == 0

    await _deleted(caller.harness, org_id, done)


async def test_what_is_no_call_of_vapis_is_kept(caller: Caller, org_id: UUID) -> None:
    """A session of a gateway, or a chat, is stored as a hash: `DELETE /call/` of it would mean nothing at Vapi."""
    for hour, call_id in ((8, "session-of-a-gateway"), (9, "a b?../c")):
        await caller.result(booking(org_id, patientPhone=PHONE, appointmentTime=f"{hour:02}:00"), call_id=call_id)

    done = await erase(caller.harness, org_id, {"phone": PHONE})

    assert {call["state"] for call in done["calls"]} == {"kept"}
    assert len(done["calls"]) == 2
    assert await caller.harness.service.call_deletions.run_once() == 0
