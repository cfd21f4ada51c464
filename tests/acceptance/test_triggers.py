"""However an assistant is saved, it ends the same way, within two seconds."""

import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any
from uuid import UUID, uuid4

import pytest_asyncio
from tests.support.eventually import eventually

from assistant_api.prompt.lines import BEGIN, END, RULE

from .kafka_topics import Published
from .vapi import not_the_rows, system_prompt
from .world import PATIENCE_SECONDS, REACH_SECONDS, TOOL, World

OWN_WORDS = "You are the receptionist of the clinic."
BY_HAND: dict[str, Any] = {
    "name": "Front desk",
    "firstMessage": "Hello.",
    "endCallMessage": "Goodbye.",
    "endCallPhrases": ["bye", "see you"],
    "transcriber": {"provider": "deepgram", "model": "nova-2", "language": "de"},
    "maxDurationSeconds": 700,
    "analysisPlan": {"summaryPlan": {"enabled": False}},
    "model": {
        "provider": "openai",
        "model": "gpt-4o",
        "temperature": 0.25,
        "emotionRecognitionEnabled": True,
        "knowledgeBase": {"kept": [1, 2.5, None]},
        "messages": [
            {"role": "system", "content": OWN_WORDS},
            {"role": "assistant", "content": "An example of what to say."},
        ],
    },
}
"""An assistant as somebody made it in Vapi's dashboard, with much that the row knows nothing about."""


@dataclass(frozen=True, slots=True)
class Desk:
    """An agent whose assistant was made by hand, and that assistant as it was before."""

    org_id: UUID
    agent_id: str
    assistant_id: str
    before: dict[str, Any]


@pytest_asyncio.fixture(loop_scope="session")
async def desk(world: World) -> AsyncIterator[Desk]:
    """An agent that is synced already; somebody then took the tool and our words out of its assistant."""
    org_id = await world.organization()
    assistant_id = (await world.vapi.create_assistant(BY_HAND))["id"]
    saved = await world.synced_agent(org_id, systemPrompt=None, firstMessage=None, vapiAssistantId=assistant_id)
    await world.vapi.edit_assistant(assistant_id, {"model": BY_HAND["model"]})
    before = await world.vapi.assistant(assistant_id)
    assert "toolIds" not in before["model"]
    yield Desk(org_id, saved["agentId"], assistant_id, before)


async def test_a_sync_over_http(world: World, desk: Desk) -> None:
    until = time.monotonic() + REACH_SECONDS
    answer = await world.sync(desk.agent_id)
    outcome = await world.outcomes.of(UUID(answer["requestId"]), until=until)
    assert answer["success"] is True
    assert (answer["assistantId"], answer["state"]) == (desk.assistant_id, "provisioned")
    assert outcome.trace_id == answer["traceId"]
    await everything_is_there(world, desk, outcome)
    await both_log_lines_are_there(world, desk.agent_id, answer["traceId"], answer["requestId"])


async def test_an_auto_sync_of_one_agent(world: World, desk: Desk) -> None:
    until = time.monotonic() + REACH_SECONDS
    answer = await world.http.post("/api/assistants/auto-sync", json={"agentId": desk.agent_id})
    body = answer.json()
    outcome = await world.outcomes.of(UUID(body["requestId"]), until=until)
    assert answer.status_code == 200
    assert outcome.trace_id == body["traceId"]
    await everything_is_there(world, desk, outcome)
    await both_log_lines_are_there(world, desk.agent_id, body["traceId"], body["requestId"])


async def test_an_auto_sync_of_all_agents_of_an_org(world: World, desk: Desk) -> None:
    others = [(await world.synced_agent(desk.org_id))["agentId"] for _ in range(3)]
    until = time.monotonic() + REACH_SECONDS
    answer = await world.http.post("/api/assistants/auto-sync", headers=world.bearer(desk.org_id))
    assert (answer.status_code, answer.json()["requested"]) == (202, 4), answer.text
    for agent_id in [desk.agent_id, *others]:
        outcome = await world.outcomes.of(await world.newest_request(agent_id), until=until)
        assert (outcome.outcome.agent_id, outcome.tool_names) == (agent_id, [TOOL])
        assert outcome.trace_id == answer.json()["traceId"]
        if agent_id == desk.agent_id:
            await everything_is_there(world, desk, outcome)


async def test_an_update_in_plain_sql_of_what_the_assistant_says(world: World, desk: Desk) -> None:
    until = time.monotonic() + REACH_SECONDS
    await world.assistants_db.execute(
        "UPDATE agents SET system_prompt = $2 WHERE id = $1", desk.agent_id, "You speak French from now on."
    )
    outcome = await world.outcomes.of(await world.newest_request(desk.agent_id), until=until)
    assistant = await everything_is_there(world, desk, outcome, own_words="You speak French from now on.")
    assert OWN_WORDS not in system_prompt(assistant)
    await synced_log_line_is_there(world, desk.agent_id, outcome.trace_id)


async def test_an_insert_in_plain_sql(world: World) -> None:
    org_id, agent_id = uuid4(), f"agent-{uuid4()}"
    until = time.monotonic() + REACH_SECONDS
    async with world.assistants_db.transaction():
        await world.assistants_db.execute("INSERT INTO organizations (id, name) VALUES ($1, 'By SQL')", org_id)
        await world.assistants_db.execute(
            "INSERT INTO agents (org_id, id, name, system_prompt) VALUES ($1, $2, 'Front desk', $3)",
            org_id,
            agent_id,
            OWN_WORDS,
        )
    outcome = await world.outcomes.of(await world.newest_request(agent_id), until=until)
    assert outcome.outcome.assistant_id is not None
    made = await world.vapi.assistant(outcome.outcome.assistant_id)
    assert made["name"] == "Front desk"
    assert made["metadata"]["agent_id"] == agent_id
    _, assistants = await world.vapi.state()
    assert sum(it.get("metadata", {}).get("agent_id") == agent_id for it in assistants) == 1
    await everything_is_there(world, Desk(org_id, agent_id, made["id"], made), outcome)
    await synced_log_line_is_there(world, agent_id, outcome.trace_id)


async def test_a_save_in_plain_sql_is_logged_as_one_over_http_is(world: World) -> None:
    org_id, agent_id = await world.organization(), f"agent-{uuid4()}"
    await world.assistants_db.execute(
        "INSERT INTO agents (org_id, id, name) VALUES ($1, $2, 'Front desk')", org_id, agent_id
    )
    request_id = await world.newest_request(agent_id)
    outcome = await world.outcomes.of(request_id, until=time.monotonic() + PATIENCE_SECONDS)
    await both_log_lines_are_there(world, agent_id, outcome.trace_id, str(request_id))


async def everything_is_there(
    world: World, desk: Desk, published: Published, own_words: str = OWN_WORDS
) -> dict[str, Any]:
    """Checks what every trigger must lead to, in Vapi, in `org_tools`, over HTTP and in the outcome."""
    outcome = published.outcome
    assert (outcome.org_id, outcome.agent_id, outcome.assistant_id) == (desk.org_id, desk.agent_id, desk.assistant_id)
    assert published.tool_names == [TOOL]
    [tool] = await world.vapi.tools_of(desk.org_id)
    assert tool["function"]["name"] == TOOL
    assert outcome.tools[0].vapi_tool_id == tool["id"]

    assistant = await world.vapi.assistant(desk.assistant_id)
    assert assistant["model"]["toolIds"] == [tool["id"]]
    prompt = system_prompt(assistant)
    assert prompt.startswith(f"{own_words}\n\n{BEGIN}")
    assert (prompt.count(BEGIN), prompt.count(END)) == (1, 1)
    assert RULE in prompt
    assert not_the_rows(assistant) == not_the_rows(desk.before)

    answer = await world.tool_sync.get(f"/v1/orgs/{desk.org_id}/tools", headers=world.bearer(desk.org_id))
    [listed] = answer.raise_for_status().json()["tools"]
    row = await world.log_db.fetchrow("SELECT * FROM org_tools WHERE org_id = $1", desk.org_id)
    assert row is not None
    for found in (listed, dict(row)):
        assert (found["tool_name"], found["vapi_tool_id"], found["enabled"]) == (TOOL, tool["id"], True)
        assert found["id"] == row["id"]
    first = await world.log_db.fetchrow("SELECT type, org_id FROM events WHERE position = $1", row["id"])
    assert first is not None
    assert (first["type"], first["org_id"]) == ("ToolRegistered", desk.org_id)

    async def status() -> dict[str, Any] | None:
        body = (await world.http.get(f"/api/assistants/{desk.agent_id}/status")).raise_for_status().json()
        return body if body["state"] == "synced" and body["traceId"] == published.trace_id else None

    seen = await eventually(status, within_seconds=PATIENCE_SECONDS)
    assert (seen["success"], seen["toolsRegistered"], seen["failedTools"]) == (True, [TOOL], [])
    assert (seen["assistantId"], seen["message"]) == (desk.assistant_id, "Tools synced successfully")
    return assistant


async def both_log_lines_are_there(world: World, agent_id: str, trace_id: str, request_id: str) -> None:
    """Checks the lines that operators look for."""
    arrivals = world.log_lines(
        lambda line: line["event"] == "Auto-syncing tools for assistant" and line["request_id"] == request_id
    )
    assert [(line["agent_id"], line["trace_id"]) for line in arrivals] == [(agent_id, trace_id)]
    await synced_log_line_is_there(world, agent_id, trace_id)


async def synced_log_line_is_there(world: World, agent_id: str, trace_id: str) -> None:
    """Checks the line that an outcome leaves; assistant-api writes it when it has read the outcome."""

    async def lines() -> list[dict[str, Any]]:
        return world.log_lines(
            lambda line: line["event"] == "Tools synced successfully" and line["trace_id"] == trace_id
        )

    found = await eventually(lines, within_seconds=PATIENCE_SECONDS)
    assert agent_id in [line["agent_id"] for line in found]
