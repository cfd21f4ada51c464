"""Vapi misbehaves: answers are lost, late, refused or wrong, and in the end each org has one tool and each save one
outcome."""

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest

from tool_sync.domain.events import (
    AssistantLinked,
    AssistantLinkStarted,
    AssistantSynced,
    AssistantSyncFailed,
    SyncAttemptFailed,
    ToolFailure,
    ToolRegistered,
    ToolRegistrationStarted,
)

from .limits import SETTLE_SECONDS
from .world import World

TOOL = "bookClinicAppointment"


def rule(route: str, action: dict[str, Any], *, times: int = 1) -> dict[str, Any]:
    return {"route": route, "times": times, "action": action}


LOST_AFTER = [
    pytest.param({"kind": "reset", "commit": True}, id="connection cut"),
    pytest.param({"kind": "hang", "commit": True, "hold_ms": 5000}, id="no answer"),
    pytest.param({"kind": "status", "status": 500, "commit": True}, id="500"),
    pytest.param({"kind": "status", "status": 502, "commit": True, "body": "html"}, id="502 in HTML"),
    pytest.param({"kind": "late", "delay_ms": 400}, id="executed after the deadline"),
    pytest.param({"kind": "mangle", "form": "truncated"}, id="half an answer"),
    pytest.param({"kind": "mangle", "form": "no_id"}, id="answer without an id"),
    pytest.param({"kind": "mangle", "form": "html"}, id="HTML"),
    pytest.param({"kind": "mangle", "form": "empty"}, id="empty answer"),
]
LOST_BEFORE = [
    pytest.param({"kind": "reset", "commit": False}, id="connection cut"),
    pytest.param({"kind": "hang", "commit": False, "hold_ms": 5000}, id="no answer"),
    pytest.param({"kind": "status", "status": 503}, id="503"),
]


async def synced(world: World, org: UUID, count: int = 1) -> list[AssistantSynced]:
    """Work until the org has so many good outcomes."""

    async def enough() -> list[AssistantSynced]:
        found = await world.events(org, AssistantSynced)
        return found if len(found) >= count else []

    found: list[AssistantSynced] = await world.until(enough)
    return found


async def is_whole(world: World, org: UUID, assistant: dict[str, Any]) -> None:
    """One tool, the same at Vapi, in org_tools and in the assistant, whose other fields are untouched."""
    (tool,) = await world.tools()
    assert [row["vapi_tool_id"] for row in await world.org_tools(org)] == [tool["id"]]
    assert (await world.at_vapi(assistant["id"]))["model"] == {**assistant["model"], "toolIds": [tool["id"]]}


@pytest.mark.parametrize("action", LOST_AFTER)
async def test_a_tool_whose_answer_was_lost_is_adopted_after_the_settle_time(
    world: World, action: dict[str, Any]
) -> None:
    org, assistant = uuid4(), await world.assistant()
    await world.turn(rules=[rule("POST /tool", action)])
    request = await world.save(org, assistant)

    (outcome,) = await synced(world, org)

    await is_whole(world, org, assistant)
    (started,) = await world.events(org, ToolRegistrationStarted)
    (registered,) = await world.events(org, ToolRegistered)
    assert (registered.attempt_id, registered.adopted) == (started.attempt_id, True)
    assert [r.request_id for r in outcome.requests] == [request]
    by_type = {type(s.event): s.recorded_at for s in await world.history(org)}
    waited = by_type[ToolRegistered] - by_type[ToolRegistrationStarted]
    assert waited >= timedelta(seconds=SETTLE_SECONDS)


@pytest.mark.parametrize("action", LOST_BEFORE)
async def test_a_tool_that_was_never_made_is_registered_by_a_new_attempt(world: World, action: dict[str, Any]) -> None:
    org, assistant = uuid4(), await world.assistant()
    await world.turn(rules=[rule("POST /tool", action)])
    await world.save(org, assistant)

    await synced(world, org)

    await is_whole(world, org, assistant)
    assert len(await world.events(org, ToolRegistrationStarted)) == 2
    (registered,) = await world.events(org, ToolRegistered)
    assert not registered.adopted
    assert [f.end for f in await world.events(org, SyncAttemptFailed)] == ["unknown", "absent"]


@pytest.mark.parametrize("action", LOST_AFTER)
async def test_a_link_whose_answer_was_lost_is_confirmed_without_a_second_patch(
    world: World, action: dict[str, Any]
) -> None:
    org, assistant = uuid4(), await world.assistant()
    await world.turn(rules=[rule("PATCH /assistant/{id}", action)])
    await world.save(org, assistant)

    await synced(world, org)

    await is_whole(world, org, assistant)
    assert len(await world.requests("PATCH", "/assistant/{id}")) == 1
    (started,) = await world.events(org, AssistantLinkStarted)
    (linked,) = await world.events(org, AssistantLinked)
    assert linked.attempt_id == started.attempt_id


@pytest.mark.parametrize("action", LOST_BEFORE)
async def test_a_link_that_never_arrived_is_made_again(world: World, action: dict[str, Any]) -> None:
    org, assistant = uuid4(), await world.assistant()
    await world.turn(rules=[rule("PATCH /assistant/{id}", action)])
    await world.save(org, assistant)

    await synced(world, org)

    await is_whole(world, org, assistant)
    assert len(await world.events(org, AssistantLinkStarted)) == 2
    assert len(await world.events(org, AssistantLinked)) == 1


async def test_an_assistant_that_is_deleted_while_the_answer_of_its_link_is_unknown_ends_the_save(world: World) -> None:
    org, assistant = uuid4(), await world.assistant()
    await world.turn(rules=[rule("PATCH /assistant/{id}", {"kind": "reset", "commit": True})])
    await world.save(org, assistant)
    await world.sync()
    await world.http.delete(f"/assistant/{assistant['id']}")

    async def failed() -> list[AssistantSyncFailed]:
        return await world.events(org, AssistantSyncFailed)

    (outcome,) = await world.until(failed)

    assert outcome.code == "TS-303"
    assert len(await world.requests("GET", "/assistant/{id}")) < 10


async def test_a_refused_tool_is_named_and_the_next_save_tries_again(world: World) -> None:
    org, assistant = uuid4(), await world.assistant()
    await world.turn(rules=[rule("POST /tool", {"kind": "status", "status": 400})])
    request = await world.save(org, assistant)

    await world.sync()

    (failed,) = await world.outcomes(org)
    assert isinstance(failed, AssistantSyncFailed)
    assert failed.code == "TS-301"
    assert failed.failed_tools == (ToolFailure(TOOL, "TS-301"),)
    assert [r.request_id for r in failed.requests] == [request]
    assert (len(await world.requests("POST", "/tool")), await world.next_due(org)) == (1, None)

    await world.save(org, assistant)
    (outcome,) = await synced(world, org)
    assert outcome.sequence == 2
    await is_whole(world, org, assistant)


@pytest.mark.parametrize("route", ["POST /tool", "GET /assistant/{id}", "PATCH /assistant/{id}"])
async def test_a_rate_limit_waits_for_the_next_minute_without_a_burst(world: World, route: str) -> None:
    org, assistant = uuid4(), await world.assistant()
    await world.turn(rules=[rule(route, {"kind": "status", "status": 429}, times=1000)])
    await world.save(org, assistant)
    asked_at = await world.now()

    await world.sync()

    due = await world.next_due(org)
    minute = asked_at.replace(second=0, microsecond=0) + timedelta(minutes=1)
    assert due is not None
    assert minute <= due <= minute + timedelta(seconds=65)  # the clock may have passed into the next minute
    method, _, path = route.partition(" ")
    assert len([e for e in await world.requests(method, path) if e["status"] == 429]) == 1
    assert await world.outcomes(org) == []


async def test_a_rate_limit_with_retry_after_waits_for_as_long(world: World) -> None:
    org, assistant = uuid4(), await world.assistant()
    await world.turn(rules=[rule("POST /tool", {"kind": "status", "status": 429, "retry_after": 1})])
    await world.save(org, assistant)
    asked_at = await world.now()

    await world.sync()

    due: datetime | None = await world.next_due(org)
    assert due is not None
    assert timedelta(seconds=1) <= due - asked_at < timedelta(seconds=3)
    await synced(world, org)
    await is_whole(world, org, assistant)


@pytest.mark.parametrize("status", [401, 402, 403])
async def test_a_refused_key_is_tried_again_and_ends_no_save(world: World, status: int) -> None:
    org, assistant = uuid4(), await world.assistant()
    await world.turn(rules=[rule("POST /tool", {"kind": "status", "status": status}, times=3)])
    await world.save(org, assistant)

    (outcome,) = await synced(world, org)

    assert outcome.sequence == 1
    await is_whole(world, org, assistant)
    assert len(await world.requests("POST", "/tool")) == 4


async def test_a_link_that_somebody_overwrote_at_once_is_made_again(world: World) -> None:
    org, assistant = uuid4(), await world.assistant()
    stale = {"kind": "status", "status": 200, "json": assistant}  # a clean answer, without the link
    await world.turn(rules=[rule("PATCH /assistant/{id}", stale)])
    await world.save(org, assistant)

    await synced(world, org)

    await is_whole(world, org, assistant)
    assert [f.code for f in await world.events(org, SyncAttemptFailed)] == ["TS-106"]


async def test_a_tool_is_adopted_from_beyond_the_first_page(world: World) -> None:
    org, assistant = uuid4(), await world.assistant()
    await world.turn(rules=[rule("POST /tool", {"kind": "reset", "commit": True})])
    await world.save(org, assistant)
    await world.sync()
    for n in range(1010):  # newer than ours, so ours is on the second page of 1,000
        body = {"type": "function", "function": {"name": f"foreign-{n}"}}
        assert (await world.http.post("/tool", json=body)).status_code == 201

    await synced(world, org)

    (registered,) = await world.events(org, ToolRegistered)
    assert registered.adopted
    ours = [t for t in await world.at_vapi_all_tools() if t["function"]["name"] == TOOL]
    assert [t["id"] for t in ours] == [registered.vapi_tool_id]


async def test_another_orgs_tool_and_another_installations_tool_are_never_adopted(world: World) -> None:
    org, other_org, assistant = uuid4(), uuid4(), await world.assistant()
    strangers = [world.payload(other_org), world.payload(org)]
    strangers[1]["server"]["headers"] = {"X-Zerotouch-Installation": str(uuid4())}
    for body in strangers:
        assert (await world.http.post("/tool", json=body)).status_code == 201
    taken = {t["id"] for t in await world.tools()}
    await world.turn(rules=[rule("POST /tool", {"kind": "status", "status": 503})])
    await world.save(org, assistant)

    await synced(world, org)

    (row,) = await world.org_tools(org)
    assert row["vapi_tool_id"] not in taken


async def test_of_several_tools_of_one_org_the_oldest_is_adopted_and_none_is_deleted(world: World) -> None:
    org, assistant = uuid4(), await world.assistant()
    await world.turn(rules=[rule("POST /tool", {"kind": "reset", "commit": True})])
    await world.save(org, assistant)
    await world.sync()
    (oldest,) = await world.tools()
    surplus = await world.http.post("/tool", json=world.payload(org))

    await synced(world, org)

    (row,) = await world.org_tools(org)
    assert row["vapi_tool_id"] == oldest["id"]
    assert {t["id"] for t in await world.tools()} == {oldest["id"], surplus.json()["id"]}


async def test_a_tool_that_keeps_failing_holds_up_nothing_else(world: World) -> None:
    broken, healthy = uuid4(), uuid4()
    failing = rule("POST /tool", {"kind": "status", "status": 503}, times=1000)
    await world.turn(rules=[{**failing, "match": {"organization_id": str(broken)}}])
    await world.save(broken, await world.assistant(), "agent-b")
    await world.save(healthy, await world.assistant(), "agent-h")

    await synced(world, healthy)

    assert await world.outcomes(broken) == []
    assert await world.next_due(broken) is not None


async def test_redelivery_of_everything_adds_nothing(world: World) -> None:
    org = uuid4()
    for n in range(3):
        assistant = await world.assistant()
        await world.save(org, assistant, f"agent-{n}")
        await world.save(org, assistant, f"agent-{n}")
    await world.sync()
    history, writes = await world.history(org), await world.writes()

    await world.redeliver(org)
    await world.sync()

    assert await world.history(org) == history
    assert await world.writes() == writes
