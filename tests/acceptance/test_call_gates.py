"""Callers decide how a rollout goes on: calls through the webhook open a gate, or have the version stopped."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest_asyncio
from tests.support.eventually import eventually

from devstack.one_fix import rollout_of, tool_sync
from devstack.walkthrough import call

from .world import TOOL, World

SECONDS_MAX = 60.0
STAGES = """
[[stage]]
name = "canary"
orgs = ["{org}"]
bake_minutes = 0
gate_calls = 20
gate_hours = 12

[[stage]]
name = "all"
percent = 100
"""
GOOD = {
    "patientName": "Ida Example",
    "patientPhone": "+49 30 1234567",
    "service": "Check-up",
    "appointmentTime": "10:00",
}
BAD = {**GOOD, "patientName": ""}


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def clinics(own_world: World) -> dict[UUID, str]:
    """By clinic, its one assistant at Vapi."""
    made = {}
    for name in ("Canary", "Other"):
        org_id = await own_world.organization(name)
        made[org_id] = (await own_world.synced_agent(org_id))["assistantId"]
    await own_world.quiet()
    return made


async def started(world: World, clinics: dict[UUID, str], folder: Path, description: str) -> str:
    """A version that says this, on its way to the first clinic; the rollout's id."""
    file, stages = folder / "tool.toml", folder / "stages.toml"
    file.write_text(f'name = "{TOOL}"\ncontract = 2\ndescription = "{description}"\n')
    stages.write_text(STAGES.format(org=next(iter(clinics))))
    version = (
        (await tool_sync(world.stack, "blueprint", "publish", str(file), "--reason", "a test"))
        .split("rollout plan ")[1]
        .strip()
    )
    planned = await tool_sync(world.stack, "rollout", "plan", version, "--stages", str(stages), "--json")
    planned_id = json.loads(planned)["result"]["rollout_id"]
    return rollout_of(await tool_sync(world.stack, "rollout", "apply", planned_id, "--reason", "tried at one clinic"))


async def state_of(world: World, rollout: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(await tool_sync(world.stack, "rollout", "status", rollout, "--json"))["result"]
    return found


async def until(world: World, rollout: str, stage: int, state: str, *callers: tuple[str, dict[str, str]]) -> None:
    """Calls, ten of each caller at a time, until the rollout is there."""
    day = (datetime.now(UTC) + timedelta(days=21)).date().isoformat()

    async def is_there() -> bool:
        now = await state_of(world, rollout)
        if (now["stage"], now["state"]) == (stage, state):
            return True
        if now["stage"] > 0:
            for assistant_id, wish in callers * 10:
                await call(world.stack, assistant_id, TOOL, {**wish, "appointmentDate": day})
        return False

    await eventually(is_there, within_seconds=SECONDS_MAX)


async def event(world: World, rollout: str, kind: str) -> list[dict[str, Any]]:
    rows = await world.log_db.fetch(
        "SELECT data FROM events WHERE stream = $1 AND type = $2 ORDER BY position", f"rollout-{rollout}", kind
    )
    return [json.loads(row["data"]) if isinstance(row["data"], str) else row["data"] for row in rows]


async def test_calls_that_work_open_the_gate_and_the_dry_run_came_before_the_first_clinic(
    own_world: World, clinics: dict[UUID, str], tmp_path: Path
) -> None:
    canary, other = clinics.values()
    rollout = await started(own_world, clinics, tmp_path, "Books an appointment, as tried at one clinic.")
    await until(own_world, rollout, 2, "completed", (canary, GOOD), (other, GOOD))
    first, second = (one["evidence"] for one in await event(own_world, rollout, "RolloutStageOpened"))
    assert (first["dry_run"], first["dry_runs"], first["calls"]) == ("passed", 1, "not asked")
    assert (second["dry_run"], second["calls"], second["new_failed"]) == ("passed", "not worse", 0)
    assert second["new_calls"] >= 20


async def test_a_version_whose_calls_fail_is_paused_and_reaches_nobody_else(
    own_world: World, clinics: dict[UUID, str], tmp_path: Path
) -> None:
    canary, other = clinics.values()
    rollout = await started(own_world, clinics, tmp_path, "Books an appointment without asking for a name.")
    await until(own_world, rollout, 1, "paused", (canary, BAD), (other, GOOD))
    (paused,) = await event(own_world, rollout, "RolloutPaused")
    assert paused["reason"].endswith("worse (sequential test, 5 %)")
    assert paused["evidence"]["new_failed"] >= 10
    descriptions = [[tool["function"]["description"] for tool in await own_world.vapi.tools_of(org)] for org in clinics]
    assert descriptions[0] != descriptions[1]
    assert descriptions[1] == ["Books an appointment, as tried at one clinic."]
