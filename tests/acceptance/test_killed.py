"""tool-sync is killed in the middle of a call whose answer nobody will ever hear."""

import time
from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID

import pytest
import pytest_asyncio
from tests.support.eventually import eventually

from .world import PATIENCE_SECONDS, TOOL, World

HASTE = {"CALL_DEADLINE_SECONDS": "1.5", "SEND_WINDOW_SECONDS": "0.5", "SETTLE_SECONDS": "3"}
"""How long a lost call is waited for decides only how long this test takes."""


@pytest_asyncio.fixture(loop_scope="session")
async def restored(world: World) -> AsyncIterator[None]:
    """Whatever the test does to tool-sync and Vapi, the next test finds both as they were delivered."""
    yield
    await world.vapi.dial([])
    await world.stack.children["tool-sync"].stop()
    await world.stack.start_service("tool_sync")


async def test_a_save_survives_the_death_of_tool_sync_in_the_middle_of_its_call(
    world: World, restored: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    landed, lost = await world.organization("The tool was made"), await world.organization("It was not")
    await world.vapi.dial(
        [
            {
                "route": "POST /tool",
                "match": {"organization_id": str(org_id)},
                "times": 1,
                "action": {"kind": "hang", "commit": org_id == landed, "hold_ms": 120_000},
            }
            for org_id in (landed, lost)
        ]
    )
    journal_end = await world.vapi.journal_end()
    saved = {org_id: await world.save(org_id) for org_id in (landed, lost)}

    async def hanging() -> list[dict[str, Any]]:
        calls = [it for it in await world.vapi.journal(journal_end) if (it["method"], it["path"]) == ("POST", "/tool")]
        return calls if len(calls) == 2 else []

    calls = await eventually(hanging, within_seconds=PATIENCE_SECONDS)
    assert sorted((it["executed"], it["finished"]) for it in calls) == [(False, False), (True, False)]
    await world.stack.children["tool-sync"].kill()
    assert [len(world.outcomes.naming(UUID(it["requestId"]))) for it in saved.values()] == [0, 0]

    for name, value in HASTE.items():
        monkeypatch.setenv(name, value)
    await world.stack.start_service("tool_sync")
    until = time.monotonic() + 2 * PATIENCE_SECONDS
    for org_id, answer in saved.items():
        published = await world.outcomes.of(UUID(answer["requestId"]), until=until)
        assert (published.tool_names, published.outcome.sequence) == ([TOOL], 1)
        assert published.trace_id == answer["traceId"]
        [tool] = await world.vapi.tools_of(org_id)
        assert published.outcome.tools[0].vapi_tool_id == tool["id"]
        assistant = await world.vapi.assistant(answer["assistantId"])
        assert assistant["model"]["toolIds"] == [tool["id"]]
    await world.quiet()

    assert [len(world.outcomes.of_org(org_id)) for org_id in saved] == [1, 1]
    creations = await world.vapi.creations()
    assert [creations[org_id] for org_id in saved] == [1, 1]
    assert await registrations(world, landed) == (1, [True]), "the tool that had been made is adopted"
    assert await registrations(world, lost) == (2, [False]), "a second attempt, once the first can no longer land"


async def registrations(world: World, org_id: UUID) -> tuple[int, list[bool]]:
    """How many registrations an org's log has begun, and of each that ended whether the tool was found, not made."""
    rows = await world.log_db.fetch(
        "SELECT type, data ->> 'adopted' AS adopted FROM events WHERE org_id = $1 ORDER BY position", org_id
    )
    begun = sum(row["type"] == "ToolRegistrationStarted" for row in rows)
    return begun, [row["adopted"] == "true" for row in rows if row["type"] == "ToolRegistered"]
