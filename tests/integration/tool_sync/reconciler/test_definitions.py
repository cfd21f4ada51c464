"""Another definition of a tool: who gets it, in place, and what a release with other definitions changes: nothing."""

from dataclasses import replace
from uuid import uuid4

import httpx

from devstack.fixtures import FreshDatabase
from tool_sync.domain.events import AssistantSynced, ToolUpdated
from tool_sync.sync.blueprint import definitions_with, seed
from vapi_sandbox import SandboxSettings, create_app
from zerotouch_contracts.tools import BOOK_CLINIC_APPOINTMENT, BOOK_CLINIC_APPOINTMENT_V2

from .test_changes import ELSEWHERE, THIRD, equipped, linked, sync
from .world import World, world_over


async def test_another_definition_updates_the_tool_once_and_leaves_the_links(world: World) -> None:
    org = uuid4()
    (assistant,) = await equipped(world, org)
    (tool,) = await world.tools()
    await world.order(THIRD, server_url=ELSEWHERE)

    await world.save(org, assistant, "agent-0")
    await sync(world)

    (after,) = await world.tools()
    assert (after["id"], after["server"]["url"]) == (tool["id"], ELSEWHERE)
    assert len(await world.requests("PATCH", "/tool/{id}")) == 1
    assert len(await world.requests("PATCH", "/assistant/{id}")) == 1  # that of the first save
    (updated,) = await world.events(org, ToolUpdated)
    (_, outcome) = await world.outcomes(org)
    assert outcome.tools[0].definition_hash == updated.definition_hash
    (row,) = await world.org_tools(org)
    assert row["definition_hash"] == updated.definition_hash


async def registered(world: World) -> list[tuple[bool, int]]:
    """Of every tool at Vapi, whether the model goes on without its answer, and its version."""
    static = [{item["key"]: item["value"] for item in tool["parameters"]} for tool in await world.tools()]
    return [
        (tool["async"], values["definition_version"]) for tool, values in zip(await world.tools(), static, strict=True)
    ]


async def test_a_clinic_gets_a_booking_tool_that_waits_unless_the_installation_begins_with_the_first_version(
    world: World, fresh_tool_sync_db: FreshDatabase
) -> None:
    await equipped(world, uuid4())
    assert await registered(world) == [(False, 2)]

    async with world_over(
        await fresh_tool_sync_db(), httpx.ASGITransport(create_app(SandboxSettings())), seeded=False
    ) as careful:
        await seed(careful.log, replace(careful.context.blueprint, definitions=definitions_with(1)), "test")
        org = uuid4()
        (assistant,) = await equipped(careful, org)

        assert await registered(careful) == [(True, 1)]
        (outcome,) = await careful.outcomes(org)
        assert [(tool.name, tool.definition_version) for tool in outcome.tools] == [(BOOK_CLINIC_APPOINTMENT.name, 1)]
        assert len(await linked(careful, assistant)) == 1


async def test_a_release_with_other_definitions_changes_nothing_of_a_tool_that_the_log_has(world: World) -> None:
    org = uuid4()
    (assistant,) = await equipped(world, org)
    release = replace(world.context.blueprint, definitions=definitions_with(1), server_url=ELSEWHERE)
    await seed(world.log, release, "another")
    world.context = replace(world.context, blueprint=release)
    world.reconciler = world.another()

    await world.save(org, assistant, "agent-0")
    other = uuid4()
    await equipped(world, other)

    assert await registered(world) == [(False, 2)] * 2
    assert await world.requests("PATCH", "/tool/{id}") == []


async def test_a_clinic_that_has_the_first_version_gets_the_second_in_place(world: World) -> None:
    await world.order(BOOK_CLINIC_APPOINTMENT)
    org = uuid4()
    (assistant,) = await equipped(world, org)
    (before,) = await world.tools()
    assert await registered(world) == [(True, 1)]
    await world.order(BOOK_CLINIC_APPOINTMENT_V2)

    await world.save(org, assistant, "agent-0")
    await sync(world)

    (after,) = await world.tools()
    assert after["id"] == before["id"]
    assert await registered(world) == [(False, 2)]
    assert await linked(world, assistant) == [before["id"]]


async def test_a_newer_order_beats_a_higher_version_and_nobody_writes_back_and_forth(world: World) -> None:
    """Two processes, one of which has not read of the order yet, do not undo each other."""
    org = uuid4()
    (assistant,) = await equipped(world, org)
    await world.order(BOOK_CLINIC_APPOINTMENT)
    both = world.reconciler, world.another()

    for reconciler in (*both, *both):
        world.reconciler = reconciler
        await world.save(org, assistant, "agent-0")
        await sync(world)

    assert await registered(world) == [(True, 1)]
    assert len(await world.requests("PATCH", "/tool/{id}")) == 1
    assert all(isinstance(outcome, AssistantSynced) for outcome in await world.outcomes(org))


async def test_an_update_whose_answer_was_lost_is_confirmed_without_a_second_patch(world: World) -> None:
    org = uuid4()
    (assistant,) = await equipped(world, org)
    await world.order(THIRD, server_url=ELSEWHERE)
    await world.turn(rules=[{"route": "PATCH /tool/{id}", "times": 1, "action": {"kind": "reset", "commit": True}}])
    await world.save(org, assistant, "agent-0")

    async def twice() -> bool:
        return len(await world.outcomes(org)) == 2

    await world.until(twice)

    assert len(await world.requests("PATCH", "/tool/{id}")) == 1
    assert len(await world.events(org, ToolUpdated)) == 1
