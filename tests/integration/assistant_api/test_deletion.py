"""A deleted agent is forgotten at once, announced, and gone from Vapi in the end, whatever was on its way."""

import asyncio
from typing import Any
from uuid import uuid4

import pytest
from tests.support.eventually import eventually

from .harness import Harness


async def test_a_deleted_agent_is_announced_and_its_assistant_goes_from_vapi(harness: Harness) -> None:
    org_id = await harness.organization()
    saved = await harness.agent(org_id, id="a")

    answer = await harness.delete("/api/agents/a", org_id)

    assert (answer.status_code, answer.content) == (204, b"")
    assert (await harness.get("/api/agents/a", org_id)).status_code == 404
    [message] = await harness.outbox("AssistantDeleted")
    assert message["body"] == {
        "org_id": str(org_id),
        "agent_id": "a",
        "assistant_id": saved["assistantId"],
        "revision": 1,
    }
    assert message["traceparent"].split("-")[1] == answer.headers["x-trace-id"]
    await harness.removed()
    assert await harness.vapi.assistants() == []
    assert (await harness.delete("/api/agents/a", org_id)).status_code == 404


async def test_only_its_organization_and_the_platform_can_delete_an_agent(harness: Harness) -> None:
    org_id, other = await harness.organization(), await harness.organization()
    await harness.agent(org_id, id="a")

    assert (await harness.delete("/api/agents/a", other)).status_code == 404
    assert (await harness.delete(f"/api/agents/a?orgId={other}")).status_code == 404
    assert (await harness.row("a"))["provisioned_revision"] == 1
    assert (await harness.delete(f"/api/agents/a?orgId={org_id}")).status_code == 204


async def test_a_repeated_deletion_with_its_key_gets_the_first_answer(harness: Harness) -> None:
    org_id = await harness.organization()
    await harness.agent(org_id, id="a")

    answers = [await harness.delete("/api/agents/a", org_id, {"Idempotency-Key": "k"}) for _ in range(2)]

    assert [answer.status_code for answer in answers] == [204, 204]
    assert answers[1].headers["idempotent-replayed"] == "true"
    other = await harness.delete("/api/agents/b", org_id, {"Idempotency-Key": "k"})
    assert other.status_code == 422


async def test_the_kept_answer_of_a_deletion_is_committed_with_it(harness: Harness) -> None:
    org_id = await harness.organization()
    await harness.agent(org_id, id="a")
    await harness.owner.execute(
        "CREATE FUNCTION no_key() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'cut'; END $$;"
        "CREATE TRIGGER no_key BEFORE UPDATE OF status ON idempotency_keys FOR EACH ROW EXECUTE FUNCTION no_key()"
    )

    answer = await harness.delete("/api/agents/a", org_id, {"Idempotency-Key": "k"})

    assert answer.status_code == 500
    assert (await harness.row("a"))["provisioned_revision"] == 1  # not deleted without its answer
    await harness.owner.execute("DROP FUNCTION no_key CASCADE")
    assert (await harness.delete("/api/agents/a", org_id, {"Idempotency-Key": "k"})).status_code == 204


async def test_a_row_deleted_by_plain_sql_goes_from_vapi_too(hasty: Harness) -> None:
    org_id = await hasty.organization()
    await hasty.agent(org_id, id="a")

    await hasty.owner.execute("DELETE FROM agents WHERE id = 'a'")

    await hasty.removed()
    assert await hasty.vapi.assistants() == []
    assert len(await hasty.outbox("AssistantDeleted")) == 1


async def test_an_agent_deleted_while_its_creation_is_in_flight_leaves_nothing(hasty: Harness) -> None:
    org_id = await hasty.organization()
    await hasty.vapi.dial(latency_ms=450)
    await hasty.owner.execute("INSERT INTO agents (id, org_id, name) VALUES ('a', $1, 'A')", org_id)
    await eventually(lambda: _attempted(hasty))

    assert (await hasty.delete("/api/agents/a", org_id)).status_code == 204

    assert await hasty.saves("a") == [(1, "save", "deleted")]
    await hasty.removed()
    assert [write.split()[0] for write in await hasty.vapi.writes()] == ["POST", "DELETE"]
    assert await hasty.vapi.assistants() == []
    assert await hasty.outbox() == await hasty.outbox("AssistantDeleted") == []  # nobody had heard of it


@pytest.mark.parametrize("commit", [True, False])
async def test_an_agent_deleted_after_a_lost_answer_to_its_creation_leaves_nothing(
    hasty: Harness, commit: bool
) -> None:
    org_id = await hasty.organization()
    await hasty.vapi.break_route("POST /assistant", {"kind": "reset", "commit": commit}, times=1)
    await hasty.post("/api/agents", {"id": "a", "name": "A"}, org_id)

    assert (await hasty.delete("/api/agents/a", org_id)).status_code == 204

    assert await hasty.owner.fetchval("SELECT vapi_assistant_id IS NULL FROM removals")
    await hasty.removed()
    assert await hasty.vapi.assistants() == []
    assert [write.split()[0] for write in await hasty.vapi.writes()] == ["POST", "DELETE"] * commit


async def test_an_agent_made_anew_keeps_its_assistant_while_the_one_before_is_looked_for(hasty: Harness) -> None:
    org_id = await hasty.organization()
    await hasty.vapi.break_route("POST /assistant", {"kind": "reset", "commit": True}, times=1)
    await hasty.post("/api/agents", {"id": "a", "name": "A"}, org_id)
    await hasty.delete("/api/agents/a", org_id)

    await hasty.post("/api/agents", {"id": "a", "name": "Again"}, org_id)

    row = await hasty.provisioned("a")
    await hasty.removed()
    [left] = await hasty.vapi.assistants()
    assert (left["id"], left["name"]) == (row["vapi_assistant_id"], "Again")


async def test_an_agent_made_anew_whose_creation_lost_its_answer_too_ends_with_one_assistant(hasty: Harness) -> None:
    org_id = await hasty.organization()
    await hasty.vapi.break_route("POST /assistant", {"kind": "reset", "commit": True}, times=2)
    await hasty.post("/api/agents", {"id": "a", "name": "A"}, org_id)
    await hasty.delete("/api/agents/a", org_id)

    await hasty.post("/api/agents", {"id": "a", "name": "Again"}, org_id)

    await hasty.removed()
    row = await hasty.provisioned("a")

    async def only_one() -> bool:  # what the second attempt made is found by the sweep
        return [item["id"] for item in await hasty.vapi.assistants()] == [row["vapi_assistant_id"]]

    await eventually(only_one)


async def test_vapi_is_asked_again_until_it_is_back(hasty: Harness) -> None:
    org_id = await hasty.organization()
    await hasty.agent(org_id, id="a")
    await hasty.vapi.break_route("DELETE /assistant/{id}", {"kind": "status", "status": 503}, times=4)

    await hasty.delete("/api/agents/a", org_id)

    await hasty.removed()
    assert await hasty.vapi.assistants() == []
    assert len(await hasty.vapi.requests("DELETE")) == 5


async def test_a_deletion_whose_answer_was_lost_is_repeated_and_404_is_success(hasty: Harness) -> None:
    org_id = await hasty.organization()
    await hasty.agent(org_id, id="a")
    await hasty.vapi.break_route("DELETE /assistant/{id}", {"kind": "reset", "commit": True}, times=1)

    await hasty.delete("/api/agents/a", org_id)

    await hasty.removed()
    assert len(await hasty.vapi.requests("DELETE")) == 2


async def test_a_process_that_dies_after_the_call_leaves_the_rest_to_another(hasty: Harness) -> None:
    """As after a kill: the lease is somebody's who never comes back, and the assistant is gone already."""
    org_id = await hasty.organization()
    saved = await hasty.agent(org_id, id="a")
    hasty.service.loops["remover"].stop()
    await hasty.delete("/api/agents/a", org_id)
    (await hasty.vapi.api.delete(f"/assistant/{saved['assistantId']}")).raise_for_status()
    await hasty.owner.execute(
        "UPDATE removals SET lease_token = gen_random_uuid(), lease_until = now() + interval '1 hour'"
    )

    assert await hasty.service.remover.run_once() == 0
    await hasty.owner.execute("UPDATE removals SET lease_until = now() - interval '1 s'")

    assert await hasty.service.remover.run_once() == 1
    await hasty.removed()


async def test_a_refused_deletion_waits_for_a_day(hasty: Harness) -> None:
    org_id = await hasty.organization()
    await hasty.agent(org_id, id="a")
    await hasty.vapi.break_route("DELETE /assistant/{id}", {"kind": "status", "status": 409})

    await hasty.delete("/api/agents/a", org_id)

    async def postponed() -> Any:
        return await hasty.owner.fetchval("SELECT failure_code FROM removals WHERE next_due > now() + interval '23 h'")

    assert await eventually(postponed) == "TS-302"
    assert len(await hasty.vapi.requests("DELETE")) == 1


async def test_an_assistant_that_was_only_named_is_left_alone(hasty: Harness) -> None:
    org_id = await hasty.organization()
    marked = {"name": "Theirs", "metadata": {"zerotouch_installation": str(uuid4()), "agent_id": "somebody-else"}}
    made = (await hasty.vapi.api.post("/assistant", json=marked)).json()
    await hasty.owner.execute(
        "INSERT INTO agents (id, org_id, name, vapi_assistant_id) VALUES ('a', $1, 'A', $2)", org_id, made["id"]
    )
    await eventually(lambda: _refused(hasty))

    await hasty.delete("/api/agents/a", org_id)

    await hasty.removed()
    assert (await hasty.vapi.assistant(made["id"]))["name"] == "Theirs"


async def test_another_assistant_given_during_a_lost_creation_leaves_no_second_one(hasty: Harness) -> None:
    org_id = await hasty.organization()
    other = (await hasty.vapi.api.post("/assistant", json={"name": "Loose"})).json()["id"]
    await hasty.vapi.break_route("POST /assistant", {"kind": "reset", "commit": True}, times=1)
    await hasty.post("/api/agents", {"id": "a", "name": "A"}, org_id)

    answer = await hasty.patch(f"/api/agents/a?orgId={org_id}", {"vapiAssistantId": other})

    assert answer.status_code == 200, answer.text
    await hasty.removed()
    assert [item["id"] for item in await hasty.vapi.assistants()] == [other]


async def test_an_organization_goes_with_all_that_is_its(hasty: Harness) -> None:
    org_id, other = await hasty.organization(), await hasty.organization()
    for place in range(20):
        await hasty.agent(org_id, id=f"a{place}")
    kept = await hasty.agent(other, id="b")
    await hasty.owner.execute(
        "INSERT INTO tool_calls (org_id, call_id, tool_call_id, tool, code, failed, answer)"
        " VALUES ($1, 'c', 't', 'bookClinicAppointment', 'booked', false, 'done')",
        org_id,
    )
    await hasty.owner.execute(
        "INSERT INTO appointments (org_id, id, calendar, patient_name, patient_phone, service, starts_at, ends_at,"
        " call_id, tool_call_id) SELECT id, $2, calendar, 'P', '+49', 's', now(), now() + interval '1 h', 'c', 't'"
        " FROM organizations WHERE id = $1",
        org_id,
        uuid4(),
    )

    assert (await hasty.delete(f"/api/organizations/{org_id}", org_id)).status_code == 403
    assert (await hasty.delete(f"/api/organizations/{org_id}")).status_code == 204

    statement = "SELECT type FROM outbox WHERE org_id = $1 AND type NOT LIKE '%DisplayName%' ORDER BY id"
    kinds = [row["type"] for row in await hasty.owner.fetch(statement, org_id)]
    assert kinds[-21:] == ["zerotouch.AssistantDeleted.v1"] * 20 + ["zerotouch.OrganizationDeleted.v1"]
    await hasty.removed(within_seconds=20)
    assert [item["id"] for item in await hasty.vapi.assistants()] == [kept["assistantId"]]
    left = "SELECT (SELECT count(*) FROM appointments) + (SELECT count(*) FROM tool_calls)"
    assert await hasty.owner.fetchval(left) == 0
    assert [row["id"] for row in await hasty.owner.fetch("SELECT id FROM agents")] == ["b"]
    assert (await hasty.delete(f"/api/organizations/{org_id}")).status_code == 404


async def test_open_saves_of_a_deleted_organization_are_closed_and_stay_readable(hasty: Harness) -> None:
    org_id = await hasty.organization()
    await hasty.vapi.break_route("POST /assistant", {"kind": "status", "status": 503})
    await hasty.post("/api/agents", {"id": "a", "name": "A"}, org_id)

    assert (await hasty.delete(f"/api/organizations/{org_id}")).status_code == 204

    [save] = [item for item in (await hasty.get("/api/saves")).json()["saves"] if item["orgId"] == str(org_id)]
    assert save["state"] == "deleted"


async def test_a_save_whose_agent_is_deleted_in_the_middle_is_answered_404(harness: Harness) -> None:
    org_id = await harness.organization()
    await harness.vapi.dial(latency_ms=400)
    saving = asyncio.create_task(harness.post("/api/agents", {"id": "a", "name": "A"}, org_id))
    await eventually(lambda: _attempted(harness))
    await harness.delete("/api/agents/a", org_id)

    answer = await saving

    assert (answer.status_code, answer.json()["code"]) == (404, "TS-904"), answer.text
    assert await harness.saves("a") == [(1, "save", "deleted")]


async def _attempted(harness: Harness) -> bool:
    return bool(await harness.owner.fetchval("SELECT attempt_id IS NOT NULL FROM agents WHERE id = 'a'"))


async def _refused(harness: Harness) -> bool:
    return bool(await harness.owner.fetchval("SELECT refused_revision > 0 FROM agents WHERE id = 'a'"))
