"""The world changes: definitions, tiers, assistants and orgs go, somebody else edits, a save is overwritten."""

import asyncio
from dataclasses import replace
from typing import Any
from uuid import UUID, uuid4

from tool_sync.domain.events import (
    AssistantDiverged,
    AssistantLinked,
    AssistantRemoved,
    AssistantSynced,
    AssistantSyncFailed,
    DriftDetected,
    OrgClosed,
    OrgRegistered,
    OrgSettled,
    OrgTierChanged,
    RequestUnreadable,
    ToolRegistered,
    ToolVanished,
)
from zerotouch_contracts.tools import BOOK_CLINIC_APPOINTMENT_V2, CANCEL_APPOINTMENT_V2

from .world import World

THIRD = replace(BOOK_CLINIC_APPOINTMENT_V2, version=3)
ELSEWHERE = "https://elsewhere.example.test"
SECOND = replace(CANCEL_APPOINTMENT_V2, version=3, tier="professional")


async def sync(world: World) -> None:
    """Work until nothing is due; a run that never ends fails the test."""
    async with asyncio.timeout(15):
        await world.sync()


async def linked(world: World, assistant: dict[str, Any]) -> list[str]:
    ids: list[str] = (await world.at_vapi(assistant["id"]))["model"].get("toolIds", [])
    return ids


async def equipped(world: World, org: UUID, count: int = 1) -> list[dict[str, Any]]:
    """An org whose assistants have their tools."""
    assistants = [await world.assistant() for _ in range(count)]
    for n, assistant in enumerate(assistants):
        await world.save(org, assistant, f"agent-{n}")
    await sync(world)
    return assistants


async def test_a_tool_that_was_deleted_at_vapi_is_registered_anew_and_every_assistant_gets_the_new_one(
    world: World,
) -> None:
    org = uuid4()
    assistants = await equipped(world, org, 3)
    (tool,) = await world.tools()
    await world.http.delete(f"/tool/{tool['id']}")
    await world.order(THIRD, server_url=ELSEWHERE)

    await world.save(org, assistants[0], "agent-0")
    await sync(world)

    (after,) = await world.tools()
    assert after["id"] != tool["id"]
    assert (len(await world.events(org, ToolVanished)), len(await world.events(org, ToolRegistered))) == (1, 2)
    (row,) = await world.org_tools(org)
    assert (row["vapi_tool_id"], row["enabled"]) == (after["id"], True)
    # An id of a tool that is gone makes the assistant's calls fail: none may keep it.
    assert [await linked(world, a) for a in assistants] == [[after["id"]]] * 3


async def test_a_removed_assistant_settles_what_is_open_without_a_call(world: World) -> None:
    org, assistant = uuid4(), await world.assistant()
    request = await world.save(org, assistant)
    await world.append(org, AssistantRemoved("agent-1", assistant["id"]))
    late = await world.save(org, assistant)  # a request that arrives after the removal, for the same assistant
    before = len(await world.requests("GET", "/assistant/{id}"))

    await sync(world)

    outcomes = await world.outcomes(org)
    assert {o.code for o in outcomes if isinstance(o, AssistantSyncFailed)} == {"TS-402"}
    assert [r.request_id for o in outcomes for r in o.requests] == [request, late]
    assert len(await world.requests("GET", "/assistant/{id}")) == before
    assert [m for m, path in await world.writes() if path.startswith("/assistant/")] == []
    assert await world.next_due(org) is None


async def test_a_closed_org_settles_what_is_open_and_what_still_comes_without_a_call(world: World) -> None:
    org = uuid4()
    assistants = [await world.assistant() for _ in range(2)]
    requests = [await world.save(org, a, f"agent-{n}") for n, a in enumerate(assistants)]
    await world.append(org, OrgClosed())
    await sync(world)
    requests.append(await world.save(org, assistants[0], "agent-0"))
    await sync(world)

    outcomes = await world.outcomes(org)
    assert {o.code for o in outcomes if isinstance(o, AssistantSyncFailed)} == {"TS-403"}
    assert [r.request_id for o in outcomes for r in o.requests] == requests
    assert [o.sequence for o in outcomes] == [1, 2, 3]
    assert await world.tools() == []
    assert await world.requests("GET", "/assistant/{id}") == []


async def test_an_unreadable_request_gets_its_outcome(world: World) -> None:
    org, request = uuid4(), uuid4()
    await world.append(org, RequestUnreadable(request, "cd" * 16))

    await sync(world)

    (outcome,) = await world.outcomes(org)
    assert isinstance(outcome, AssistantSyncFailed)
    assert (outcome.code, outcome.agent_id, outcome.assistant_id, outcome.revision) == ("TS-401", None, None, None)
    assert [(r.request_id, r.trace_id) for r in outcome.requests] == [(request, "cd" * 16)]
    assert await world.requests("GET", "/tool") == []


async def test_an_outdated_model_at_vapi_is_looked_at_again_and_reported_once(world: World) -> None:
    org = uuid4()
    old = await world.assistant()
    await world.save(org, old)
    await sync(world)
    newer = {**old, "model": {**old["model"], "temperature": 0.9}}
    request = await world.save(org, newer)  # its write at Vapi was then overwritten by the old version

    async def diverged() -> list[AssistantDiverged]:
        return await world.events(org, AssistantDiverged)

    (report,) = await world.until(diverged)
    gets = len(await world.requests("GET", "/assistant/{id}"))
    assert gets >= 3  # one of the first save, two looks
    assert (report.revision, report.sequence, report.assistant_id) == (2, 2, old["id"])

    async def looked_more() -> bool:
        return len(await world.requests("GET", "/assistant/{id}")) >= gets + 2

    await world.until(looked_more)
    assert len(await diverged()) == 1
    assert len(await world.outcomes(org)) == 1

    body = {"model": newer["model"]}
    healed = (await world.http.patch(f"/assistant/{old['id']}", json=body)).json()
    repair = await world.save(org, healed)
    await sync(world)
    outcome = (await world.outcomes(org))[-1]
    assert ([r.request_id for r in outcome.requests], outcome.revision, outcome.sequence) == ([request, repair], 3, 3)


async def test_a_foreign_edit_is_noted_once_and_linked_on_top_of(world: World) -> None:
    org, assistant = uuid4(), await world.assistant()
    edited = {**assistant["model"], "temperature": 0.1}
    await world.http.patch(f"/assistant/{assistant['id']}", json={"model": edited})
    await world.turn(
        rules=[{"route": "PATCH /assistant/{id}", "times": 1, "action": {"kind": "status", "status": 503}}]
    )
    await world.save(org, assistant)

    async def settled() -> list[Any]:
        return await world.outcomes(org)

    await world.until(settled)  # it was looked at twice: before the link that failed, and before the one that did not

    (tool,) = await world.tools()
    assert (await world.at_vapi(assistant["id"]))["model"] == {**edited, "toolIds": [tool["id"]]}
    assert len(await world.events(org, DriftDetected)) == 1
    assert len(await world.requests("GET", "/assistant/{id}")) >= 4  # link, look, link, and the one just above


async def test_a_foreign_edit_that_we_linked_on_top_of_is_not_taken_for_an_older_version(world: World) -> None:
    org, assistant = uuid4(), await world.assistant()
    await world.order(SECOND)
    edited = {**assistant["model"], "temperature": 0.1}
    await world.http.patch(f"/assistant/{assistant['id']}", json={"model": edited})
    await world.save(org, assistant)
    await sync(world)
    await world.append(org, OrgTierChanged("professional"))
    await sync(world)

    assert await world.events(org, AssistantDiverged) == []
    assert len(await linked(world, assistant)) == 2


async def test_a_foreign_edit_whose_link_lost_its_answer_is_not_taken_for_an_older_version(world: World) -> None:
    org, assistant = uuid4(), await world.assistant()
    edited = {**assistant["model"], "temperature": 0.1}
    await world.http.patch(f"/assistant/{assistant['id']}", json={"model": edited})
    await world.turn(
        rules=[{"route": "PATCH /assistant/{id}", "times": 1, "action": {"kind": "reset", "commit": True}}]
    )
    await world.save(org, assistant)

    async def settled() -> list[Any]:
        return await world.outcomes(org)

    await world.until(settled)

    assert await world.events(org, AssistantDiverged) == []
    assert len(await world.events(org, AssistantLinked)) == 1


async def test_a_higher_tier_gives_every_assistant_its_tool_and_tells_once_each(world: World) -> None:
    org = uuid4()
    await world.order(SECOND)
    await world.append(org, OrgRegistered("basic"))
    assistants = await equipped(world, org, 3)

    await world.append(org, OrgTierChanged("professional"))
    await sync(world)

    assert [len(await linked(world, a)) for a in assistants] == [2, 2, 2]
    unasked = [o for o in await world.events(org, AssistantSynced) if not o.requests]
    assert [(o.cause, o.sequence) for o in unasked] == [("tier", 4), ("tier", 5), ("tier", 6)]
    assert {o.agent_id for o in unasked} == {"agent-0", "agent-1", "agent-2"}


async def test_a_lower_tier_takes_the_tool_out_of_every_assistant(world: World) -> None:
    org = uuid4()
    await world.order(SECOND)
    await world.append(org, OrgRegistered("professional"))
    assistants = await equipped(world, org, 2)
    assert [len(await linked(world, a)) for a in assistants] == [2, 2]

    await world.append(org, OrgTierChanged("basic"))
    await sync(world)

    keeps = [r["vapi_tool_id"] for r in await world.org_tools(org) if r["tool_name"] == "bookClinicAppointment"]
    assert [await linked(world, a) for a in assistants] == [keeps, keeps]


async def test_a_tier_change_reaches_every_assistant_of_a_big_org(world: World) -> None:
    org = uuid4()
    await world.order(SECOND)
    assistants = await equipped(world, org, 105)

    await world.append(org, OrgTierChanged("professional"))
    await sync(world)

    assert [len(await linked(world, a)) for a in assistants] == [2] * 105


async def test_a_tier_change_outlives_a_failure_of_vapi(world: World) -> None:
    org = uuid4()
    await world.order(SECOND)
    (assistant,) = await equipped(world, org)
    await world.turn(rules=[{"route": "POST /tool", "times": 1, "action": {"kind": "status", "status": 503}}])
    await world.append(org, OrgTierChanged("professional"))

    async def both() -> bool:
        return len(await linked(world, assistant)) == 2

    await world.until(both)


async def test_a_tier_change_without_another_tool_writes_nothing_to_vapi(world: World) -> None:
    org = uuid4()
    await equipped(world, org, 2)
    writes = await world.writes()

    await world.append(org, OrgTierChanged("professional"))
    await sync(world)

    assert await world.writes() == writes
    assert len(await world.outcomes(org)) == 2
    assert len(await world.events(org, OrgSettled)) == 1
