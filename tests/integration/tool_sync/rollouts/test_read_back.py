"""The read-back: a stage is done when Vapi itself has every tool that it touched as ordered."""

from uuid import UUID

import pytest

from tool_sync.domain.events import ToolDriftSeen, ToolRegistered, ToolUpdated, ToolVanished
from tool_sync.rollouts import read_back

from .context import stages
from .limits import BOOKING
from .world import World

LOOKING = "Says that it is looking."


async def changed(world: World, org_id: UUID) -> None:
    """Somebody changes the clinic's tool at Vapi."""
    tool = await world.tool_of(org_id)
    function = {**tool["function"], "description": "Somebody else's words."}
    answer = await world.http.patch(f"/tool/{tool['id']}", json={"function": function})
    assert answer.status_code == 200, answer.text


async def test_a_tool_that_somebody_changed_meanwhile_is_told_and_mended_before_the_next_stage(world: World) -> None:
    clinics = await world.clinics(4)
    version = await world.publish(LOOKING)
    rollout_id = await world.start(version, stages(clinics[:2]))
    await world.turn()
    await changed(world, clinics[0])

    await world.until(rollout_id, "completed")
    assert [type(event) for event in await world.events(clinics[0], ToolUpdated, ToolDriftSeen)] == [
        ToolUpdated,
        ToolDriftSeen,
        ToolUpdated,
    ]
    assert (await world.tool_of(clinics[0]))["function"]["description"] == LOOKING
    (opened,) = await world.positions("RolloutStageOpened")
    assert max(stored.position for stored in await world.history(clinics[0])) < opened
    assert [await world.events(org_id, ToolDriftSeen) for org_id in clinics[1:]] == [[], [], []]


async def test_a_tool_that_is_changed_again_after_it_was_mended_is_told_again(world: World) -> None:
    clinics = await world.clinics(2)
    version = await world.publish(LOOKING)
    rollout_id = await world.start(version, stages(clinics[:1]))
    await world.turn()
    for times in (1, 2):
        await changed(world, clinics[0])
        while len(await world.events(clinics[0], ToolDriftSeen)) < times:
            assert (await world.status(rollout_id)).stage == 1
            await world.turn()
    await world.until(rollout_id, "completed")
    assert (await world.tool_of(clinics[0]))["function"]["description"] == LOOKING


async def test_what_a_stage_waits_for_is_told_by_its_number(world: World) -> None:
    clinics = await world.clinics(3)
    rollout_id = await world.start(await world.publish(LOOKING), stages(clinics[:2]))
    await world.turn()
    await changed(world, clinics[0])
    while (await world.status(rollout_id)).waits is None:
        await world.feeder.run_once()
    assert (await world.status(rollout_id)).waits == "1 tool is not at Vapi as ordered yet"


async def test_a_tool_that_somebody_deleted_meanwhile_is_made_anew_before_the_next_stage(world: World) -> None:
    clinics = await world.clinics(3)
    version = await world.publish(LOOKING)
    rollout_id = await world.start(version, stages(clinics[:1]))
    await world.turn()
    lost = (await world.tool_of(clinics[0]))["id"]
    assert (await world.http.delete(f"/tool/{lost}")).status_code == 200
    await world.until(rollout_id, "completed")
    assert len(await world.events(clinics[0], ToolVanished, ToolRegistered)) == 2
    assert (await world.tool_of(clinics[0]))["id"] != lost
    assert await world.linked(clinics[0]) == [{BOOKING}]


async def test_where_the_list_lags_each_tool_is_read_by_its_id_a_few_at_a_time(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(read_back, "READS_PER_TURN", 2)
    clinics = await world.clinics(5)
    await world.dials(list_lag_ms=60_000)
    rollout_id = await world.start(await world.publish(LOOKING))
    waited = set[str | None]()
    while await world.state(rollout_id) == "running":
        await world.turn()
        waited.add((await world.status(rollout_id)).waits)
    reads = await world.calls(reads=True)
    assert reads.count("GET /tool/{id}") == len(clinics)
    assert {"3 tools are not at Vapi as ordered yet", "1 tool is not at Vapi as ordered yet"} <= waited
    assert [await world.events(org_id, ToolDriftSeen) for org_id in clinics] == [[]] * 5


async def test_a_read_back_that_fails_is_said_and_made_again(world: World) -> None:
    clinics = await world.clinics(3)
    action = {"kind": "status", "status": 503}
    await world.dials(rules=[{"route": "GET /tool", "action": action}])
    rollout_id = await world.start(await world.publish(LOOKING), stages(clinics[:1]))
    await world.rest()
    status = await world.status(rollout_id)
    assert (status.stage, status.clinics) == (1, 1)
    assert status.waits is not None
    assert status.waits.startswith("the read-back failed: TS-")
    await world.dials()
    await world.until(rollout_id, "completed")
    assert (await world.status(rollout_id)).waits is None


async def test_a_key_that_allows_nothing_holds_up_the_read_back_and_is_said(world: World) -> None:
    clinics = await world.clinics(2)
    rollout_id = await world.start(await world.publish(LOOKING), stages(clinics[:1]))
    await world.turn()
    action = {"kind": "status", "status": 429, "retry_after": 1}
    await world.dials(rules=[{"route": "GET /tool", "action": action}])
    await world.rest()
    assert (await world.status(rollout_id)).waits == "the read-back waits for the key"
    await world.dials()
    await world.until(rollout_id, "completed")


async def test_an_order_to_none_has_nothing_to_read_back(world: World) -> None:
    await world.clinics(2)
    await world.complete(None)
    assert "GET /tool" not in await world.calls(reads=True)
