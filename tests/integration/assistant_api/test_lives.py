"""An agent or an organization that is deleted and made again under its id starts anew."""

from uuid import UUID, uuid4

from zerotouch_contracts.events import ToolsSynced

from .harness import Harness
from .outcomes import hear


async def test_revisions_of_a_new_life_are_above_those_of_the_old(harness: Harness) -> None:
    org_id = await harness.organization()
    await harness.agent(org_id, id="a")
    for _ in range(3):
        await harness.post("/api/assistants/sync", {"agentId": "a"}, org_id)

    await harness.delete("/api/agents/a", org_id)
    await harness.agent(org_id, id="a")

    assert (await harness.row("a"))["provisioned_revision"] == 5
    [deleted] = await harness.outbox("AssistantDeleted")
    assert deleted["body"]["revision"] == 4
    assert (await harness.outbox())[-1]["body"]["revision"] == 5


async def test_an_agent_by_plain_sql_starts_above_the_old_life_whatever_the_statement_says(harness: Harness) -> None:
    org_id, other = await harness.organization(), await harness.organization()
    await harness.agent(org_id, id="a")
    await harness.owner.execute("DELETE FROM agents")

    await harness.owner.execute(
        "INSERT INTO agents (org_id, id, name, saved_revision) VALUES ($1, 'a', 'A', 1), ($2, 'a', 'A', 1)",
        org_id,
        other,
    )

    rows = await harness.owner.fetch("SELECT org_id, saved_revision FROM agents")
    assert {row["org_id"]: row["saved_revision"] for row in rows} == {org_id: 2, other: 1}


async def test_an_organization_made_again_forgets_its_agents_and_counts_on(harness: Harness) -> None:
    org_id = await harness.organization()
    await harness.owner.execute("UPDATE organizations SET tier = 'professional'")
    await harness.agent(org_id, id="a")
    await harness.delete(f"/api/organizations/{org_id}")

    answer = await harness.post("/api/organizations", {"id": str(org_id), "name": "Again"})
    await harness.agent(org_id, id="a")

    assert answer.json()["revision"] == 3
    assert [message["body"]["revision"] for message in await harness.outbox("OrganizationSaved")] == [1, 2, 3]
    assert (await harness.row("a"))["provisioned_revision"] == 2


async def test_a_late_outcome_of_the_old_life_is_not_shown_even_of_the_same_assistant(harness: Harness) -> None:
    org_id = await harness.organization()
    loose = (await harness.vapi.api.post("/assistant", json={"name": "Loose"})).json()["id"]
    body = {"id": "a", "name": "A", "orgId": str(org_id), "vapiAssistantId": loose}
    await harness.post("/api/agents", body)
    await harness.owner.execute("DELETE FROM agents")
    await harness.post("/api/agents", body)
    row = await harness.provisioned("a")

    await _hear(harness, org_id, loose, revision=1)

    assert row["provisioned_revision"] == 2
    assert (await harness.get("/api/assistants/a/status", org_id)).json()["state"] == "syncing"
    await _hear(harness, org_id, loose, revision=2, sequence=2)
    assert (await harness.get("/api/assistants/a/status", org_id)).json()["state"] == "no_tools"


async def test_heals_of_the_old_life_are_not_counted_against_the_new(harness: Harness) -> None:
    org_id = await harness.organization()
    await harness.agent(org_id, id="a")
    for revision in (1, 2, 3):
        assert await _heal(harness, org_id, revision) == "healed"
        await harness.provisioned("a")
    assert await _heal(harness, org_id, 4) == "exhausted"

    await harness.delete("/api/agents/a", org_id)
    await harness.agent(org_id, id="a")

    assert await _heal(harness, org_id, 5) == "healed"


async def _heal(harness: Harness, org_id: UUID, revision: int) -> str:
    return str(await harness.owner.fetchval("SELECT heal($1, 'a', $2, $3, NULL, 3)", org_id, revision, uuid4()))


async def _hear(harness: Harness, org_id: UUID, assistant_id: str, *, revision: int, sequence: int = 1) -> None:
    message = ToolsSynced(
        org_id=org_id,
        sequence=sequence,
        agent_id="a",
        assistant_id=assistant_id,
        revision=revision,
        request_id=uuid4(),
        tools=(),
        cause="save",
    )
    await hear(harness, message)
