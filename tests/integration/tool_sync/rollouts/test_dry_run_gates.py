"""The dry run before a stage's first clinic: who has not passed it gets nobody, and nobody gets it."""

from datetime import timedelta

import pytest

from tool_sync.domain.events import ToolSettingChanged, ToolUpdateStarted
from tool_sync.rollouts import gate_keeper
from tool_sync.rollouts.call_intake import CallIntake
from tool_sync.rollouts.canaries import CANARIES_MAX
from tool_sync.rollouts.dry_run import NoSuchClinic, NotPassed, Passed

from .calling import Calls
from .context import stages
from .limits import CANCELLING
from .world import World

SAYS = "Says that it is looking."


@pytest.fixture
def calls(world: World, monkeypatch: pytest.MonkeyPatch) -> Calls:
    monkeypatch.setattr(gate_keeper, "DRY_RUN_SECONDS", 0.0)
    world.gated = True
    made = Calls(world, CallIntake(world.context, world.pool))
    world.feeder = made.feeder()
    return made


async def test_it_is_asked_at_the_stage_s_own_clinics_before_any_of_them_gets_the_version(
    world: World, calls: Calls
) -> None:
    clinics = await world.clinics(8)
    version = await world.publish(SAYS)
    calls.asked.answer = NotPassed("the handler of contract 2 failed")
    rollout_id = await world.start(version, stages(clinics[:2]))
    await world.rest()
    assert set(calls.asked.clinics) == set(clinics[:2])
    status = await world.status(rollout_id)
    assert (status.stage, status.stage_name, status.clinics) == (0, "not open yet", 0)
    assert status.waits is not None
    assert status.waits.startswith("the dry run at clinic ")
    assert status.waits.endswith(" did not pass: the handler of contract 2 failed")
    # A clinic of the first stage that works on its own does not get it either.
    await world.save(clinics[0], "another")
    await world.sync()
    assert await world.events(clinics[0], ToolUpdateStarted) == []
    assert version not in (await world.versions()).values()

    calls.asked.clinics.clear()
    calls.asked.answer = Passed()
    await world.until(rollout_id, "completed")
    assert set(calls.asked.clinics[:2]) == set(clinics[:2])
    assert len(set(calls.asked.clinics[2:]) & set(clinics[2:])) == CANARIES_MAX
    opened = await world.connection.fetch("SELECT data FROM events WHERE type = 'RolloutStageOpened' ORDER BY position")
    seen = [(one["data"]["stage"], one["data"]["evidence"]["dry_runs"]) for one in opened]
    assert seen == [(0, 2), (1, CANARIES_MAX)]


async def test_without_an_address_nothing_is_asked_and_the_event_says_so(world: World, calls: Calls) -> None:
    world.feeder = calls.feeder(tries=False)
    clinics = await world.clinics(2)
    rollout_id = await world.start(await world.publish(SAYS), stages(clinics[:1]))
    await world.until(rollout_id, "completed")
    assert calls.asked.clinics == []
    assert (await calls.last("RolloutStageOpened"))["evidence"]["dry_run"] == "not configured"


async def test_an_older_assistant_api_without_a_dry_run_is_waited_for(world: World, calls: Calls) -> None:
    calls.asked.answer = NoSuchClinic()
    rollout_id = await world.start(await world.publish(SAYS), stages(await world.clinics(1)))
    await world.rest()
    status = await world.status(rollout_id)
    assert (status.stage, (status.waits or "")[:30]) == (0, "the dry run is not there (404)")


async def test_a_person_may_open_the_first_stage_all_the_same(world: World, calls: Calls) -> None:
    clinics = await world.clinics(2)
    calls.asked.answer = NotPassed("no")
    version = await world.publish(SAYS)
    rollout_id = await world.start(version, stages(clinics[:1]))
    await world.rest()
    await world.command(rollout_id, "promote")
    await world.rest()
    assert {org for org, has in (await world.versions()).items() if has == version} == set(clinics[:1])
    assert (await world.status(rollout_id)).stage == 1


async def test_a_stage_whose_clinics_have_no_assistant_has_nobody_to_try_it_at(world: World, calls: Calls) -> None:
    (empty,) = [await world.clinic(assistants=0)]
    await world.clinics(1)
    rollout_id = await world.start(await world.publish(SAYS), stages([empty]))
    await world.until(rollout_id, "completed")
    first = await world.connection.fetchval("SELECT data FROM events WHERE type = 'RolloutStageOpened' LIMIT 1")
    assert first["evidence"]["dry_run"] == "nobody"


async def test_clinics_that_switched_the_tool_off_are_not_tried_at(world: World, calls: Calls) -> None:
    clinics = await world.clinics(3)
    await world.say(clinics[0], ToolSettingChanged(CANCELLING, enabled=False))
    rollout_id = await world.start(await world.publish("cancels", CANCELLING), name=CANCELLING)
    await world.until(rollout_id, "completed")
    assert set(calls.asked.clinics) == set(clinics[1:])


async def test_an_order_that_waits_at_its_first_gate_expires(world: World, calls: Calls) -> None:
    calls.asked.answer = NotPassed("no")
    rollout_id = await world.start(await world.publish(SAYS), stages(await world.clinics(1)))
    await world.rest()
    await world.advance(timedelta(days=22))
    await world.feeder.run_once()
    assert await world.state(rollout_id) == "expired"
