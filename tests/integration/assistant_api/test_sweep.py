"""An assistant that Vapi makes long after anybody waited for it is found once more, and goes."""

from typing import Any

from tests.support.eventually import eventually

from .harness import Harness

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


async def test_what_another_attempt_made_and_what_is_not_ours_stays(hasty: Harness) -> None:
    """Copies that somebody made by hand carry what they were copied from."""
    org_id = await hasty.organization()
    await hasty.vapi.break_route("POST /assistant", {"kind": "reset", "commit": False}, times=1)
    await hasty.post("/api/agents", {"id": "a", "name": "A"}, org_id)
    row = await hasty.provisioned("a")
    attempt_id = await hasty.owner.fetchval("SELECT attempt_id FROM unanswered_creations")
    own = (await hasty.vapi.assistant(row["vapi_assistant_id"]))["metadata"]
    lost = {**own, "zerotouch_attempt": str(attempt_id)}
    others: list[dict[str, Any]] = [
        {"name": "Loose"},
        {"name": "A copy of the agent's", "metadata": own},
        {"name": "Without an attempt", "metadata": {key: own[key] for key in own if key != "zerotouch_attempt"}},
        {"name": "No id", "metadata": {**lost, "organization_id": "x"}},
        {"name": "Another agent", "metadata": {**lost, "agent_id": "b"}},
        {"name": "Another installation", "metadata": {**lost, "zerotouch_installation": str(org_id)}},
        {"name": "Spelt in another way", "metadata": {**lost, "organization_id": str(org_id).upper()}},
    ]
    surplus = {"name": "Made in vain", "metadata": lost}
    for other in (*others, surplus):
        (await hasty.vapi.api.post("/assistant", json=other)).raise_for_status()

    await _swept(hasty)

    assert {item["name"] for item in await hasty.vapi.assistants()} == {"A", *(other["name"] for other in others)}
    assert len(await hasty.vapi.requests("DELETE")) == 1


async def test_an_adopted_assistant_is_what_its_attempt_made_and_no_more_will_come(hasty: Harness) -> None:
    org_id = await hasty.organization()
    await hasty.vapi.break_route("POST /assistant", {"kind": "reset", "commit": True}, times=1)
    await hasty.post("/api/agents", {"id": "a", "name": "A"}, org_id)
    await hasty.provisioned("a")

    assert await hasty.owner.fetchval("SELECT count(*) FROM unanswered_creations") == 0
    assert [write.split()[0] for write in await hasty.vapi.writes()] == ["POST"]


async def test_one_that_an_older_attempt_made_is_adopted_and_the_newer_one_is_still_looked_for(hasty: Harness) -> None:
    org_id = await hasty.organization()
    lost = {"route": "POST /assistant", "times": 2, "action": {"kind": "reset", "commit": True}}
    await hasty.vapi.dial(rules=[lost], list_lag_ms=1300)  # more than the settle time
    await hasty.post("/api/agents", {"id": "a", "name": "A"}, org_id)
    row = await hasty.provisioned("a")

    await _swept(hasty)

    await hasty.vapi.dial()
    assert [item["id"] for item in await hasty.vapi.assistants()] == [row["vapi_assistant_id"]]
    assert [write.split()[0] for write in await hasty.vapi.writes()] == ["POST", "POST", "DELETE"]


async def test_while_vapi_does_not_answer_the_search_waits(hasty: Harness) -> None:
    org_id = await hasty.organization()
    await hasty.vapi.break_route("POST /assistant", {"kind": "late", "delay_ms": LATE_MS}, times=1)
    await hasty.post("/api/agents", {"id": "a", "name": "A"}, org_id)
    row = await hasty.provisioned("a")
    await hasty.vapi.break_route("GET /assistant", {"kind": "status", "status": 503})
    asked = await _looks(hasty)

    async def asked_twice_in_vain() -> bool:
        return await _looks(hasty) >= asked + 2

    await eventually(asked_twice_in_vain)
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


async def _looks(harness: Harness) -> int:
    return sum(entry["path"] == "/assistant" for entry in await harness.vapi.requests("GET"))


async def _there_are(harness: Harness, count: int) -> bool:
    return len(await harness.vapi.assistants()) == count


async def _swept(harness: Harness) -> None:
    """Return once nothing waits to be looked for, nor to be removed."""

    async def nothing_left() -> bool:
        left = "SELECT (SELECT count(*) FROM unanswered_creations) + (SELECT count(*) FROM removals)"
        return not await harness.owner.fetchval(left)

    await eventually(nothing_left)
