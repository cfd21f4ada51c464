"""Orders that make clinics get or lose a tool: all their assistants are linked or unlinked, with an outcome each."""

import pytest

from tool_sync.domain.events import (
    AnsweredContract,
    AssistantSynced,
    AssistantSyncFailed,
    ToolOrdered,
    ToolRegistered,
    ToolRetired,
    ToolSettingChanged,
)
from tool_sync.domain.fleet.rollout import Refused
from tool_sync.rollouts import due
from tool_sync.rollouts.publish import halted, resumed

from .context import stages
from .limits import BOOKING, CANCELLING
from .world import World

ADD = ["POST /tool", *["PATCH /assistant/{id}"] * 2]


async def test_a_new_tool_is_made_once_and_linked_to_every_assistant(world: World) -> None:
    clinics = await world.clinics(5, assistants=2)
    rollout_id = await world.complete(2, CANCELLING)

    assert sorted(await world.calls()) == sorted(ADD * 5)
    for org_id in clinics:
        assert await world.linked(org_id) == [{BOOKING, CANCELLING}] * 2
        assert await world.events(org_id, ToolOrdered) == [ToolOrdered(CANCELLING, rollout_id)]
        outcomes = await world.events(org_id, AssistantSynced, AssistantSyncFailed)
        assert [(type(one), one.cause) for one in outcomes] == [(AssistantSynced, "rollout")] * 2
        assert {one.agent_id for one in outcomes} == {"agent-0", "agent-1"}


async def test_a_new_tool_comes_stage_by_stage(world: World) -> None:
    clinics = await world.clinics(4)
    await world.start(2, stages(clinics[:1]), CANCELLING)
    await world.rest()
    (opened,) = await world.positions("RolloutStageOpened")
    for org_id in clinics:
        ordered, registered = (
            stored.position
            for stored in await world.history(org_id)
            if isinstance(stored.event, ToolOrdered | ToolRegistered)
        )
        assert (ordered < registered < opened) if org_id == clinics[0] else (opened < ordered < registered)


async def test_a_new_tool_that_is_rolled_back_is_unlinked_with_two_calls_an_assistant(world: World) -> None:
    clinics = await world.clinics(5, assistants=2)
    rollout_id = await world.complete(2, CANCELLING)
    await world.begin()
    await world.command(rollout_id, "rollback")
    await world.rest()

    assert await world.calls() == ["PATCH /assistant/{id}"] * 10
    assert (await world.calls(reads=True)).count("GET /assistant/{id}") == 10
    assert await world.versions(CANCELLING) == {}
    for org_id in clinics:
        assert await world.linked(org_id) == [{BOOKING}] * 2
        (retired,) = await world.events(org_id, ToolRetired)
        assert (retired.name, retired.reason) == (CANCELLING, "order")
    assert (await world.status(rollout_id)).clinics == 0


async def test_an_order_to_none_takes_the_tool_from_every_clinic(world: World) -> None:
    clinics = await world.clinics(5)
    rollout_id = await world.complete(None)
    assert await world.calls() == ["PATCH /assistant/{id}"] * 5
    for org_id in clinics:
        assert await world.linked(org_id) == [set()]
        (retired,) = await world.events(org_id, ToolRetired)
        assert (retired.reason, retired.order) == ("order", rollout_id)
        (outcome,) = await world.events(org_id, AssistantSynced, AssistantSyncFailed)
        assert (outcome.cause, outcome.tools, outcome.reason) == ("rollout", (), "TS-503")
    assert (await world.status(rollout_id)).clinics == 5


async def test_an_order_to_none_that_is_aborted_leaves_the_tool_away_where_it_went(world: World) -> None:
    clinics = await world.clinics(4)
    rollout_id = await world.start(None, stages(clinics[:2]))
    while len(await world.versions()) == 4:
        await world.turn()
    await world.command(rollout_id, "abort")
    await world.rest()
    assert set(await world.versions()) == set(clinics[2:])
    await world.command(rollout_id, "rollback")
    await world.rest()
    assert await world.versions() == dict.fromkeys(clinics, 2)
    assert [await world.linked(org_id) for org_id in clinics] == [[{BOOKING}]] * 4


async def test_a_tool_that_comes_back_within_its_grace_is_the_same_one(world: World) -> None:
    (org_id,) = await world.clinics(1)
    before = await world.tool_of(org_id)
    rollout_id = await world.complete(None)
    await world.command(rollout_id, "rollback")
    await world.rest()
    assert (await world.tool_of(org_id))["id"] == before["id"]
    assert "POST /tool" not in await world.calls()


async def test_a_clinic_whose_setting_is_off_gets_no_new_tool(world: World) -> None:
    off, on = await world.clinics(2)
    await world.say(off, ToolSettingChanged(CANCELLING, enabled=False))
    await world.sync()
    await world.complete(2, CANCELLING)
    assert set(await world.versions(CANCELLING)) == {on}
    assert await world.events(off, ToolOrdered) == []


async def test_a_halt_takes_the_tool_from_everybody_and_a_resume_gives_back_the_same_ones(world: World) -> None:
    clinics = await world.clinics(4)
    before = [(await world.tool_of(org_id))["id"] for org_id in clinics]
    await world.decide(BOOKING, lambda fleet: halted(fleet, BOOKING, "books at night"))
    await world.rest()
    assert await world.calls() == ["PATCH /assistant/{id}"] * 4
    assert [await world.linked(org_id) for org_id in clinics] == [[set()]] * 4
    for org_id in clinics:
        assert await world.events(org_id, ToolOrdered) == [ToolOrdered(BOOKING, None, halt=True)]
        assert [one.reason for one in await world.events(org_id, ToolRetired)] == ["halted"]
    assert await world.settled()
    again = await world.decide(BOOKING, lambda fleet: halted(fleet, BOOKING, "books at night"))
    assert again == Refused(f"{BOOKING} is halted already: books at night")

    await world.decide(BOOKING, lambda fleet: resumed(fleet, BOOKING, "mended"))
    await world.rest()
    assert [await world.linked(org_id) for org_id in clinics] == [[{BOOKING}]] * 4
    assert [(await world.tool_of(org_id))["id"] for org_id in clinics] == before
    assert "POST /tool" not in await world.calls()


async def test_no_stage_opens_while_the_tool_is_halted(world: World) -> None:
    clinics = await world.clinics(4)
    version = await world.publish("Says that it is looking.")
    rollout_id = await world.start(version, stages(clinics[:1]))
    await world.decide(BOOKING, lambda fleet: halted(fleet, BOOKING, "books at night"))
    await world.rest()
    status = await world.status(rollout_id)
    assert (status.state, status.stage, status.waits) == ("running", 1, f"{BOOKING} is halted: books at night")
    await world.decide(BOOKING, lambda fleet: resumed(fleet, BOOKING, "mended"))
    await world.until(rollout_id, "completed")
    assert await world.versions() == dict.fromkeys(clinics, version)
    (opened,) = await world.positions("RolloutStageOpened")
    assert opened > (await world.positions("ToolResumed"))[0]


async def test_no_stage_opens_while_not_every_assistant_api_answers_the_version(world: World) -> None:
    clinics = await world.clinics(4)
    version = await world.publish("Says that it is looking.")
    rollout_id = await world.start(version, stages(clinics[:1]))
    await world.answered(AnsweredContract(BOOKING, 1))
    await world.rest()
    status = await world.status(rollout_id)
    assert (status.state, status.stage) == ("running", 1)
    assert status.waits == f"assistant-api does not answer contract 2 of {BOOKING}"
    assert await world.versions() == dict.fromkeys(clinics, 2)

    await world.answered(AnsweredContract(BOOKING, 1), AnsweredContract(BOOKING, 2))
    await world.until(rollout_id, "completed")
    assert await world.versions() == dict.fromkeys(clinics, version)


async def test_an_assistant_that_cannot_be_linked_counts_as_refused_and_is_waited_for_by_nobody(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    refused, fine = await world.clinics(2)
    action = {"kind": "status", "status": 400, "json": {"message": "no", "statusCode": 400}}
    match = {"assistant_id": world.agents[refused][0]}
    await world.dials(rules=[{"route": "PATCH /assistant/{id}", "match": match, "action": action}])
    rollout_id = await world.start(2, name=CANCELLING)
    await world.rest()
    status = await world.status(rollout_id)
    assert (status.state, status.waits) == ("running", "Vapi refuses it for 1 of 2 clinics")
    assert len(await world.events(refused, ToolOrdered)) <= 2

    monkeypatch.setattr(due, "REFUSED_SHARE_MAX", 0.5)
    await world.until(rollout_id, "completed")
    await world.rest()
    assert await world.settled(CANCELLING)
    assert await world.linked(fine) == [{BOOKING, CANCELLING}]
    assert await world.linked(refused) == [{BOOKING}]
    assert len(await world.events(refused, ToolOrdered)) <= 3
