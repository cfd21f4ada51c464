"""Clinics that sign up while a rollout runs: never a canary, and with the last stage as everybody."""

from uuid import uuid4

from tool_sync.domain.events import RolloutStage, ToolOrdered

from .context import EVERYBODY
from .limits import BOOKING, CANCELLING
from .world import World

OLD = 2


def baking(*org_ids: object) -> tuple[RolloutStage, ...]:
    """A stage of these clinics that stays open for an hour, then everybody."""
    return RolloutStage("own", orgs=tuple(map(str, org_ids)), bake_seconds=3600), EVERYBODY


async def test_a_signup_gets_the_completed_version_and_joins_with_the_last_stage(world: World) -> None:
    first, *_ = await world.clinics(3)
    version = await world.publish("Says that it is looking.")
    rollout_id = await world.start(version, baking(first))
    await world.rest()
    signup = await world.clinic()
    await world.rest()
    assert (await world.versions())[signup] == OLD
    assert await world.linked(signup) == [{BOOKING}]

    await world.begin()
    await world.command(rollout_id, "promote")
    await world.until(rollout_id, "completed")
    assert set((await world.versions()).values()) == {version}
    assert (await world.calls()).count("PATCH /tool/{id}") == 3


async def test_a_signup_is_no_canary_though_a_stage_names_it(world: World) -> None:
    (first,) = await world.clinics(1)
    coming = uuid4()
    version = await world.publish("Says that it is looking.")
    await world.start(version, baking(first, coming))
    await world.rest()
    await world.clinic(org_id=coming)
    await world.rest()
    assert await world.versions() == {first: version, coming: OLD}


async def test_a_signup_after_the_last_stage_was_opened_gets_the_new_version_at_once(world: World) -> None:
    await world.clinics(2)
    version = await world.publish("Says that it is looking.")
    await world.start(version)
    signup = await world.clinic()
    await world.sync()
    assert (await world.versions())[signup] == version
    assert (await world.calls()).count("POST /tool") == 1


async def test_a_signup_does_not_get_a_tool_that_is_still_with_its_first_clinics(world: World) -> None:
    first, *_ = await world.clinics(2)
    rollout_id = await world.start(2, baking(first), CANCELLING)
    await world.rest()
    signup = await world.clinic()
    await world.rest()
    assert await world.linked(signup) == [{BOOKING}]
    await world.command(rollout_id, "promote")
    await world.until(rollout_id, "completed")
    assert await world.linked(signup) == [{BOOKING, CANCELLING}]


async def test_a_signup_after_a_rollback_gets_what_everybody_has(world: World) -> None:
    await world.clinics(2)
    rollout_id = await world.complete(await world.publish("Says that it is looking."))
    await world.command(rollout_id, "rollback")
    signup = await world.clinic()
    await world.rest()
    assert (await world.versions())[signup] == OLD


async def test_a_clinic_whose_first_saves_wait_is_not_told_and_holds_nothing_up(world: World) -> None:
    await world.clinics(2)
    signup = await world.clinic(assistants=2)
    version = await world.publish("Says that it is looking.")
    rollout_id = await world.start(version)
    await world.feeder.run_once()
    assert await world.events(signup, ToolOrdered) == []

    await world.until(rollout_id, "completed")
    assert (await world.versions())[signup] == version
    assert await world.linked(signup) == [{BOOKING}] * 2
    assert await world.events(signup, ToolOrdered) == []


async def test_a_clinic_whose_first_save_failed_is_told(world: World) -> None:
    await world.dials(rules=[{"route": "POST /tool", "action": {"kind": "status", "status": 400}}])
    (failed,) = await world.clinics(1)
    await world.dials(rules=[])
    version = await world.publish("Says that it is looking.")
    await world.until(await world.start(version), "completed")
    assert len(await world.events(failed, ToolOrdered)) == 1
    assert (await world.versions())[failed] == version
