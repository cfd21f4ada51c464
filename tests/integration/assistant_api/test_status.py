"""The status says what is so: `synced` of an assistant that can book, and of what else there is, why and who acts."""

from typing import Any
from uuid import UUID

import pytest
from tests.support.eventually import eventually

from zerotouch_contracts.errors import CATALOGUE, ErrorCode
from zerotouch_contracts.events import FailedTool, ToolsSynced, ToolSyncFailed

from .harness import Harness
from .outcomes import TOOL, hear, outcome_fields


async def _status(harness: Harness, org_id: UUID, agent_id: str = "a") -> dict[str, Any]:
    answer = await harness.get(f"/api/assistants/{agent_id}/status", org_id)
    assert answer.status_code == 200, answer.text
    status: dict[str, Any] = answer.json()
    return status


@pytest.mark.parametrize("reason", ["TS-501", "TS-502", "TS-503"])
async def test_an_assistant_that_is_to_have_no_tools_says_why_and_who_acts(harness: Harness, reason: str) -> None:
    org_id = await harness.organization()
    await harness.agent(org_id, id="a")
    entry = next(entry for entry in CATALOGUE.values() if entry.code.value == reason)

    await hear(harness, ToolsSynced(**await outcome_fields(harness, tools=()), reason=reason))

    status = await _status(harness, org_id)
    assert (status["state"], status["success"], status["code"]) == ("no_tools", False, reason)
    assert (status["toolsRegistered"], status["failedTools"]) == ([], [])
    assert entry.meaning in status["message"]
    assert f"Who acts: {entry.who_acts}." in status["message"]
    assert "success" not in status["message"]


@pytest.mark.parametrize("reason", [None, "TS-599"])
async def test_a_reason_that_is_not_known_here_is_no_success_either(harness: Harness, reason: str | None) -> None:
    org_id = await harness.organization()
    await harness.agent(org_id, id="a")

    await hear(harness, ToolsSynced(**await outcome_fields(harness, tools=()), reason=reason))

    status = await _status(harness, org_id)
    assert (status["state"], status["success"], status["code"]) == ("no_tools", False, reason)
    assert status["message"] == "No tool is wanted for this assistant, so it has none and takes no bookings."


async def test_tools_that_are_switched_on_again_are_synced_and_without_a_reason(harness: Harness) -> None:
    org_id = await harness.organization()
    await harness.agent(org_id, id="a")
    await hear(harness, ToolsSynced(**await outcome_fields(harness, tools=()), reason="TS-501"))

    await hear(harness, ToolsSynced(**await outcome_fields(harness, sequence=2), cause="setting"))

    status = await _status(harness, org_id)
    assert (status["state"], status["success"], status["code"]) == ("synced", True, None)
    assert status["message"] == "Tools synced successfully"


@pytest.mark.parametrize("message", ["Two tools have the name bookClinicAppointment.", ""])
async def test_a_tool_that_is_linked_and_not_usable_is_a_failure(harness: Harness, message: str) -> None:
    org_id = await harness.organization()
    await harness.agent(org_id, id="a")
    failed = (FailedTool(name=TOOL.name, code="TS-307"),)

    await hear(
        harness,
        ToolSyncFailed(**await outcome_fields(harness, failed_tools=failed), code="TS-307", message=message),
    )

    status = await _status(harness, org_id)
    assert (status["state"], status["success"], status["code"]) == ("failed", False, "TS-307")
    assert status["toolsRegistered"] == status["failedTools"] == [TOOL.name]
    assert status["message"] == message or CATALOGUE[ErrorCode.TOOL_SHADOWED].meaning


async def test_an_outcome_of_another_assistant_of_vapis_is_not_this_ones(harness: Harness) -> None:
    org_id = await harness.organization()
    await harness.agent(org_id, id="a")

    await hear(harness, ToolsSynced(**await outcome_fields(harness, assistant_id="another")))

    status = await _status(harness, org_id)
    assert (status["state"], status["success"], status["toolsRegistered"]) == ("syncing", False, [])


async def test_an_outcome_above_the_newest_save_is_of_an_earlier_life(harness: Harness) -> None:
    org_id = await harness.organization()
    await harness.agent(org_id, id="a")

    await hear(harness, ToolsSynced(**await outcome_fields(harness, revision=7)))

    assert (await _status(harness, org_id))["state"] == "syncing"


async def test_an_agent_that_is_made_anew_under_its_id_begins_without_an_outcome(harness: Harness) -> None:
    org_id = await harness.organization()
    await harness.agent(org_id, id="a")
    await hear(harness, ToolsSynced(**await outcome_fields(harness)))
    assert (await _status(harness, org_id))["state"] == "synced"

    await harness.owner.execute("DELETE FROM agents")
    await harness.agent(org_id, id="a")

    status = await _status(harness, org_id)
    assert (status["state"], status["success"], status["toolsRegistered"]) == ("syncing", False, [])


async def test_an_organization_that_is_made_anew_begins_without_outcomes(harness: Harness) -> None:
    org_id = await harness.organization()
    await harness.agent(org_id, id="a")
    await hear(harness, ToolSyncFailed(**await outcome_fields(harness, tools=()), code="TS-403"))
    assert (await _status(harness, org_id))["code"] == "TS-403"

    await harness.delete(f"/api/organizations/{org_id}")
    await harness.post("/api/organizations", {"id": str(org_id), "name": "Again"})
    await harness.agent(org_id, id="a")

    assert (await _status(harness, org_id))["state"] == "syncing"


@pytest.mark.parametrize(("status_code", "code"), [(401, "TS-201"), (403, "TS-201"), (402, "TS-202")])
async def test_while_vapi_refuses_the_key_everything_that_waits_for_it_says_so(
    hasty: Harness, status_code: int, code: str
) -> None:
    org_id = await hasty.organization()
    await hasty.agent(org_id, id="at-vapi")
    await hasty.vapi.break_route("*", {"kind": "status", "status": status_code})

    saved = await hasty.post("/api/agents", {"id": "a", "name": "A"}, org_id)

    entry = next(entry for entry in CATALOGUE.values() if entry.code.value == code)
    assert (saved.status_code, saved.json()["state"], saved.json()["code"]) == (202, "provisioning", code)
    for agent_id, state in (("a", "provisioning"), ("at-vapi", "syncing")):
        status = await _status(hasty, org_id, agent_id)
        assert (status["state"], status["success"], status["code"]) == (state, False, code)
        assert status["message"].startswith(entry.meaning)
        assert "Who acts: platform operator." in status["message"]
    ready = (await hasty.http.get("/readyz")).json()
    note = ready["notes"]["vapiKey"]
    assert (note["code"], note["whoActs"], note["whatToDo"]) == (code, entry.who_acts, entry.what_to_do)
    assert 0 <= note["seconds"] < 60
    assert set(ready["reasons"]) == {"kafka", "relay", "outcomes"}, "the key makes no part unready"

    await hasty.vapi.dial()
    await hasty.owner.execute("UPDATE vapi_keys SET paused_until = now() - interval '1 second'")
    await hasty.service.provisioner.run_once()
    await hasty.provisioned("a")

    assert (await _status(hasty, org_id))["code"] is None
    assert "notes" not in (await hasty.http.get("/readyz")).json()


async def test_how_long_a_key_is_refused_counts_from_the_first_refusal(hasty: Harness) -> None:
    await hasty.vapi.break_route("*", {"kind": "status", "status": 401})
    await hasty.post("/api/agents", {"id": "a", "name": "A"}, await hasty.organization())
    await hasty.owner.execute(
        "UPDATE vapi_keys SET since = now() - interval '1 hour', paused_until = now() - interval '1 second'"
    )

    async def paused_again() -> bool:
        return bool(await hasty.owner.fetchval("SELECT paused_until > now() + interval '10 s' FROM vapi_keys"))

    await eventually(paused_again)

    assert (await hasty.http.get("/readyz")).json()["notes"]["vapiKey"]["seconds"] >= 3600


async def test_a_settled_agent_is_none_the_worse_for_a_refused_key(hasty: Harness) -> None:
    org_id = await hasty.organization()
    await hasty.agent(org_id, id="a")
    await hear(hasty, ToolsSynced(**await outcome_fields(hasty)))
    await hasty.vapi.break_route("*", {"kind": "status", "status": 401})
    await hasty.post("/api/agents", {"id": "b", "name": "B"}, org_id)

    assert (await _status(hasty, org_id))["state"] == "synced"
    assert (await _status(hasty, org_id, "b"))["code"] == "TS-201"


async def test_a_pause_that_nobody_renews_is_not_told_for_ever(hasty: Harness) -> None:
    """Nobody has work for the key any more, so nobody finds out whether it works."""
    org_id = await hasty.organization()
    await hasty.owner.execute(
        "INSERT INTO vapi_keys (key, paused_until, reason, half_open) VALUES ($1, now() - interval '3 min', $2, true)",
        hasty.service.vapi.key.fingerprint,
        "refused",
    )

    assert "notes" not in (await hasty.http.get("/readyz")).json()
    await hasty.agent(org_id, id="a")
    assert (await _status(hasty, org_id))["code"] is None


async def test_a_rate_limit_is_nobodys_business_but_who_waits_for_it(hasty: Harness) -> None:
    org_id = await hasty.organization()
    await hasty.agent(org_id, id="at-vapi")
    await hasty.vapi.break_route("*", {"kind": "status", "status": 429, "retry_after": 60})

    await hasty.post("/api/agents", {"id": "a", "name": "A"}, org_id)

    assert (await _status(hasty, org_id))["code"] == "TS-103"
    assert (await _status(hasty, org_id, "at-vapi"))["code"] is None
    assert "notes" not in (await hasty.http.get("/readyz")).json()
