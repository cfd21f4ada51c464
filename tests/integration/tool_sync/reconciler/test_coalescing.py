"""Saves that arrive while a run is at work cause exactly one more: the first at once, the last state wins."""

import asyncio
from collections import Counter
from typing import Any
from uuid import uuid4

import pytest

from tool_sync.domain.events import AssistantSynced, ToolRegistrationStarted
from tool_sync.sync.leases import Release
from tool_sync.sync.run import Run

from .world import World

SAVES = 500


async def test_500_saves_during_a_first_run_of_3_seconds_make_two_runs(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    org, assistant = uuid4(), await world.assistant()
    runs = 0
    execute = Run.execute

    async def counted(self: Any) -> Release:
        nonlocal runs
        runs += 1
        return await execute(self)

    monkeypatch.setattr(Run, "execute", counted)
    delay = {"route": "POST /tool", "times": 1, "action": {"kind": "delay", "latency_ms": 3000}}
    await world.turn(rules=[delay])
    world.reconciler = world.another(deadline_seconds=10)
    asked = [await world.save(org, assistant)]
    assert await world.reconciler.run_once()

    async def is_at_vapi() -> bool:
        return bool(await world.events(org, ToolRegistrationStarted))

    await world.eventually(is_at_vapi)
    edited = {**assistant, "model": {**assistant["model"], "temperature": 0.9}}
    await world.http.patch(f"/assistant/{assistant['id']}", json={"model": edited["model"]})
    asked += await asyncio.gather(*(world.save(org, edited) for _ in range(SAVES - 1)))
    assert await world.outcomes(org) == [], "the first run is still at Vapi"
    assert not await world.reconciler.run_once(), "one run at a time"
    await world.reconciler.drain()
    await world.sync()

    assert runs == 2
    settled = Counter(r.request_id for o in await world.events(org, AssistantSynced) for r in o.requests)
    assert settled == Counter(asked)
    at_vapi = await world.at_vapi(assistant["id"])
    assert at_vapi["model"]["temperature"] == 0.9
    assert len(at_vapi["model"]["toolIds"]) == 1
    assert (await world.outcomes(org))[-1].revision == SAVES
