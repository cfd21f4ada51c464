"""What somebody waits for who saves an assistant is the number of Vapi's calls in a row."""

import time
from uuid import UUID

from tests.support.eventually import eventually

from .world import PATIENCE_SECONDS, TOOL, World


async def heard(world: World, agent_id: str) -> None:
    """Waits until assistant-api has heard the outcome of an agent's newest save."""

    async def is_synced() -> bool:
        status = (await world.http.get(f"/api/assistants/{agent_id}/status")).json()
        return bool(status["state"] == "synced")

    await eventually(is_synced, within_seconds=PATIENCE_SECONDS)


async def calls_of(world: World, after: int, assistant_id: str) -> list[str]:
    """What was asked of Vapi about one assistant, its creation included."""
    return [
        f"{entry['method']} {entry['path'].replace(assistant_id, 'ID')}"
        for entry in await world.vapi.journal(after)
        if entry["path"] in ("/assistant", f"/assistant/{assistant_id}") and entry["executed"]
    ]


async def test_a_second_assistant_of_a_clinic_is_ready_after_two_calls_and_no_write_beside_its_creation(
    world: World,
) -> None:
    org_id = await world.organization("Two desks")
    first = await world.synced_agent(org_id)
    await heard(world, first["agentId"])
    [tool] = await world.vapi.tools_of(org_id)
    end = await world.vapi.journal_end()

    saved = await world.save(org_id)
    made_with = (await world.vapi.assistant(saved["assistantId"]))["model"].get("toolIds")
    published = await world.outcomes.of(UUID(saved["requestId"]), until=time.monotonic() + PATIENCE_SECONDS)

    assert made_with == [tool["id"]]
    assert published.tool_names == [TOOL]
    calls = await calls_of(world, end, saved["assistantId"])
    assert calls[:1] == ["POST /assistant"]
    # One of the two is this test's own.
    assert calls[1:] == ["GET /assistant/ID"] * 2
    assert await world.vapi.tools_of(org_id) == [tool]
    await heard(world, saved["agentId"])


async def test_the_first_assistant_of_a_clinic_takes_its_creation_the_tool_a_look_and_a_link(world: World) -> None:
    org_id = await world.organization("One desk")
    end = await world.vapi.journal_end()
    saved = await world.synced_agent(org_id)
    calls = await calls_of(world, end, saved["assistantId"])
    assert calls == ["POST /assistant", "GET /assistant/ID", "PATCH /assistant/ID"]
