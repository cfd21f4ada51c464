"""Several feeders, feeders that die, decisions that come too late: nothing is done twice, no gate is skipped."""

import asyncio
from dataclasses import replace
from uuid import uuid4

import pytest
from tests.support.eventually import eventually

from tool_sync.domain.events import ToolOrdered, ToolUpdated, ToolUpdateStarted
from tool_sync.domain.fleet import Fleet
from tool_sync.rollouts import feeder
from tool_sync.rollouts.feeder import Feeder
from tool_sync.rollouts.read_back import ReadBack

from .context import stages
from .limits import CANCELLING
from .world import World

LOOKING = "Says that it is looking."
OLD = 2


async def test_two_feeders_at_once_do_nothing_twice(world: World) -> None:
    clinics = await world.clinics(12)
    other = world.another_feeder()
    version = await world.publish(LOOKING)
    updating = await world.start(version, stages(clinics[:3], clinics[3:6]))
    adding = await world.start(2, stages(clinics[:3], clinics[3:6]), CANCELLING)

    async def both() -> bool:
        await world.free_turns()  # as if each had been thought dead by the other
        await asyncio.gather(world.feeder.run_once(), world.free_turns(), other.run_once())
        await world.sync()
        return [await world.state(updating), await world.state(adding)] == ["completed"] * 2

    await eventually(both, within_seconds=30)
    for org_id in clinics:
        assert len(await world.events(org_id, ToolUpdateStarted, ToolUpdated)) == 2
        assert len(await world.events(org_id, ToolOrdered)) == 1
    assert sorted(set(await world.calls())) == ["PATCH /assistant/{id}", "PATCH /tool/{id}", "POST /tool"]
    assert len(await world.calls()) == 36
    opened = await world.connection.fetch("SELECT data->>'tool' AS tool FROM events WHERE type = 'RolloutStageOpened'")
    assert len(opened) == 4


async def test_a_turn_is_one_process_s_until_it_is_gone_for_long(world: World) -> None:
    await world.clinics(2)
    rollout_id = await world.start(await world.publish(LOOKING))
    await world.feeder.run_once()
    other = world.another_feeder()
    for _ in range(5):
        await other.run_once()
        await world.sync()
    assert await world.state(rollout_id) == "running"
    await world.free_turns()
    for _ in range(3):
        await other.run_once()
        await world.sync()
    assert await world.state(rollout_id) == "completed"


async def test_another_feeder_goes_on_where_one_died_after_it_had_fed(world: World) -> None:
    world.feeder._fed_max = 4
    clinics = await world.clinics(10)
    version = await world.publish(LOOKING)
    rollout_id = await world.start(version)
    await world.feeder.run_once()
    await world.free_turns()
    world.feeder = world.another_feeder()
    await world.until(rollout_id, "completed")
    assert await world.versions() == dict.fromkeys(clinics, version)
    assert await world.calls() == ["PATCH /tool/{id}"] * 10


async def test_a_clinic_that_missed_that_it_was_fed_is_fed_again(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    await world.clinics(1)
    await world.start(await world.publish(LOOKING))
    await world.feeder.run_once()
    await world.pool.execute("UPDATE leases SET next_due = NULL")
    await world.turn()
    assert await world.calls() == []
    monkeypatch.setattr(feeder, "FEED_AGAIN_SECONDS", 0.0)
    await world.turn()
    assert await world.calls() == ["PATCH /tool/{id}"]


async def test_a_feeder_whose_stage_somebody_promoted_meanwhile_does_not_open_the_stage_after_it(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    clinics = await world.clinics(6)
    rollout_id = await world.start(await world.publish(LOOKING), stages(clinics[:2], clinics[2:4]))
    read = ReadBack.missing

    async def promoted_meanwhile(self: ReadBack, fleet: Fleet) -> int:
        missing = await read(self, fleet)
        if (await world.status(rollout_id)).stage == 1:
            await world.command(rollout_id, "promote")
        return missing

    monkeypatch.setattr(ReadBack, "missing", promoted_meanwhile)
    while (await world.status(rollout_id)).stage == 1:
        await world.turn()
    assert (await world.status(rollout_id)).stage == 2
    versions = await world.versions()
    assert {versions[org_id] for org_id in clinics[4:]} == {OLD}
    await world.until(rollout_id, "completed")


async def test_a_run_that_read_the_fleet_before_a_rollback_does_not_keep_what_was_taken_away(world: World) -> None:
    (org_id,) = await world.clinics(1)
    version = await world.publish(LOOKING)
    rollout_id = await world.start(version)
    await world.dials(rules=[{"route": "PATCH /tool/{id}", "times": 1, "action": {"kind": "delay", "latency_ms": 300}}])
    await world.feeder.run_once()
    await world.reconciler.run_once()

    async def is_sent() -> bool:
        return len(await world.events(org_id, ToolUpdateStarted)) == 1

    await eventually(is_sent)
    await world.command(rollout_id, "rollback")
    for _ in range(3):  # the clinic's row still says the old version, as the order before it does
        await world.feeder.run_once()
    assert not await world.settled()
    await world.reconciler.drain()
    assert await world.versions() == {org_id: version}
    await world.rest()
    assert await world.versions() == {org_id: OLD}
    assert await world.settled()


async def test_a_worker_that_died_with_a_clinic_does_not_hold_up_that_for_longer_than_its_lease(world: World) -> None:
    await world.clinics(2)
    rollout_id = await world.complete(await world.publish(LOOKING))
    await world.pool.execute("UPDATE leases SET token = $1, until = now() + interval '1 hour'", uuid4())
    await world.command(rollout_id, "rollback")
    await world.feeder.run_once()
    assert not await world.settled()
    await world.pool.execute("UPDATE leases SET until = now()")
    await world.rest()
    assert await world.settled()
    assert set((await world.versions()).values()) == {OLD}


async def test_nothing_is_fed_while_nothing_may_be_written(world: World) -> None:

    await world.clinics(2)
    await world.start(await world.publish(LOOKING))
    context = replace(world.context, writes_suspended=lambda: True)
    suspended = Feeder(context, world.pool, on_fed=lambda: None)
    assert not await suspended.run_once()
    await world.sync()
    assert await world.calls() == []


async def test_a_fleet_in_which_nothing_changes_costs_no_turn(world: World) -> None:
    await world.clinics(2)
    await world.rest()
    await world.free_turns()
    assert not await world.feeder.run_once()
    assert await world.connection.fetchval("SELECT count(*) FROM fleet_turns WHERE until > now()") == 0
    await world.publish(LOOKING)
    await world.feeder.run_once()
    assert await world.connection.fetchval("SELECT count(*) FROM fleet_turns WHERE until > now()") == 1
