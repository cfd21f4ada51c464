"""What operators do with a rollout that runs: pause, resume, abort, roll back, promote; and what time does to it."""

from datetime import timedelta
from typing import Any

import pytest

from tool_sync.domain.events import RolloutStage
from tool_sync.domain.events.rollout import RINGS
from tool_sync.domain.fleet.rollout import Refused
from tool_sync.rollouts.publish import withdrawn
from tool_sync.rollouts.stages import EXPIRES_AFTER

from .context import EVERYBODY, stages
from .limits import BOOKING
from .world import World

LOOKING = "Says that it is looking."
OLD, UPDATE = 2, "PATCH /tool/{id}"


@pytest.fixture
def _five_at_a_time(world: World) -> None:
    world.feeder._fed_max = 5


@pytest.mark.usefixtures("_five_at_a_time")
async def test_a_pause_stops_after_what_was_fed_and_a_resume_goes_on(world: World) -> None:
    await world.clinics(12)
    version = await world.publish(LOOKING)
    rollout_id = await world.start(version)
    await world.turn()
    await world.command(rollout_id, "pause")
    await world.rest()
    assert await world.calls() == [UPDATE] * 5
    assert (await world.status(rollout_id)).clinics == 5
    assert await world.settled()

    await world.command(rollout_id, "resume")
    await world.until(rollout_id, "completed")
    assert await world.calls() == [UPDATE] * 12


async def test_clinics_that_were_fed_but_not_begun_stay_as_they_are_after_a_pause(world: World) -> None:
    await world.clinics(6)
    rollout_id = await world.start(await world.publish(LOOKING))
    await world.feeder.run_once()  # all are due, and nobody works yet
    await world.command(rollout_id, "pause")
    await world.rest()
    assert await world.calls() == []
    assert set((await world.versions()).values()) == {OLD}


@pytest.mark.usefixtures("_five_at_a_time")
async def test_an_abort_leaves_the_version_to_who_has_it(world: World) -> None:
    await world.clinics(12)
    version = await world.publish(LOOKING)
    rollout_id = await world.start(version)
    await world.turn()
    await world.command(rollout_id, "abort")
    await world.rest()
    assert await world.calls() == [UPDATE] * 5
    assert sorted((await world.versions()).values()) == [OLD] * 7 + [version] * 5
    refused = await world.command(rollout_id, "resume")
    assert refused == Refused(f"rollout {rollout_id} is aborted, so it cannot be resumed")


def _content(tool: dict[str, Any]) -> dict[str, Any]:
    """What callers meet, without what Vapi notes about its writes; no messages are as good as an empty list."""
    return {key: tool[key] for key in tool if key not in ("updatedAt", "latestVersion") and tool[key] != []}


@pytest.mark.usefixtures("_five_at_a_time")
async def test_a_rollback_restores_exactly_who_was_changed(world: World) -> None:
    clinics = await world.clinics(12)
    before = {org_id: await world.tool_of(org_id) for org_id in clinics}
    rollout_id = await world.start(await world.publish(LOOKING))
    await world.turn()
    await world.begin()
    await world.command(rollout_id, "rollback")
    await world.rest()

    assert await world.calls() == [UPDATE] * 5
    assert set((await world.versions()).values()) == {OLD}
    for org_id in clinics:
        assert _content(await world.tool_of(org_id)) == _content(before[org_id])
    assert (await world.status(rollout_id)).clinics == 0
    assert await world.settled()


async def test_a_rollback_of_a_completed_rollout_gives_everybody_the_version_before(world: World) -> None:
    await world.clinics(8)
    middle = await world.publish(LOOKING)
    await world.complete(middle)
    newest = await world.complete(await world.publish("Says even more."))
    await world.begin()
    await world.command(newest, "rollback")
    await world.rest()
    assert await world.calls() == [UPDATE] * 8
    assert set((await world.versions()).values()) == {middle}


async def test_an_older_version_is_ordered_like_any_other(world: World) -> None:
    await world.clinics(4)
    await world.complete(await world.publish(LOOKING))
    await world.begin()
    await world.complete(OLD)
    assert await world.calls() == [UPDATE] * 4
    assert set((await world.versions()).values()) == {OLD}


async def test_promoting_opens_the_next_stage_whatever_its_gate_says_and_completes_the_last(world: World) -> None:
    clinics = await world.clinics(4)
    version = await world.publish(LOOKING)
    rollout_id = await world.start(version, stages(clinics[:1], clinics[1:2]))
    await world.dials(rules=[{"route": "GET /tool", "action": {"kind": "status", "status": 503}}])
    await world.rest()
    assert (await world.status(rollout_id)).stage == 1
    await world.command(rollout_id, "promote")
    await world.rest()
    assert (await world.status(rollout_id)).stage == 2
    assert sorted((await world.versions()).values()) == [OLD, OLD, version, version]
    await world.command(rollout_id, "promote")
    await world.command(rollout_id, "promote")
    assert await world.state(rollout_id) == "completed"
    await world.rest()
    assert set((await world.versions()).values()) == {version}


async def test_a_stage_bakes_from_when_its_last_tool_was_written(world: World) -> None:
    clinics = await world.clinics(4)
    version = await world.publish(LOOKING)
    own = RolloutStage("own", orgs=(str(clinics[0]), str(clinics[1])), bake_seconds=3600)
    rollout_id = await world.start(version, (own, EVERYBODY))
    await world.turn()
    written_at = await world.as_owner(
        "UPDATE org_tools SET updated_at = updated_at + interval '10 min' WHERE org_id = $1 RETURNING updated_at",
        clinics[1],
    )
    await world.rest()
    until = written_at + timedelta(hours=1)
    assert (await world.status(rollout_id)).waits == f"stage own bakes until {until:%Y-%m-%d %H:%M:%S} UTC"

    await world.advance(timedelta(minutes=69))
    await world.feeder.run_once()
    assert (await world.status(rollout_id)).stage == 1
    await world.advance(timedelta(minutes=1))
    await world.feeder.run_once()
    status = await world.status(rollout_id)
    assert status.stage == 2
    await world.until(rollout_id, "completed")
    assert await world.calls() == [UPDATE] * 4


async def test_what_a_stage_waited_for_is_not_told_of_the_next_one(world: World) -> None:
    clinics = await world.clinics(3)
    own = RolloutStage("own", orgs=(str(clinics[0]),), bake_seconds=3600)
    rollout_id = await world.start(await world.publish(LOOKING), (own, EVERYBODY))
    await world.rest()
    await world.command(rollout_id, "promote")
    await world.feeder.run_once()
    assert (await world.status(rollout_id)).waits is None


async def test_a_rollout_that_waits_for_too_long_expires_and_leaves_what_is_done(world: World) -> None:
    clinics = await world.clinics(3)
    version = await world.publish(LOOKING)
    own = RolloutStage("own", orgs=(str(clinics[0]),), bake_seconds=14 * 86_400)
    rollout_id = await world.start(version, (own, EVERYBODY))
    await world.rest()
    await world.advance(EXPIRES_AFTER + timedelta(minutes=1))
    await world.feeder.run_once()
    assert await world.state(rollout_id) == "expired"
    await world.rest()
    assert sorted((await world.versions()).values()) == [OLD, OLD, version]


async def test_a_paused_rollout_expires_though_nothing_is_to_be_done_for_it(world: World) -> None:
    await world.clinics(2)
    rollout_id = await world.start(await world.publish(LOOKING))
    await world.command(rollout_id, "pause")
    await world.rest()
    assert await world.settled()
    await world.advance(EXPIRES_AFTER + timedelta(minutes=1))
    await world.feeder.run_once()
    assert await world.state(rollout_id) == "expired"


async def test_a_stage_of_rings_and_tiers_reaches_nobody_else(world: World) -> None:
    await world.clinics(4)
    paying = await world.clinics(3, tier="enterprise")
    version = await world.publish(LOOKING)
    rollout_id = await world.start(version, (RolloutStage("paying", RINGS, ("enterprise",), (), 3600), EVERYBODY))
    await world.rest()
    assert {org_id for org_id, has in (await world.versions()).items() if has == version} == set(paying)
    assert (await world.status(rollout_id)).stage_name == "paying"


async def test_a_version_withdrawn_while_an_order_gives_it_is_refused(world: World) -> None:
    await world.clinics(1)
    version = await world.publish(LOOKING)
    rollout_id = await world.complete(version)
    refused = await world.decide(BOOKING, lambda fleet: withdrawn(fleet, BOOKING, version, "wrong"))
    assert refused == Refused(
        f"rollout {rollout_id}, completed, gives version {version} of {BOOKING}: roll it back first"
    )
    await world.command(rollout_id, "rollback")
    assert not isinstance(
        await world.decide(BOOKING, lambda fleet: withdrawn(fleet, BOOKING, version, "wrong")), Refused
    )
