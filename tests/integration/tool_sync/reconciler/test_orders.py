"""What a clinic gets of a tool follows from the log's orders, whatever the process at hand was started with."""

from dataclasses import replace
from typing import Any
from uuid import UUID, uuid4

from tool_sync.domain.events import (
    AssistantSynced,
    ContractsAnswered,
    RolloutRolledBack,
    SyncAttemptFailed,
    ToolHalted,
    ToolOrdered,
    ToolRegistrationStarted,
    ToolResumed,
    ToolRetired,
    ToolUpdated,
    ToolUpdateStarted,
)
from tool_sync.sync.blueprint import read_fleet
from zerotouch_contracts.tools import BOOK_CLINIC_APPOINTMENT_V2

from .. import ordering
from .test_faults import rule
from .world import World

BOOK = BOOK_CLINIC_APPOINTMENT_V2.name
THIRD = replace(BOOK_CLINIC_APPOINTMENT_V2, version=3, description="Books, only better.")


async def equipped(world: World) -> tuple[UUID, dict[str, Any]]:
    """A clinic whose assistant has its tool."""
    org, assistant = uuid4(), await world.assistant()
    await world.save(org, assistant)
    await world.sync()
    assert await links(world, assistant) == [tool["id"] for tool in await world.tools()]
    return org, assistant


async def links(world: World, assistant: dict[str, Any]) -> list[str]:
    """The assistant's tools at Vapi, by id."""
    return list((await world.at_vapi(assistant["id"]))["model"].get("toolIds") or ())


async def calls(world: World) -> list[tuple[str, str]]:
    """Method and path of every request so far."""
    entries = (await world.http.get("/__sandbox/journal", params={"limit": 10_000})).json()["entries"]
    return [(entry["method"], entry["path"]) for entry in entries]


async def fed(world: World) -> None:
    """The clinics are looked at, though nothing arrived for them."""
    await world.make_due()
    await world.sync()


async def test_an_ordered_version_comes_in_place_by_one_call_and_two_events_though_nobody_saves(world: World) -> None:
    org, _ = await equipped(world)
    (tool,) = await world.tools()
    before, history = await calls(world), len(await world.history(org))
    await world.order(THIRD)

    await fed(world)

    assert (await calls(world))[len(before) :] == [("PATCH", f"/tool/{tool['id']}")]
    started, updated = (await world.events(org))[history:]
    assert isinstance(started, ToolUpdateStarted)
    assert isinstance(updated, ToolUpdated)
    assert started.order == updated.order is not None
    assert started.fleet_position == (await read_fleet(world.log)).position
    assert await world.next_due(org) is None
    await fed(world)
    assert len(await world.events(org)) == history + 2


async def test_an_update_that_vapi_does_not_take_now_is_tried_again_though_nobody_waits(world: World) -> None:
    org, _ = await equipped(world)
    await world.order(THIRD)
    await world.turn(rules=[rule("PATCH /tool/{id}", {"kind": "status", "status": 429, "retry_after": 0})])
    await world.make_due()

    async def updated() -> list[ToolUpdated]:
        return await world.events(org, ToolUpdated)

    (done,) = await world.until(updated)

    assert done.definition_version == THIRD.version
    assert [failure.code for failure in await world.events(org, SyncAttemptFailed)] == ["TS-103"]


async def test_an_update_that_vapi_refuses_is_not_tried_again_until_another_version_is_ordered(world: World) -> None:
    org, _ = await equipped(world)
    await world.order(THIRD)
    await world.turn(rules=[rule("PATCH /tool/{id}", {"kind": "status", "status": 400})])
    await fed(world)
    await fed(world)
    assert len(await world.requests("PATCH", "/tool/{id}")) == 1
    refused = await world.pool.fetch("SELECT org_id, tool_name, code FROM tool_refusals")
    assert [tuple(row) for row in refused] == [(org, BOOK, "TS-301")]

    await world.order(replace(THIRD, version=4, description="Books, as Vapi likes it."))
    await fed(world)

    (updated,) = await world.events(org, ToolUpdated)
    assert updated.definition_version == 4
    assert await world.pool.fetchval("SELECT code FROM tool_refusals") is None


async def test_a_version_that_nobody_answers_leaves_the_clinic_what_it_has(world: World) -> None:
    org, assistant = await equipped(world)
    (tool,) = await world.tools()
    await ordering.say(world.log, ContractsAnswered(()))
    await world.order(THIRD)

    await world.save(org, assistant)
    await fed(world)

    assert await world.events(org, ToolUpdateStarted, ToolRetired) == []
    assert await links(world, assistant) == [tool["id"]]
    other, theirs = uuid4(), await world.assistant()
    await world.save(other, theirs, "agent-2")
    await world.sync()
    assert await links(world, theirs) == [], "who has none gets none, either"


async def test_a_halted_tool_is_unlinked_everywhere_and_comes_back_under_its_id(world: World) -> None:
    org, assistant = await equipped(world)
    before = await links(world, assistant)
    await ordering.say(world.log, ToolHalted(BOOK, "it books twice"))
    await world.append(org, ToolOrdered(BOOK, None, halt=True))
    await world.sync()
    assert await links(world, assistant) == []
    (retired,) = await world.events(org, ToolRetired)
    assert retired.reason == "halted"
    assert (await world.events(org, AssistantSynced))[-1].reason == "TS-504"

    await ordering.say(world.log, ToolResumed(BOOK, "mended"))
    await world.append(org, ToolOrdered(BOOK, "seed-bookClinicAppointment"))
    await world.sync()

    assert await links(world, assistant) == before
    assert len(await world.events(org, ToolRegistrationStarted)) == 1


async def test_without_an_order_that_stands_the_tool_goes(world: World) -> None:
    org, assistant = await equipped(world)
    await ordering.say(world.log, RolloutRolledBack("seed-bookClinicAppointment", BOOK, "it was wrong"))
    await world.append(org, ToolOrdered(BOOK, None))

    await world.sync()

    assert await links(world, assistant) == []
    assert [(event.reason, event.order) for event in await world.events(org, ToolRetired)] == [("order", None)]
    assert (await world.events(org, AssistantSynced))[-1].reason == "TS-503"
