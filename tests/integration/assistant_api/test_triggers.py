"""Whatever saves an assistant, it gets to Vapi and is announced once for each request."""

import json
from uuid import UUID, uuid4

import pytest
from tests.support.eventually import eventually

from assistant_api.prompt.lines import BEGIN
from zerotouch_contracts.canonical import model_hash
from zerotouch_contracts.events import AssistantSaved

from .harness import Harness


async def test_a_new_agent_is_at_vapi_when_the_answer_comes(harness: Harness) -> None:
    org_id = await harness.organization()

    answer = await harness.post(
        "/api/agents", {"id": "front-desk", "name": "Reception", "systemPrompt": "You greet callers."}, org_id
    )

    assert answer.status_code == 200
    body = answer.json()
    assert body["success"] is True
    assert (body["agentId"], body["state"]) == ("front-desk", "provisioned")
    assistant = await harness.vapi.assistant(body["assistantId"])
    assert assistant["name"] == "Reception"
    assert UUID(assistant["metadata"].pop("zerotouch_attempt"))
    assert assistant["metadata"] == {
        "zerotouch_installation": str(harness.service.settings.installation_id),
        "organization_id": str(org_id),
        "agent_id": "front-desk",
    }
    content = assistant["model"]["messages"][0]["content"]
    assert content.startswith("You greet callers.\n\n" + BEGIN)
    assert "Never say that an appointment is booked" in content
    [message] = await harness.outbox()
    saved = AssistantSaved.model_validate(message["body"])
    assert saved == AssistantSaved(
        org_id=org_id,
        request_id=UUID(body["requestId"]),
        agent_id="front-desk",
        assistant_id=body["assistantId"],
        revision=1,
        model_hash=model_hash(assistant["model"]),
        cause="save",
    )
    assert message["message_id"] == saved.request_id
    assert message["traceparent"].split("-")[1] == body["traceId"]


async def test_a_row_written_by_plain_sql_is_provisioned_and_announced(harness: Harness) -> None:
    org_id = await harness.owner.fetchval("INSERT INTO organizations (name) VALUES ('By hand') RETURNING id")

    await harness.owner.execute(
        "INSERT INTO agents (id, org_id, name, system_prompt, first_message, voice, model)"
        " VALUES ('by-sql', $1, 'Reception', 'Be kind.', 'Hello!', $2, $3)",
        org_id,
        {"provider": "11labs", "voiceId": "sarah"},
        {"provider": "anthropic", "model": "claude-3-5-sonnet-20241022"},
    )

    row = await harness.provisioned("by-sql", within_seconds=2)
    assistant = await harness.vapi.assistant(row["vapi_assistant_id"])
    assert assistant["firstMessage"] == "Hello!"
    assert assistant["model"]["provider"] == "anthropic"
    [message] = await harness.outbox()
    assert message["body"]["cause"] == "save"
    assert message["traceparent"]  # of the provisioning, as nobody else began a trace
    request = await harness.owner.fetchrow("SELECT request_id, traceparent FROM saves")
    assert request is not None
    assert tuple(request) == (message["message_id"], message["traceparent"])


@pytest.mark.parametrize(("account", "said"), [("platform", None), ("vapi-5a4d", "vapi-5a4d")])
async def test_a_save_names_the_account_where_it_is_the_clinics_own(
    harness: Harness, account: str, said: str | None
) -> None:
    org_id = await harness.owner.fetchval("INSERT INTO organizations (name) VALUES ('By hand') RETURNING id")
    async with harness.owner.transaction():  # what the provisioner writes, before it can see the row
        await harness.owner.execute(
            "INSERT INTO agents (id, org_id, name, system_prompt, first_message, voice, model, vapi_account,"
            " vapi_assistant_id) VALUES ('a', $1, 'Reception', 'Be kind.', 'Hello!', '{}', '{}', $2, 'assistant-1')",
            org_id,
            account,
        )
        await harness.owner.execute(
            "UPDATE agents SET provisioned_revision = saved_revision, model_hash = repeat('a', 64) WHERE org_id = $1",
            org_id,
        )
    [message] = await harness.outbox()
    assert AssistantSaved.model_validate(message["body"]).vapi_account == said
    assert ("vapi_account" in message["body"]) == (said is not None)


async def test_an_update_by_plain_sql_counts_only_if_it_changes_what_the_assistant_says(harness: Harness) -> None:
    org_id = await harness.organization()
    await harness.agent(org_id, id="a", firstMessage="Hello")

    await harness.owner.execute("UPDATE agents SET first_message = 'Hello' WHERE id = 'a'")
    assert (await harness.row("a"))["saved_revision"] == 1
    await harness.owner.execute("UPDATE agents SET first_message = 'Good day' WHERE id = 'a'")

    row = await harness.provisioned("a", within_seconds=2)
    assert row["provisioned_revision"] == 2
    assert (await harness.vapi.assistant(row["vapi_assistant_id"]))["firstMessage"] == "Good day"


async def test_a_sync_of_an_unchanged_agent_writes_nothing_and_is_announced(harness: Harness) -> None:
    org_id = await harness.organization()
    saved = await harness.agent(
        org_id, id="a", systemPrompt="Be kind.", voice={"provider": "vapi", "voiceId": "Elliot"}
    )
    writes = await harness.vapi.writes()

    answer = await harness.post("/api/assistants/sync", {"agentId": "a"}, org_id)

    assert answer.status_code == 200
    assert answer.json()["assistantId"] == saved["assistantId"]
    assert await harness.vapi.writes() == writes
    messages = await harness.outbox()
    assert [(m["body"]["revision"], m["body"]["cause"]) for m in messages] == [(1, "save"), (2, "sync")]
    assert messages[0]["body"]["model_hash"] == messages[1]["body"]["model_hash"]


async def test_sync_reads_its_body_as_json_with_curls_default_content_type(harness: Harness) -> None:
    org_id = await harness.organization()
    await harness.agent(org_id, id="test-agent-id")

    answer = await harness.http.post(
        "/api/assistants/sync",
        content=b'{"agentId": "test-agent-id"}',
        headers={**harness.bearer(), "Content-Type": "application/x-www-form-urlencoded"},
    )

    assert answer.status_code == 200, answer.text


async def test_auto_sync_of_one_agent_answers_like_a_sync(harness: Harness) -> None:
    org_id = await harness.organization()
    await harness.agent(org_id, id="a")

    answer = await harness.post("/api/assistants/auto-sync", {"agentId": "a"}, org_id)

    assert answer.status_code == 200
    assert await harness.saves("a") == [(1, "save", "saved"), (2, "auto_sync", "saved")]


async def test_auto_sync_of_all_asks_for_every_agent_of_the_organization_and_no_other(harness: Harness) -> None:
    org_id, other = await harness.organization(), await harness.organization()
    for place in range(5):
        await harness.agent(org_id, id=f"a{place}")
    await harness.agent(other, id="b")

    answer = await harness.http.post("/api/assistants/auto-sync", headers=harness.bearer(org_id))  # without a body

    assert answer.status_code == 202
    assert answer.json()["requested"] == 5
    for place in range(5):
        assert (await harness.provisioned(f"a{place}"))["provisioned_revision"] == 2
    assert (await harness.row("b"))["saved_revision"] == 1


async def test_auto_sync_of_all_needs_an_organization_from_the_platform(harness: Harness) -> None:
    org_id = await harness.organization()
    await harness.agent(org_id, id="a")

    assert (await harness.post("/api/assistants/auto-sync", {})).status_code == 422
    answer = await harness.post("/api/assistants/auto-sync", {"orgId": str(org_id)})
    assert (answer.status_code, answer.json()["requested"]) == (202, 1)


async def test_saves_while_vapi_works_are_all_announced_with_the_revision_that_won(harness: Harness) -> None:
    org_id = await harness.organization()
    await harness.agent(org_id, id="a")
    await harness.vapi.dial(latency_ms=150)
    for number in range(5):
        await harness.owner.execute("UPDATE agents SET first_message = $1 WHERE id = 'a'", f"Hello {number}")

    row = await harness.provisioned("a")

    assert (await harness.vapi.assistant(row["vapi_assistant_id"]))["firstMessage"] == "Hello 4"
    messages = await harness.outbox()
    assert len(messages) == 6
    assert len({message["message_id"] for message in messages}) == 6
    assert messages[-1]["body"]["revision"] == 6
    revisions = [message["body"]["revision"] for message in messages]
    assert revisions == sorted(revisions)


async def test_an_organization_is_announced_when_it_is_made_and_when_its_tier_changes(harness: Harness) -> None:
    org_id = await harness.organization("Tooth & Co")
    await harness.owner.execute("UPDATE organizations SET tier = 'professional' WHERE id = $1", org_id)
    await harness.owner.execute("UPDATE organizations SET tier = 'professional' WHERE id = $1", org_id)

    messages = [message["body"] for message in await harness.outbox("OrganizationSaved")]

    assert messages == [
        {"org_id": str(org_id), "revision": 1, "name": str(org_id), "tier": "basic", "time_zone": "UTC"},
        {"org_id": str(org_id), "revision": 2, "name": str(org_id), "tier": "professional", "time_zone": "UTC"},
    ]


async def test_deleting_an_organization_announces_its_assistants_first(harness: Harness) -> None:
    org_id = await harness.organization()
    await harness.agent(org_id, id="a")

    await harness.owner.execute("DELETE FROM organizations WHERE id = $1", org_id)

    statement = "SELECT type FROM outbox WHERE type NOT LIKE '%DisplayName%' ORDER BY id"
    kinds = [row["type"] for row in await harness.owner.fetch(statement)]
    assert kinds[-2:] == ["zerotouch.AssistantDeleted.v1", "zerotouch.OrganizationDeleted.v1"]


async def test_everything_the_row_does_not_own_survives_a_save(harness: Harness) -> None:
    org_id = await harness.organization()
    foreign = {
        "name": "Old name",
        "firstMessage": "From the dashboard",
        "maxDurationSeconds": 333,
        "metadata": {"note": "kept", "organization_id": str(org_id), "agent_id": "adopted"},
        "model": {
            "provider": "openai",
            "model": "gpt-4o",
            "temperature": 0.25,
            "toolIds": [str(uuid4())],
            "messages": [{"role": "system", "content": "Clinic's own words."}, {"role": "user", "content": "Hi"}],
        },
    }
    answer = await harness.vapi.api.post("/assistant", json=foreign)
    assert answer.status_code == 201, answer.text
    made = answer.json()

    saved = await harness.agent(org_id, id="adopted", name="New name", vapiAssistantId=made["id"])

    assert saved["assistantId"] == made["id"]
    now = await harness.vapi.assistant(made["id"])
    content = now["model"]["messages"][0]["content"]
    assert content.startswith("Clinic's own words.\n\n" + BEGIN)
    expected = json.loads(json.dumps(made))
    expected["name"] = "New name"
    expected["model"]["messages"][0]["content"] = content
    expected["metadata"]["zerotouch_installation"] = str(harness.service.settings.installation_id)
    for volatile in ("updatedAt", "latestVersion"):
        expected.pop(volatile, None)
        now.pop(volatile, None)
    assert now == expected


async def test_bulk_work_does_not_hold_up_a_save(harness: Harness) -> None:
    org_id = await harness.organization()
    await harness.owner.execute(
        "INSERT INTO agents (id, org_id, name) SELECT 'bulk-' || i, $1, 'Bulk' FROM generate_series(1, 400) i", org_id
    )

    async def done() -> bool:
        return bool(await harness.owner.fetchval("SELECT bool_and(provisioned_revision = saved_revision) FROM agents"))

    await eventually(done, within_seconds=30)
    await harness.vapi.dial(latency_ms=300)
    answer = await harness.post("/api/assistants/auto-sync", {}, org_id)
    assert answer.json()["requested"] == 400

    saved = await harness.agent(org_id, id="urgent")

    assert saved["state"] == "provisioned"
    waiting = await harness.owner.fetchval("SELECT count(*) FROM agents WHERE bulk AND provisioned_revision = 1")
    assert waiting > 0
    await harness.vapi.dial()
    await eventually(done, within_seconds=30)
