"""An assistant that Vapi makes long after anybody waited for it is found once more, and goes."""

import asyncio
from typing import Any

from .harness import Harness, eventually

LATE_MS = 1500
"""Beyond the deadline and the settle time of ``hasty``, within its surplus age."""


async def test_an_assistant_that_is_made_after_another_took_its_place_goes(hasty: Harness) -> None:
    org_id = await hasty.organization()
    await hasty.vapi.break_route("POST /assistant", {"kind": "late", "delay_ms": LATE_MS}, times=1)
    await hasty.post("/api/agents", {"id": "a", "name": "A"}, org_id)
    row = await hasty.provisioned("a")
    await eventually(lambda: _there_are(hasty, 2))

    await _swept(hasty)

    assert [item["id"] for item in await hasty.vapi.assistants()] == [row["vapi_assistant_id"]]
    assert (await hasty.row("a"))["vapi_assistant_id"] == row["vapi_assistant_id"]


async def test_an_assistant_that_is_made_after_its_agent_was_deleted_goes(hasty: Harness) -> None:
    org_id = await hasty.organization()
    await hasty.vapi.break_route("POST /assistant", {"kind": "late", "delay_ms": LATE_MS}, times=1)
    await hasty.post("/api/agents", {"id": "a", "name": "A"}, org_id)
    await hasty.delete("/api/agents/a", org_id)
    await hasty.removed()
    await eventually(lambda: _there_are(hasty, 1))

    await _swept(hasty)

    assert await hasty.vapi.assistants() == []


async def test_what_was_adopted_and_what_is_not_ours_stays(hasty: Harness) -> None:
    org_id = await hasty.organization()
    await hasty.vapi.break_route("POST /assistant", {"kind": "reset", "commit": True}, times=1)
    await hasty.post("/api/agents", {"id": "a", "name": "A"}, org_id)
    adopted = (await hasty.provisioned("a"))["vapi_assistant_id"]
    mark = (await hasty.vapi.assistant(adopted))["metadata"]
    others: list[dict[str, Any]] = [
        {"name": "Loose"},
        {"name": "No id", "metadata": {**mark, "organization_id": "x"}},
        {"name": "Another agent", "metadata": {**mark, "agent_id": "b"}},
        {"name": "Another installation", "metadata": {**mark, "zerotouch_installation": str(org_id)}},
        {"name": "Spelt in another way", "metadata": {**mark, "organization_id": str(org_id).upper()}},
    ]
    for other in others:
        (await hasty.vapi.api.post("/assistant", json=other)).raise_for_status()

    await _swept(hasty)

    assert {item["name"] for item in await hasty.vapi.assistants()} == {"A", *(other["name"] for other in others)}
    assert await hasty.vapi.requests("DELETE") == []


async def test_while_vapi_does_not_answer_the_search_waits(hasty: Harness) -> None:
    org_id = await hasty.organization()
    await hasty.vapi.break_route("POST /assistant", {"kind": "late", "delay_ms": LATE_MS}, times=1)
    await hasty.post("/api/agents", {"id": "a", "name": "A"}, org_id)
    row = await hasty.provisioned("a")
    await hasty.vapi.break_route("GET /assistant", {"kind": "status", "status": 503})
    await asyncio.sleep(3)  # the surplus age and more
    assert await hasty.owner.fetchval("SELECT count(*) FROM unanswered_creations") == 1

    await hasty.vapi.dial()

    await _swept(hasty)
    assert [item["id"] for item in await hasty.vapi.assistants()] == [row["vapi_assistant_id"]]


async def test_a_creation_that_was_answered_is_not_looked_for(hasty: Harness) -> None:
    org_id = await hasty.organization()
    await hasty.vapi.break_route("POST /assistant", {"kind": "status", "status": 429, "retry_after": "1"}, times=1)
    await hasty.post("/api/agents", {"id": "a", "name": "A"}, org_id)
    await hasty.provisioned("a")

    assert await hasty.owner.fetchval("SELECT count(*) FROM unanswered_creations") == 0
    assert [entry for entry in await hasty.vapi.requests("GET") if entry["path"] == "/assistant"] == []


async def _there_are(harness: Harness, count: int) -> bool:
    return len(await harness.vapi.assistants()) == count


async def _swept(harness: Harness) -> None:
    """Return once nothing waits to be looked for, nor to be removed."""

    async def nothing_left() -> bool:
        left = "SELECT (SELECT count(*) FROM unanswered_creations) + (SELECT count(*) FROM removals)"
        return not await harness.owner.fetchval(left)

    await eventually(nothing_left)
