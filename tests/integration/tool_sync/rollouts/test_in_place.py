"""A new version of a tool that clinics have: one call and two events each, stage by stage."""

from tool_sync.domain.events import ToolUpdated, ToolUpdateStarted

from .context import stages
from .world import World


async def test_each_of_30_clinics_gets_the_new_version_by_one_call_and_two_events(world: World) -> None:
    clinics = await world.clinics(30)
    version = await world.publish("Says that it is looking.")
    rollout_id = await world.complete(version)

    assert await world.calls() == ["PATCH /tool/{id}"] * 30
    assert await world.versions() == dict.fromkeys(clinics, version)
    for org_id in clinics:
        assert [type(event) for event in await world.events(org_id)] == [ToolUpdateStarted, ToolUpdated]
        assert (await world.tool_of(org_id))["function"]["description"] == "Says that it is looking."
    assert (await world.status(rollout_id)).clinics == 30


async def test_no_assistant_is_read_or_written_because_of_it(world: World) -> None:
    await world.clinics(5, assistants=3)
    await world.complete(await world.publish("Says that it is looking."))
    assert await world.calls() == ["PATCH /tool/{id}"] * 5
    assert {route for route in await world.calls(reads=True) if route} == {"GET /tool"}


async def test_no_clinic_of_a_stage_is_announced_before_the_stage_is_opened(world: World) -> None:
    clinics = await world.clinics(9)
    first, second = clinics[:2], clinics[2:5]
    await world.start(await world.publish("Says that it is looking."), stages(first, second))
    await world.rest()

    opened = await world.positions("RolloutStageOpened")
    assert len(opened) == 2
    (completed,) = (await world.positions("RolloutCompleted"))[-1:]
    bounds = [(0, opened[0]), (opened[0], opened[1]), (opened[1], completed)]
    for (after, before), group in zip(bounds, (first, second, clinics[5:]), strict=True):
        for org_id in group:
            (started, updated) = await world.history(org_id)
            assert after < started.position < updated.position < before
