"""Clinics whose tool Vapi refuses: few do not hold up a stage, many do; and Vapi that is away holds up all."""

from tool_sync.domain.events import AssistantSynced, AssistantSyncFailed, RetryRequested, SyncAttemptFailed

from .context import EVERYBODY, stages
from .limits import BOOKING, CANCELLING
from .world import World

LOOKING = "Says that it is looking."
OLD = 2


async def test_a_stage_goes_on_where_vapi_refuses_at_most_one_in_twenty(world: World) -> None:
    clinics = await world.clinics(20)
    version = await world.publish(LOOKING)
    await world.refuse(clinics[7])
    rollout_id = await world.complete(version)
    status = await world.status(rollout_id)
    assert (status.clinics, status.refused) == (19, 1)
    assert (await world.versions())[clinics[7]] == OLD
    assert len(await world.events(clinics[7], SyncAttemptFailed)) == 1
    assert await world.settled()


async def test_a_clinic_that_keeps_its_tool_gets_the_next_one_and_its_saves_are_synced(world: World) -> None:
    """Vapi refuses another text of the booking tool; callers reach the one that is there, as every version is answered.

    So nothing is said to have failed, and a rollout of another tool does not wait for that.
    """
    clinics = await world.clinics(20)
    await world.refuse(clinics[7])
    await world.complete(await world.publish(LOOKING))
    await world.complete(await world.publish(LOOKING, CANCELLING), CANCELLING)
    await world.save(clinics[7], "agent-1")
    await world.sync()
    for agent_id in ("agent-0", "agent-1"):
        told = [one for one in await world.events(clinics[7], AssistantSynced) if one.agent_id == agent_id][-1]
        assert [(ref.name, ref.definition_version) for ref in told.tools] == [(BOOKING, OLD), (CANCELLING, 3)]
    assert await world.events(clinics[7], AssistantSyncFailed) == []


async def test_a_stage_waits_for_a_person_where_vapi_refuses_more_and_says_so(world: World) -> None:
    clinics = await world.clinics(8)
    version = await world.publish(LOOKING)
    await world.refuse(clinics[1])
    rollout_id = await world.start(version, stages(clinics[:4]))
    await world.rest()
    status = await world.status(rollout_id)
    assert (status.stage, status.clinics, status.refused) == (1, 3, 1)
    assert status.waits == "Vapi refuses it for 1 of 4 clinics"
    versions = await world.versions()
    assert {versions[org_id] for org_id in clinics[4:]} == {OLD}


async def test_who_does_not_want_the_tool_is_not_counted_where_vapi_refuses_it(world: World) -> None:
    """Of 20 clinics that a stage holds 15 have no assistant: one refusal of the other five is too many."""
    clinics = await world.clinics(5)
    await world.clinics(15, assistants=0)
    await world.refuse(clinics[0])
    rollout_id = await world.start(await world.publish(LOOKING))
    await world.rest()
    assert (await world.status(rollout_id)).waits == "Vapi refuses it for 1 of 5 clinics"


async def test_a_stage_that_waited_goes_on_once_vapi_takes_it(world: World) -> None:
    clinics = await world.clinics(3)
    version = await world.publish(LOOKING)
    await world.refuse(clinics[0])
    rollout_id = await world.start(version)
    await world.rest()
    await world.dials()
    await world.say(clinics[0], RetryRequested(None))
    await world.sync()
    assert (await world.status(rollout_id)).refused == 0

    await world.rest_a_minute_later()
    assert await world.state(rollout_id) == "completed"
    assert await world.versions() == dict.fromkeys(clinics, version)


async def test_updates_that_vapi_could_not_take_are_tried_again_and_the_rollout_completes(world: World) -> None:
    clinics = await world.clinics(5)
    version = await world.publish(LOOKING)
    action = {"kind": "status", "status": 503}
    await world.dials(rules=[{"route": "PATCH /tool/{id}", "times": 6, "action": action}])
    rollout_id = await world.start(version, (EVERYBODY,))
    await world.until(rollout_id, "completed")
    assert await world.versions() == dict.fromkeys(clinics, version)
    assert await world.calls() == ["PATCH /tool/{id}"] * 5


async def test_an_update_whose_answer_was_lost_is_looked_up_and_not_sent_twice(world: World) -> None:
    clinics = await world.clinics(3)
    version = await world.publish(LOOKING)
    await world.dials(rules=[{"route": "PATCH /tool/{id}", "times": 1, "action": {"kind": "reset", "commit": True}}])
    rollout_id = await world.start(version)
    await world.until(rollout_id, "completed")
    assert await world.calls() == ["PATCH /tool/{id}"] * 3
    assert await world.versions() == dict.fromkeys(clinics, version)
