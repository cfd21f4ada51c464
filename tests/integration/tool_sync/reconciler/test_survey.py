"""What no save would notice is found off its path: a traffic split, and tools that somebody changed or deleted."""

from dataclasses import replace
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import pytest

from tool_sync.domain.events import AssistantSynced, AssistantSyncFailed, ToolVanished, TrafficSplitSeen
from tool_sync.sync.looks import Looks
from tool_sync.sync.loop import Reconciler
from tool_sync.sync.survey import Survey, SurveyPace, versions_of

from .world import World

QUICK = SurveyPace(looks_per_second=1000, poll_seconds=0.01, settled_seconds=0)


def survey_of(world: World) -> Survey:
    """A survey that is told of settled saves, as in the process."""
    survey = Survey(world.context, Looks(world.pool), QUICK)
    world.context = replace(world.context, on_settled=survey.settled)
    world.reconciler = Reconciler(world.context)
    return survey


async def days_pass(world: World) -> None:
    """A day after everything that was done or looked at so far."""
    await world.pool.execute("UPDATE vapi_looks SET looked_at = looked_at - interval '25 hours'")
    await in_a_while(world)


async def in_a_while(world: World) -> None:
    """The tools were not made just now."""
    admin = await asyncpg.connect(world.admin_url)
    try:
        await admin.execute("UPDATE org_tools SET updated_at = updated_at - interval '25 hours'")
    finally:
        await admin.close()


async def synced(world: World, org: UUID, agent: str = "agent-1", **fields: Any) -> dict[str, Any]:
    assistant = await world.assistant(**fields)
    await world.save(org, assistant, agent)
    await world.sync()
    assert isinstance((await world.outcomes(org))[-1], AssistantSynced)
    return await world.at_vapi(assistant["id"])


async def split(world: World, assistant_id: str, **body: Any) -> None:
    answer = await world.http.post("/traffic-allocations", json={"assistantId": assistant_id, **body})
    assert answer.status_code in (200, 201), answer.text


async def test_a_split_without_the_tool_is_found_once_a_day_and_its_end_the_next(world: World) -> None:
    survey, org = survey_of(world), uuid4()
    assistant = await synced(world, org)
    await split(world, assistant["id"], targets=[{"assistantVersion": "v1", "percentage": 100}])
    assert await survey.run_once() == 1
    await world.sync()
    failed = (await world.outcomes(org))[-1]
    assert isinstance(failed, AssistantSyncFailed)
    assert (failed.code, failed.cause) == ("TS-311", "drift")

    await split(world, assistant["id"], allocationIntent="follow-latest")
    asked = len(await world.requests("GET", "/traffic-allocations/latest"))
    assert await survey.run_once() == 0
    assert len(await world.requests("GET", "/traffic-allocations/latest")) == asked
    await days_pass(world)
    assert await survey.run_once() == 1

    async def recovered() -> bool:
        return isinstance((await world.outcomes(org))[-1], AssistantSynced)

    await world.until(recovered)
    assert [event.versions for event in await world.events(org, TrafficSplitSeen)] == [("v1",), None]


async def test_a_split_whose_versions_have_the_tool_is_no_obstacle(world: World) -> None:
    survey, org = survey_of(world), uuid4()
    assistant = await synced(world, org)
    targets = [
        {"assistantVersion": assistant["latestVersion"], "percentage": 100},
        {"assistantVersion": "v1", "percentage": 0},
    ]
    await split(world, assistant["id"], targets=targets)
    await survey.run_once()
    await world.sync()
    told = [one for one in await world.outcomes(org) if one.sequence is not None]
    assert [type(one).__name__ for one in told] == ["AssistantSynced"]


async def test_no_access_to_the_beta_ends_the_day_and_pauses_no_key(world: World) -> None:
    survey = survey_of(world)
    for number in range(3):
        await synced(world, uuid4(), f"agent-{number}")
    await world.turn(rules=[{"route": "GET /traffic-allocations/latest", "action": {"kind": "status", "status": 403}}])
    await survey.run_once()
    await survey.run_once()
    assert len(await world.requests("GET", "/traffic-allocations/latest")) == 1
    await synced(world, uuid4(), "agent-9")  # the key works


async def test_a_tool_that_somebody_deleted_is_found_after_the_next_save_and_made_anew(world: World) -> None:
    survey, org = survey_of(world), uuid4()
    assistant = await synced(world, org)
    await in_a_while(world)
    (tool,) = await world.tools()
    await world.http.delete(f"/tool/{tool['id']}")
    await world.save(org, assistant)
    await world.sync()
    assert await survey.run_once() == 1
    await world.sync()
    outcome = (await world.outcomes(org))[-1]
    assert isinstance(outcome, AssistantSynced)
    assert outcome.cause == "drift"
    assert outcome.tools[0].vapi_tool_id != tool["id"]
    assert (await world.at_vapi(assistant["id"]))["model"]["toolIds"] == [outcome.tools[0].vapi_tool_id]
    assert len(await world.events(org, ToolVanished)) == 1


@pytest.mark.parametrize(
    ("allocation", "expected"),
    [
        (None, None),
        ({"allocationIntent": "follow-latest", "targets": []}, None),
        ({"allocationIntent": "explicit", "targets": None}, ()),
        ({"allocationIntent": "explicit", "targets": [{"assistantVersion": "v2", "percentage": 0.001}, 7,
                                                     {"assistantVersion": "v1", "percentage": 0}]}, ("v2",)),
    ],
)  # fmt: skip
async def test_the_versions_of_a_split_are_those_that_get_calls(
    allocation: dict[str, Any] | None, expected: tuple[str, ...] | None
) -> None:
    assert versions_of(allocation) == expected
