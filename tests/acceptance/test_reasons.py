"""Why a clinic has a tool, what happened to an assistant: over HTTP and at the command line."""

import asyncio
import json
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import httpx
import pytest
from typer.testing import CliRunner

from tool_sync.cli.app import app

from .world import TOOL, World


async def get(world: World, path: str, **options: Any) -> httpx.Response:
    return await world.tool_sync.get(path, **options)


async def test_why_names_the_rule_the_tool_at_vapi_and_each_event_with_its_trace(world: World) -> None:
    org_id = await world.organization()
    await world.synced_agent(org_id)
    answer = await get(world, f"/v1/orgs/{org_id}/tools/{TOOL}/why")
    assert answer.status_code == httpx.codes.OK, answer.text
    why = answer.json()
    assert why["wanted"] is True
    assert why["rule"] == f"by rollout seed-{TOOL}, completed: version 2; the organization's tier is basic"
    assert why["condition"] == "registered"
    assert [e["type"] for e in why["events"]] == ["OrgRegistered", "ToolRegistrationStarted", "ToolRegistered"]
    assert why["vapi_tool_id"] == why["events"][-1]["data"]["vapi_tool_id"]
    assert all(e["trace_id"] for e in why["events"][1:])
    assert why["outlook"]["next"] in ("nothing: it is as wanted", "a worker is processing it now")


async def test_why_of_a_tool_that_nobody_knows_names_those_that_there_are(world: World) -> None:
    org_id = await world.organization()
    await world.synced_agent(org_id)
    answer = await get(world, f"/v1/orgs/{org_id}/tools/paintTheWall/why")
    assert (answer.status_code, answer.json()["code"]) == (httpx.codes.NOT_FOUND, "TS-904")
    assert answer.json()["detail"] == (
        f"there is no tool paintTheWall; the tools are {TOOL}, cancelAppointment, rescheduleAppointment"
    )


async def test_an_assistant_is_explained_by_either_id(world: World) -> None:
    org_id = await world.organization()
    saved = await world.synced_agent(org_id)
    await world.quiet()
    by_agent = (await get(world, f"/v1/assistants/{saved['agentId']}/explain")).json()
    by_vapi = (await get(world, f"/v1/assistants/{saved['assistantId']}/explain")).json()
    assert by_agent == by_vapi
    (explained,) = by_agent["assistants"]
    assert explained["outcome"] == "synced"
    assert explained["tools"] == [TOOL] == explained["wanted"]
    assert explained["missing"] == explained["open_requests"] == []
    assert [e["type"] for e in explained["events"]] == [
        "SyncRequested",
        "AssistantLinkStarted",
        "AssistantLinked",
        "AssistantSynced",
    ]
    assert explained["outlook"]["next"] == "nothing: it is as wanted"


async def test_a_time_in_the_past_shows_what_was_known_then(world: World) -> None:
    org_id = await world.organization()
    saved = await world.synced_agent(org_id)
    whole = (await get(world, f"/v1/assistants/{saved['agentId']}/explain")).json()["assistants"][0]
    asked = whole["events"][0]["recorded_at"]
    then = (await get(world, f"/v1/assistants/{saved['agentId']}/explain", params={"at": asked})).json()
    (at_first,) = then["assistants"]
    assert [e["type"] for e in at_first["events"]] == ["SyncRequested"]
    assert len(at_first["open_requests"]) == 1
    assert at_first["outcome"] is None
    why = (await get(world, f"/v1/orgs/{org_id}/tools/{TOOL}/why", params={"at": asked})).json()
    assert why["condition"] == "missing"
    early = (datetime.now(UTC) - timedelta(days=30)).isoformat()
    before = await get(world, f"/v1/orgs/{org_id}/tools/{TOOL}/why", params={"at": early})
    assert before.status_code == httpx.codes.NOT_FOUND
    assert "has no event before" in before.json()["detail"]


async def test_another_clinics_reasons_do_not_exist(world: World) -> None:
    org_id, other = await world.organization(), await world.organization()
    saved = await world.synced_agent(org_id)
    await world.synced_agent(other)
    headers = world.bearer(other)
    for path in (f"/v1/orgs/{org_id}/tools/{TOOL}/why", f"/v1/assistants/{saved['agentId']}/explain"):
        answer = await get(world, path, headers=headers)
        unknown = await get(
            world, path.replace(str(org_id), str(uuid4())).replace(saved["agentId"], "x"), headers=headers
        )
        assert answer.status_code == unknown.status_code == httpx.codes.NOT_FOUND
    own = await get(world, f"/v1/orgs/{other}/tools/{TOOL}/why", headers=headers)
    assert own.json()["condition"] == "registered"
    mine = await get(world, f"/v1/assistants/{saved['agentId']}/explain", headers=world.bearer(org_id))
    assert len(mine.json()["assistants"]) == 1


@pytest.mark.parametrize("at", ["yesterday", "2026-13-40T00:00:00Z"])
async def test_a_time_that_is_none_is_refused(world: World, at: str) -> None:
    org_id = await world.organization()
    answer = await get(world, f"/v1/orgs/{org_id}/tools/{TOOL}/why", params={"at": at})
    assert answer.status_code == httpx.codes.BAD_REQUEST
    assert answer.json()["detail"].startswith("at: ")


async def test_the_command_line_says_the_same(world: World) -> None:
    org_id = await world.organization()
    saved = await world.synced_agent(org_id)
    await world.quiet()
    options = ["--database-url", world.stack.database("tool_sync").service]

    def run(*arguments: str) -> str:
        result = CliRunner().invoke(app, [*arguments, *options])
        assert result.exit_code == 0, result.output
        return result.output

    told = await asyncio.to_thread(run, "why", str(org_id), TOOL, "--json")
    over_http = (await get(world, f"/v1/orgs/{org_id}/tools/{TOOL}/why")).json()
    assert json.loads(told)["result"]["events"] == over_http["events"]
    text = await asyncio.to_thread(run, "explain", saved["agentId"], "--jaeger-url", "http://jaeger:16686/")
    assert "outcome     synced; has bookClinicAppointment" in text
    trace_id = over_http["events"][-1]["trace_id"]
    assert f"http://jaeger:16686/trace/{trace_id}" in text.replace("\n", "")
    unknown = await asyncio.to_thread(lambda: CliRunner().invoke(app, ["explain", "nobody", *options]))
    assert unknown.exit_code == 2
