"""One save in an org with a lot of bulk work: it waits neither for the key that bulk work uses up nor for its end."""

import asyncio
import time
from collections import Counter
from dataclasses import replace
from uuid import UUID, uuid4

import pytest

from tool_sync.domain.events import AssistantSynced, SyncRequested, ToolRegistered
from tool_sync.domain.plan.lanes import CAUSE_BULK
from zerotouch_contracts.canonical import model_hash

from .keys import calls, rate, replica
from .world import World


async def settled(world: World, org: UUID, assistant: dict[str, object]) -> None:
    """An org whose tools are registered."""
    await world.save(org, assistant, "first")
    await world.until(lambda: world.events(org, ToolRegistered))
    await world.sync()


async def bulk(world: World, org: UUID, count: int) -> None:
    """So many assistants of the org are to be looked at, and nobody waits for it."""
    assistants = await asyncio.gather(*(world.assistant() for _ in range(count)))
    await asyncio.gather(
        *(
            world.append(
                org,
                SyncRequested(uuid4(), f"bulk-{n}", made["id"], 1, model_hash(made.get("model")), CAUSE_BULK, None),
            )
            for n, made in enumerate(assistants)
        )
    )


async def synced(world: World, org: UUID) -> list[str]:
    """The agents of the org's outcomes, in the order of the log."""
    return [event.agent_id for event in await world.events(org, AssistantSynced)]


async def test_a_save_finds_the_key_open_while_the_bulk_work_of_its_org_waits_for_it(world: World) -> None:
    org = uuid4()
    await settled(world, org, await world.assistant())
    await bulk(world, org, 80)  # 160 calls
    asked = len(await calls(world))
    world.reconciler = replica(world, rate=rate(100))
    while await world.reconciler.run_once():
        await world.reconciler.drain()
    assert len(await calls(world)) - asked < 100, "bulk work waits for the key"
    assert await world.next_due(org) is not None

    before = await synced(world, org)
    began = time.monotonic()
    await world.save(org, await world.assistant(), "saved")
    await world.until(lambda: _is_synced(world, org, "saved"))

    assert time.monotonic() - began < 5, "a minute is when bulk work would have let it"
    after = (await synced(world, org))[len(before) :]
    assert after.index("saved") < 20, "at most the bulk steps of one run were before it"


async def test_a_save_is_synced_long_before_the_bulk_work_of_its_org_ends(world: World) -> None:
    org = uuid4()
    await settled(world, org, await world.assistant())
    await bulk(world, org, 200)
    await world.turn(latency_ms=40)
    limits = replace(world.context.limits, steps_per_org_max=4)  # 200 assistants x 2 calls x 40 ms / 4: four seconds
    world.reconciler = replica(replace(world, context=replace(world.context, limits=limits)))
    working = asyncio.create_task(world.reconciler.run_forever())
    try:
        await world.eventually(lambda: _is_synced(world, org, "bulk-0"))
        await world.save(org, await world.assistant(), "saved")
        await world.eventually(lambda: _is_synced(world, org, "saved"))
        assert len(await synced(world, org)) < 100
    finally:
        world.reconciler.stop()
        await working


async def test_what_bulk_work_has_read_is_never_read_in_vain_for_the_pace(world: World) -> None:
    org = uuid4()
    await settled(world, org, await world.assistant())
    asked = len(await calls(world))
    await bulk(world, org, 40)  # 80 calls, of which three seconds' 30 are allowed at once
    world.reconciler = replica(world, rate=rate(590))

    async def all_synced() -> bool:
        return len(set(await synced(world, org))) == 41

    await world.until(all_synced, within_seconds=30)
    made = Counter(call["method"] for call in (await calls(world))[asked:])
    assert made == {"GET": 40, "PATCH": 40}


async def _is_synced(world: World, org: UUID, agent_id: str) -> bool:
    return agent_id in await synced(world, org)


async def test_few_bulk_steps_are_one_run_however_long_they_take(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    org = uuid4()
    await bulk(world, org, 1)
    monkeypatch.setattr("tool_sync.sync.run.BULK_SECONDS_MAX", 0.0)  # the tool's call alone takes longer
    assert await world.reconciler.run_once()
    await world.reconciler.drain()
    assert await synced(world, org) == ["bulk-0"]


async def test_of_many_orgs_with_bulk_work_few_are_worked_on_at_once_and_saves_come_beside_them(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tool_sync.sync.loop.BULK_ORGS_MAX", 3)
    orgs, saving = [uuid4() for _ in range(8)], [uuid4() for _ in range(5)]
    for org in orgs:
        await bulk(world, org, 1)
    assistants = [await world.assistant() for _ in saving]
    await world.turn(latency_ms=100)
    assert await world.reconciler.run_once()
    assert world.reconciler.in_flight == 3
    await asyncio.gather(*(world.save(org, made, "saved") for org, made in zip(saving, assistants, strict=True)))
    assert await world.reconciler.run_once()
    assert world.reconciler.in_flight == 8, "no save waits for bulk work, and no bulk work was added"
    assert not await world.reconciler.run_once()
    await world.reconciler.drain()
    for org in saving:
        assert await synced(world, org) == ["saved"]
    while await world.reconciler.run_once():
        assert 0 < world.reconciler.in_flight <= 3
        await world.reconciler.drain()
    assert [await synced(world, org) for org in orgs] == [["bulk-0"]] * 8
