"""Vapi refuses, is away, loses answers: nothing is lost, nothing is done twice."""

import asyncio
from typing import Any
from uuid import uuid4

import asyncpg
import pytest
from tests.support.eventually import eventually

from .harness import Harness


async def test_a_refused_save_says_why_and_closes_its_request(harness: Harness) -> None:
    org_id = await harness.organization()

    answer = await harness.post(
        "/api/agents", {"id": "a", "name": "A", "model": {"provider": "no-such-provider", "model": "x"}}, org_id
    )

    assert answer.status_code == 422
    problem = answer.json()
    assert (problem["code"], problem["state"], problem["success"]) == ("TS-302", "refused", False)
    assert any("model.provider" in reason for reason in problem["reasons"])
    assert await harness.saves("a") == [(1, "save", "refused")]
    assert await harness.outbox() == []
    status = (await harness.get("/api/assistants/a/status", org_id)).json()
    assert (status["state"], status["code"], status["success"]) == ("refused", "TS-302", False)


async def test_a_refused_agent_that_is_corrected_is_provisioned_and_only_the_correction_is_announced(
    harness: Harness,
) -> None:
    org_id = await harness.organization()
    await harness.post("/api/agents", {"id": "a", "name": "A", "model": {"provider": "nope", "model": "x"}}, org_id)

    answer = await harness.patch("/api/agents/a", {"model": {"provider": "openai", "model": "gpt-4o"}}, org_id)

    assert answer.status_code == 200
    assert await harness.saves("a") == [(1, "save", "refused"), (2, "save", "saved")]
    assert [message["body"]["revision"] for message in await harness.outbox()] == [2]


async def test_a_refused_row_is_left_alone_until_it_is_saved_again(hasty: Harness) -> None:
    org_id = await hasty.organization()
    await hasty.post("/api/agents", {"id": "a", "name": "A", "model": {"provider": "nope", "model": "x"}}, org_id)
    await eventually(lambda: _state_is(hasty, "a", "refused"))
    before = len(await hasty.vapi.requests())

    assert await hasty.service.provisioner.run_once() == 0
    assert len(await hasty.vapi.requests()) == before


async def test_a_save_while_vapi_is_down_is_accepted_and_provisioned_later(hasty: Harness) -> None:
    org_id = await hasty.organization()
    await hasty.vapi.break_route("POST /assistant", {"kind": "status", "status": 429, "retry_after": 1})

    answer = await hasty.post("/api/agents", {"id": "a", "name": "A"}, org_id)

    assert answer.status_code == 202
    assert (answer.json()["assistantId"], answer.json()["state"]) == (None, "provisioning")
    status = (await hasty.get("/api/assistants/a/status", org_id)).json()
    assert (status["state"], status["code"]) == ("provisioning", "TS-103")
    await hasty.vapi.dial()
    await hasty.provisioned("a")
    assert len(await hasty.vapi.assistants()) == 1
    assert len(await hasty.outbox()) == 1


async def test_the_clients_wait_ends_but_not_the_call(hasty: Harness) -> None:
    org_id = await hasty.organization()
    await hasty.vapi.dial(latency_ms=450)  # past the wait of 0.3 s, within the deadline of 0.6 s

    answer = await hasty.post("/api/agents", {"id": "a", "name": "A"}, org_id)

    assert answer.status_code == 202
    await hasty.provisioned("a", within_seconds=0.9)
    assert await hasty.vapi.writes() == ["POST /assistant"]


async def test_a_creation_whose_answer_was_lost_is_found_by_its_metadata(hasty: Harness) -> None:
    org_id = await hasty.organization()
    await hasty.vapi.break_route("POST /assistant", {"kind": "reset", "commit": True}, times=1)

    answer = await hasty.post("/api/agents", {"id": "a", "name": "A"}, org_id)

    assert answer.status_code == 202
    [made] = await hasty.vapi.assistants()
    row = await hasty.provisioned("a")
    assert row["vapi_assistant_id"] == made["id"]
    assert await hasty.vapi.writes() == ["POST /assistant"]
    assert len(await hasty.outbox()) == 1


async def test_a_creation_that_never_happened_is_made_again_after_the_settle_time(hasty: Harness) -> None:
    org_id = await hasty.organization()
    await hasty.vapi.break_route("POST /assistant", {"kind": "reset", "commit": False}, times=1)

    await hasty.post("/api/agents", {"id": "a", "name": "A"}, org_id)

    await hasty.provisioned("a")
    assert len(await hasty.vapi.assistants()) == 1
    first, second = [entry for entry in await hasty.vapi.requests("POST") if entry["path"] == "/assistant"]
    assert second["monotonic_seconds"] - first["monotonic_seconds"] >= 1


@pytest.mark.parametrize(
    "action",
    [
        {"kind": "status", "status": 502, "body": "html", "commit": True},
        {"kind": "status", "status": 408, "commit": True},
        {"kind": "status", "status": 307, "commit": True},
        {"kind": "reset", "commit": True, "close": "fin"},
        {"kind": "hang", "commit": True, "hold_ms": 5000},
        {"kind": "mangle", "form": "truncated"},
        {"kind": "mangle", "form": "no_id"},
        {"kind": "late", "delay_ms": 300},
    ],
    ids=lambda action: "-".join(str(value) for value in action.values()),
)
async def test_an_unreadable_answer_to_a_creation_makes_no_second_assistant(
    hasty: Harness, action: dict[str, Any]
) -> None:
    org_id = await hasty.organization()
    await hasty.vapi.break_route("POST /assistant", action, times=1)

    await hasty.post("/api/agents", {"id": "a", "name": "A"}, org_id)

    row = await hasty.provisioned("a")
    assert [item["id"] for item in await hasty.vapi.assistants()] == [row["vapi_assistant_id"]]


async def test_a_change_whose_answer_was_lost_is_looked_up_and_not_written_again(hasty: Harness) -> None:
    org_id = await hasty.organization()
    await hasty.agent(org_id, id="a", firstMessage="One")
    await hasty.vapi.break_route("PATCH /assistant/{id}", {"kind": "reset", "commit": True}, times=1)

    answer = await hasty.patch("/api/agents/a", {"firstMessage": "Two"}, org_id)

    assert answer.status_code == 202
    row = await hasty.provisioned("a")
    writes = await hasty.vapi.writes()
    assert [write.split()[0] for write in writes] == ["POST", "PATCH"]
    assert (await hasty.vapi.assistant(row["vapi_assistant_id"]))["firstMessage"] == "Two"
    assert [message["body"]["revision"] for message in await hasty.outbox()] == [1, 2]


async def test_a_save_whose_assistant_grew_too_large_to_be_read_is_refused_with_that_code(hasty: Harness) -> None:
    org_id = await hasty.organization()
    saved = await hasty.agent(org_id, id="a")
    model = (await hasty.vapi.assistant(saved["assistantId"]))["model"]
    model["messages"] = [*model.get("messages", []), {"role": "user", "content": "x" * 5_000_000}]
    patched = await hasty.vapi.api.patch(f"/assistant/{saved['assistantId']}", json={"model": model})
    patched.raise_for_status()

    answer = await hasty.patch("/api/agents/a", {"firstMessage": "Two"}, org_id)

    assert (answer.status_code, answer.json()["code"]) == (422, "TS-314")


async def test_an_assistant_deleted_at_vapi_is_made_anew(harness: Harness) -> None:
    org_id = await harness.organization()
    saved = await harness.agent(org_id, id="a")
    (await harness.vapi.api.delete(f"/assistant/{saved['assistantId']}")).raise_for_status()

    answer = await harness.post("/api/assistants/sync", {"agentId": "a"}, org_id)

    assert answer.status_code == 200
    assert answer.json()["assistantId"] != saved["assistantId"]
    assert [item["id"] for item in await harness.vapi.assistants()] == [answer.json()["assistantId"]]


async def test_tool_ids_that_were_linked_meanwhile_survive_a_save(harness: Harness) -> None:
    org_id = await harness.organization()
    saved = await harness.agent(org_id, id="a")
    assistant = await harness.vapi.assistant(saved["assistantId"])
    tool_id = str(uuid4())
    linked = {"model": {**assistant["model"], "toolIds": [tool_id]}}
    (await harness.vapi.api.patch(f"/assistant/{saved['assistantId']}", json=linked)).raise_for_status()

    await harness.patch("/api/agents/a", {"systemPrompt": "Speak slowly."}, org_id)

    assert (await harness.vapi.assistant(saved["assistantId"]))["model"]["toolIds"] == [tool_id]
    hashes = {message["body"]["model_hash"] for message in await harness.outbox()}
    assert len(hashes) == 2  # of the prompt, not of the link


async def test_an_agent_under_lease_is_not_taken_by_another_process(hasty: Harness) -> None:
    org_id = await hasty.organization()
    hasty.service.loops["provisioner"].stop()
    await hasty.service.provisioner.finish(1)
    await hasty.owner.execute("INSERT INTO agents (id, org_id, name) VALUES ('a', $1, 'A')", org_id)
    await hasty.owner.execute("UPDATE agents SET lease_token = gen_random_uuid(), lease_until = now() + interval '1 h'")

    assert await hasty.service.provisioner.run_once() == 0
    await hasty.owner.execute("UPDATE agents SET lease_until = now() - interval '1 s'")
    assert await hasty.service.provisioner.run_once() == 1
    await hasty.service.provisioner.drain()
    await hasty.provisioned("a")


async def test_an_answer_that_comes_after_its_attempt_was_replaced_is_not_stored(hasty: Harness) -> None:
    org_id = await hasty.organization()
    await hasty.vapi.dial(latency_ms=300)
    await hasty.owner.execute("INSERT INTO agents (id, org_id, name) VALUES ('a', $1, 'A')", org_id)

    async def begun() -> bool:
        return bool(await hasty.owner.fetchval("SELECT attempt_id IS NOT NULL FROM agents"))

    await eventually(begun)
    replaced = await hasty.owner.fetchval(
        "UPDATE agents SET attempt_id = gen_random_uuid(), lease_token = gen_random_uuid() RETURNING attempt_id"
    )
    await hasty.service.provisioner.drain()

    row = await hasty.row("a")
    assert (row["provisioned_revision"], row["vapi_assistant_id"], row["attempt_id"]) == (0, None, replaced)


async def test_many_agents_are_provisioned_side_by_side(harness: Harness) -> None:
    org_id = await harness.organization()
    await harness.vapi.dial(latency_ms=200)
    loop = asyncio.get_running_loop()
    started = loop.time()
    await harness.owner.execute(
        "INSERT INTO agents (id, org_id, name) SELECT 'a' || i, $1, 'A' FROM generate_series(1, 150) i", org_id
    )

    async def done() -> bool:
        return bool(await harness.owner.fetchval("SELECT bool_and(provisioned_revision = 1) FROM agents"))

    await eventually(done, within_seconds=15)
    assert loop.time() - started < 10  # one after another they would take 30 s
    assert len(await harness.vapi.assistants()) == 100  # a page; each was made once:
    assert await harness.owner.fetchval("SELECT count(DISTINCT vapi_assistant_id) FROM agents") == 150
    assert len([entry for entry in await harness.vapi.requests("POST") if entry["executed"]]) == 150


async def test_a_given_assistant_must_exist_and_be_nobody_elses(harness: Harness) -> None:
    org_id, other = await harness.organization(), await harness.organization()
    foreign = (await harness.agent(other, id="theirs"))["assistantId"]
    unmarked = (await harness.vapi.api.post("/assistant", json={"name": "Loose"})).json()["id"]

    async def take(assistant_id: str, as_org: bool) -> Any:
        body = {"name": "A", "vapiAssistantId": assistant_id, "orgId": str(org_id)}
        return await harness.post("/api/agents", body, org_id if as_org else None)

    refusals = [
        await take(foreign, as_org=True),
        await take(foreign, as_org=False),
        await take(str(uuid4()), as_org=True),
        await take(unmarked, as_org=True),
    ]
    assert [answer.status_code for answer in refusals] == [422] * 4
    texts = {answer.json()["code"] + answer.json()["detail"] for answer in refusals}
    assert len(texts) == 1  # which of the reasons it was stays unsaid
    assert (await take(unmarked, as_org=False)).status_code == 200
    assert (await take(unmarked, as_org=False)).status_code == 422  # one assistant, one agent


async def test_a_row_that_names_another_agents_assistant_by_sql_is_refused(harness: Harness) -> None:
    org_id = await harness.organization()
    marked = {"name": "Theirs", "metadata": {"zerotouch_installation": str(uuid4()), "agent_id": "somebody-else"}}
    made = (await harness.vapi.api.post("/assistant", json=marked)).json()

    await harness.owner.execute(
        "INSERT INTO agents (id, org_id, name, vapi_assistant_id) VALUES ('a', $1, 'A', $2)", org_id, made["id"]
    )

    await eventually(lambda: _state_is(harness, "a", "refused"))
    assert (await harness.vapi.assistant(made["id"]))["name"] == "Theirs"


async def test_the_database_refuses_two_agents_with_one_assistant(harness: Harness) -> None:
    org_id = await harness.organization()
    saved = await harness.agent(org_id, id="a")

    with pytest.raises(asyncpg.UniqueViolationError):
        await harness.owner.execute(
            "INSERT INTO agents (id, org_id, name, vapi_assistant_id) VALUES ('b', $1, 'B', $2)",
            org_id,
            saved["assistantId"],
        )


async def _state_is(harness: Harness, agent_id: str, state: str) -> bool:
    answer = await harness.get(f"/api/assistants/{agent_id}/status")
    return bool(answer.json()["state"] == state)
