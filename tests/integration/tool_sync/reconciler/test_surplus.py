"""Tools that should not be there: found, kept while anybody links them, and deleted when they are old enough."""

import asyncio
from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

from tool_sync.domain.events import (
    SurplusDeleted,
    SurplusDeleteStarted,
    SurplusFound,
    SurplusSearched,
    SyncAttemptFailed,
    ToolRegistered,
)
from tool_sync.sync.context import Clock
from tool_sync.sync.loop import Reconciler

from .limits import SETTLE_SECONDS
from .test_deletion import until_event
from .test_takeover import arrived
from .world import World

ASSISTANTS_MANY = 1_001


def worker(world: World, *, age: float, deadline: float | None = None) -> Reconciler:
    """A process for which a surplus tool is old enough after ``age`` seconds."""
    one = world.another(deadline_seconds=deadline)
    policy = replace(world.context.policy, surplus_age=timedelta(seconds=age), sweep_every=timedelta(seconds=0.3))
    return Reconciler(replace(one._context, policy=policy, clock=Clock()))


async def twin(world: World, org: UUID) -> str:
    """A tool with the org's marker, as a second worker would have made it."""
    made = await world.http.post("/tool", json=world.payload(org))
    assert made.status_code == 201
    return str(made.json()["id"])


async def race(world: World, org: UUID, assistant: dict[str, Any], **dials: Any) -> str:
    """Two tools of one name are at Vapi, and the answer to the first was lost; the second one's id."""
    lost = {"kind": "reset", "commit": True}
    await world.turn(rules=[{"route": "POST /tool", "times": 1, "action": lost}], **dials)
    await world.save(org, assistant)
    await world.sync()
    return await twin(world, org)


async def ids(world: World) -> set[str]:
    return {tool["id"] for tool in await world.tools()}


async def test_of_two_tools_the_oldest_is_adopted_and_the_other_is_deleted_when_it_is_old_enough(world: World) -> None:
    org, assistant = uuid4(), await world.assistant()
    world.reconciler = worker(world, age=1.5)
    surplus = await race(world, org, assistant)
    (found_surplus,) = await until_event(world, org, SurplusFound)
    assert found_surplus.vapi_tool_id == surplus
    (registered,) = await world.events(org, ToolRegistered)
    assert registered.adopted
    assert await ids(world) == {registered.vapi_tool_id, surplus}

    (deleted,) = await until_event(world, org, SurplusDeleted)
    assert deleted.vapi_tool_id == surplus
    assert await ids(world) == {registered.vapi_tool_id}
    history = await world.history(org)
    started = next(s for s in history if isinstance(s.event, SurplusDeleteStarted))
    assert started.recorded_at - found_surplus.created_at >= timedelta(seconds=1.5)
    (row,) = await world.org_tools(org)
    assert (row["vapi_tool_id"], row["enabled"]) == (registered.vapi_tool_id, True)
    assert await world.next_due(org) is None


async def test_a_surplus_tool_that_the_oldest_of_many_assistants_links_is_kept(world: World) -> None:
    org, somebodys = uuid4(), await world.assistant()  # the oldest: on the last page
    for _ in range(0, ASSISTANTS_MANY, 100):
        await asyncio.gather(*(world.assistant() for _ in range(100)))
    assistant = await world.assistant()
    world.reconciler = worker(world, age=0.5)
    surplus = await race(world, org, assistant)
    link = {"model": {**somebodys["model"], "toolIds": [surplus]}}
    assert (await world.http.patch(f"/assistant/{somebodys['id']}", json=link)).status_code == 200

    async def kept() -> list[SyncAttemptFailed]:
        return [e for e in await world.events(org, SyncAttemptFailed) if e.subject == f"surplus:{surplus}"]

    found = await world.until(kept)
    assert {e.code for e in found} == {"TS-306"}
    assert surplus in await ids(world)
    assert await world.requests("DELETE", "/tool/{id}") == []

    await world.http.patch(f"/assistant/{somebodys['id']}", json={"model": somebodys["model"]})
    await until_event(world, org, SurplusDeleted)
    assert surplus not in await ids(world)


async def test_a_registration_that_lands_long_after_it_was_given_up_is_searched_for_and_deleted(world: World) -> None:
    org, assistant = uuid4(), await world.assistant()
    world.reconciler = worker(world, age=1.5)
    late_ms = int(SETTLE_SECONDS * 1000) + 700
    await world.turn(rules=[{"route": "POST /tool", "times": 1, "action": {"kind": "late", "delay_ms": late_ms}}])
    await world.save(org, assistant)

    (registered,) = await until_event(world, org, ToolRegistered)
    assert not registered.adopted
    (deleted,) = await until_event(world, org, SurplusDeleted)
    assert deleted.vapi_tool_id != registered.vapi_tool_id
    assert await ids(world) == {registered.vapi_tool_id}
    assert len(await world.events(org, SurplusSearched)) == 1
    assert await world.next_due(org) is None


async def test_a_search_that_finds_nothing_ends_the_matter(world: World) -> None:
    org, assistant = uuid4(), await world.assistant()
    world.reconciler = worker(world, age=0.3)
    await world.turn(rules=[{"route": "POST /tool", "times": 1, "action": {"kind": "reset", "commit": False}}])
    await world.save(org, assistant)

    await until_event(world, org, SurplusSearched)
    assert await world.events(org, SurplusFound) == []
    assert await world.requests("GET", "/assistant") == []  # nobody is listed for nothing
    assert await world.next_due(org) is None


async def test_an_answer_that_comes_after_its_attempt_was_given_up_is_noted_and_its_tool_deleted(world: World) -> None:
    org, assistant = uuid4(), await world.assistant()
    slow = {"kind": "delay", "latency_ms": SETTLE_SECONDS * 1000 + 1500}
    await world.turn(rules=[{"route": "POST /tool", "times": 1, "action": slow}])
    await world.save(org, assistant)
    paused = worker(world, age=0.5, deadline=30)
    assert await paused.run_once()

    await arrived(world, "POST", "/tool")
    await world.expire_leases()
    world.reconciler = worker(world, age=0.5)
    (registered,) = await until_event(world, org, ToolRegistered)
    await paused.drain()  # it wakes up, and its tool was made after all

    (found,) = await world.events(org, SurplusFound)
    assert found.vapi_tool_id != registered.vapi_tool_id
    await until_event(world, org, SurplusDeleted)
    assert await ids(world) == {registered.vapi_tool_id}
    assert (await world.at_vapi(assistant["id"]))["model"]["toolIds"] == [registered.vapi_tool_id]
