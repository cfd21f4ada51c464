"""The first save of an assistant waits for three calls of Vapi in a row: its own, POST /tool, and the link."""

import asyncio
from typing import Any
from uuid import uuid4

from tool_sync.domain.events import SyncRequested
from zerotouch_contracts.canonical import model_hash

from .world import World

TOOL_SECONDS = 0.8


async def slow_tool(world: World, seconds: float) -> None:
    action = {"kind": "delay", "latency_ms": round(seconds * 1000)}
    await world.turn(rules=[{"route": "POST /tool", "times": 1, "action": action}])
    world.reconciler = world.another(deadline_seconds=10)


async def test_the_assistant_is_read_while_its_tool_is_made(world: World) -> None:
    org, assistant = uuid4(), await world.assistant()
    await slow_tool(world, TOOL_SECONDS)
    await world.save(org, assistant)

    await world.sync()

    (made,) = await world.requests("POST", "/tool")
    (read,) = await world.requests("GET", "/assistant/{id}")
    assert read["monotonic_seconds"] - made["monotonic_seconds"] < TOOL_SECONDS, "it did not wait for the tool"
    assert len((await world.at_vapi(assistant["id"]))["model"]["toolIds"]) == 1


async def test_what_somebody_edits_while_a_slow_tool_is_made_is_not_overwritten(world: World) -> None:
    org, assistant = uuid4(), await world.assistant()
    await slow_tool(world, 1.5)
    await world.save(org, assistant)
    syncing = asyncio.create_task(world.sync())

    async def has_read() -> list[dict[str, Any]]:
        return await world.requests("GET", "/assistant/{id}")

    await world.eventually(has_read)
    edited = {**assistant["model"], "temperature": 0.1}
    await world.http.patch(f"/assistant/{assistant['id']}", json={"model": edited})
    await syncing

    (tool,) = await world.tools()
    assert (await world.at_vapi(assistant["id"]))["model"] == {**edited, "toolIds": [tool["id"]]}


async def test_nothing_is_read_ahead_for_bulk_work(world: World) -> None:
    org, assistant = uuid4(), await world.assistant()
    await slow_tool(world, TOOL_SECONDS)
    asked = SyncRequested(
        request_id=uuid4(),
        agent_id="agent-1",
        assistant_id=assistant["id"],
        revision=1,
        model_hash=model_hash(assistant["model"]),
        cause="auto_sync",
        trace_id=None,
    )
    await world.append(org, asked)

    await world.sync()

    (made,) = await world.requests("POST", "/tool")
    (read,) = await world.requests("GET", "/assistant/{id}")
    assert read["monotonic_seconds"] - made["monotonic_seconds"] >= TOOL_SECONDS
