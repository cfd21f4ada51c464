"""The prompt follows the clinic and its tools, and nobody takes our own rewriting for somebody else's."""

from typing import Any
from uuid import UUID

from tests.support.eventually import eventually

from assistant_api.prompt.lines import FIRST_LINE, RULE

from .vapi import system_prompt
from .world import PATIENCE_SECONDS, TOOL, World

SERVICES = ["Check-up", "Cleaning"]
# The delay runs out at once; a test has no minute to wait.
_LONG_AGO = "UPDATE organizations SET calendar_changed_at = calendar_changed_at - interval '1 hour' WHERE id = $1"


async def _prompt(world: World, saved: dict[str, Any]) -> str:
    return system_prompt(await world.vapi.assistant(saved["assistantId"]))


async def _status(world: World, agent_id: str) -> dict[str, Any]:
    status: dict[str, Any] = (await world.http.get(f"/api/assistants/{agent_id}/status")).raise_for_status().json()
    return status


async def _synced(world: World, agent_id: str) -> None:
    async def synced() -> bool:
        return bool((await _status(world, agent_id))["state"] == "synced")

    await eventually(synced, within_seconds=PATIENCE_SECONDS)


async def _set_calendar(world: World, org_id: UUID) -> None:
    calendar = {"timeZone": "Europe/Berlin", "services": SERVICES}
    (await world.http.put(f"/api/organizations/{org_id}/calendar", json=calendar)).raise_for_status()


async def test_a_tool_is_named_once_it_is_linked_and_a_calendar_is_said_without_anybodys_save(world: World) -> None:
    org_id = await world.organization()
    saved = await world.synced_agent(org_id)
    agent_id = saved["agentId"]
    await _synced(world, agent_id)
    first = await _prompt(world, saved)
    await world.sync(agent_id)
    await _synced(world, agent_id)
    second = await _prompt(world, saved)
    linked = (await world.vapi.assistant(saved["assistantId"]))["model"]["toolIds"]

    await _set_calendar(world, org_id)
    await world.assistants_db.execute(_LONG_AGO, org_id)

    async def said() -> bool:
        status = await _status(world, agent_id)
        assert (status["state"], status["success"]) == ("synced", True), status
        return "This clinic's services: Check-up; Cleaning." in await _prompt(world, saved)

    await eventually(said, within_seconds=PATIENCE_SECONDS)
    await world.quiet()

    assert RULE in first
    assert TOOL not in first
    assert f"{FIRST_LINE}\n\n{TOOL}: " in second
    assert f"{FIRST_LINE}\n\n{TOOL}: " in await _prompt(world, saved)
    assert (await world.vapi.assistant(saved["assistantId"]))["model"]["toolIds"] == linked
    assert (await _status(world, agent_id))["state"] == "synced"
    kinds = await world.log_db.fetch("SELECT DISTINCT type FROM events WHERE org_id = $1", org_id)
    assert not {"DriftDetected", "AssistantDiverged"} & {row["type"] for row in kinds}
    causes = await world.assistants_db.fetch("SELECT cause FROM saves WHERE agent_id = $1 ORDER BY revision", agent_id)
    assert [row["cause"] for row in causes] == ["save", "sync", "auto_sync"]
