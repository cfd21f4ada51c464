"""A database that was set back: no agent gets a second assistant, and no revision is used a second time."""

from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import httpx
import pytest
import pytest_asyncio
from tests.support.eventually import eventually
from tests.support.unfolded import unfolded

from assistant_api.restore.begin import Begun, ServiceRuns, begin_again
from assistant_api.restore.marked import VapiNotListed, list_assistants
from assistant_api.settings import Settings
from devstack.databases import DatabaseUrls
from devstack.fixtures import TestKafka
from devstack.sandbox import Sandbox

from .harness import Harness, Vapi, make_settings, own_topics, running, service_whatever_it_says, whole_service
from .processes import environment_of, start

Admin = Any


@pytest_asyncio.fixture(loop_scope="session")
async def admin(assistant_api_db: DatabaseUrls) -> AsyncIterator[Admin]:
    """Sets the rows back as a restore does: no trigger sees it."""
    connection = await asyncpg.connect(assistant_api_db.admin)
    await connection.execute("SET session_replication_role = replica")
    yield connection
    await connection.close()


@pytest.fixture
def settings(assistant_api_db: DatabaseUrls, sandbox: Sandbox) -> Settings:
    """Without Kafka, and of one installation."""
    return make_settings(assistant_api_db, sandbox)


async def begun(urls: DatabaseUrls, settings: Settings) -> Begun:
    """What `assistant-api restore` does."""
    owner = await asyncpg.connect(urls.owner, server_settings={"application_name": "zerotouch cli"})
    try:
        key = settings.vapi_api_key.get_secret_value
        at_vapi = await list_assistants(settings.vapi_base_url, key, settings.installation_id)
        return await begin_again(owner, settings.vapi_account, settings.installation_id, at_vapi)
    finally:
        await owner.close()


GONE_AGENT = "DELETE FROM agents WHERE id = $1"
NOT_STORED_YET = """
UPDATE agents SET vapi_assistant_id = NULL, vapi_seen = false, vapi_made = false, saved_revision = 1,
       provisioned_revision = 0, model_hash = NULL, provisioner_writes = 0 WHERE id = $1
"""


async def test_an_agent_that_was_made_after_the_backup_and_is_made_again_has_the_same_assistant(
    settings: Settings, assistant_api_db: DatabaseUrls, vapi: Vapi, admin: Admin
) -> None:
    async with running(settings, assistant_api_db, vapi) as harness:
        org_id = await harness.organization()
        first = await harness.agent(org_id, id="a")
    await admin.execute(GONE_AGENT, "a")
    found = await begun(assistant_api_db, settings)
    assert [(pair.agent_id, pair.assistant_id) for pair in found.orphans] == [("a", first["assistantId"])]

    async with running(settings, assistant_api_db, vapi) as harness:
        second = await harness.agent(org_id, id="a", firstMessage="Here again.")
        assert second["assistantId"] == first["assistantId"]
        (assistant,) = await vapi.assistants()
        assert assistant["firstMessage"] == "Here again."
        assert (await harness.row("a"))["vapi_made"] is True
        other = await harness.agent(org_id, id="b")
        assert other["assistantId"] != first["assistantId"]


async def test_an_agent_whose_assistant_was_stored_after_the_backup_has_it_again_by_itself(
    settings: Settings, assistant_api_db: DatabaseUrls, vapi: Vapi, admin: Admin
) -> None:
    async with running(settings, assistant_api_db, vapi) as harness:
        first = await harness.agent(await harness.organization(), id="a")
    await admin.execute(NOT_STORED_YET, "a")
    assert (await begun(assistant_api_db, settings)).orphans == ()

    async with running(settings, assistant_api_db, vapi) as harness:
        assert (await harness.provisioned("a"))["vapi_assistant_id"] == first["assistantId"]
        assert len(await vapi.assistants()) == 1


async def test_a_revision_is_above_all_that_were_published(
    settings: Settings, assistant_api_db: DatabaseUrls, vapi: Vapi, admin: Admin
) -> None:
    async with running(settings, assistant_api_db, vapi) as harness:
        org_id = await harness.organization()
        await harness.agent(org_id, id="a")
        for _ in range(3):
            await harness.post("/api/assistants/sync", {"agentId": "a"}, org_id)
        published = (await harness.provisioned("a"))["provisioned_revision"]
    await admin.execute("UPDATE agents SET saved_revision = 1, provisioned_revision = 1")
    await admin.execute("DELETE FROM saves")
    await admin.execute("DELETE FROM outbox")
    assert (await begun(assistant_api_db, settings)).saved_again == 1

    async with running(settings, assistant_api_db, vapi) as harness:
        lifted = await harness.provisioned("a")
        assert lifted["provisioned_revision"] > published
        (message,) = await harness.outbox()
        assert message["body"]["revision"] == lifted["provisioned_revision"]
        assert message["body"]["cause"] == "auto_sync"
        made_anew = await harness.agent(org_id, id="b")
        assert (await harness.row("b"))["saved_revision"] > published
        assert made_anew["success"]
        assert len(await vapi.assistants()) == 2


async def test_a_later_restore_begins_above_an_earlier_one(
    settings: Settings, assistant_api_db: DatabaseUrls, vapi: Vapi, admin: Admin
) -> None:
    async with running(settings, assistant_api_db, vapi) as harness:
        org_id = await harness.organization()
        await harness.agent(org_id, id="a")
    first = await begun(assistant_api_db, settings)
    async with running(settings, assistant_api_db, vapi) as harness:
        published = (await harness.provisioned("a"))["provisioned_revision"]
    # The same backup once more: it knows nothing of the restore before.
    await admin.execute("UPDATE agents SET saved_revision = 1, provisioned_revision = 1")
    await admin.execute("UPDATE installation SET revision_floor = 0")
    await admin.execute("SELECT pg_sleep(2)")
    second = await begun(assistant_api_db, settings)
    assert second.log_id != first.log_id
    async with running(settings, assistant_api_db, vapi) as harness:
        assert (await harness.provisioned("a"))["provisioned_revision"] > published


async def test_an_assistant_that_was_adopted_after_the_backup_is_taken_up_again(
    settings: Settings, assistant_api_db: DatabaseUrls, vapi: Vapi, admin: Admin
) -> None:
    """However old it is: it is found by the mark that the adoption gave it."""
    body = {"name": "Hand-made", "model": {"provider": "openai", "model": "gpt-4o"}}
    hand_made = (await vapi.api.post("/assistant", json=body)).json()["id"]
    async with running(settings, assistant_api_db, vapi) as harness:
        org_id = await harness.organization()
        answer = await harness.post(
            "/api/agents", {"id": "a", "name": "A", "orgId": str(org_id), "vapiAssistantId": hand_made}
        )
        assert answer.status_code == 200, answer.text
    await admin.execute(GONE_AGENT, "a")
    await begun(assistant_api_db, settings)

    async with running(settings, assistant_api_db, vapi) as harness:
        assert (await harness.agent(org_id, id="a"))["assistantId"] == hand_made
        assert (await harness.row("a"))["vapi_made"] is False, "it is released, not deleted, when the agent goes"
        assert len(await vapi.assistants()) == 1


async def test_an_agent_that_was_deleted_after_the_backup_is_named_and_not_made_anew(
    settings: Settings, assistant_api_db: DatabaseUrls, vapi: Vapi
) -> None:
    async with running(settings, assistant_api_db, vapi) as harness:
        org_id = await harness.organization()
        first = await harness.agent(org_id, id="a")
        await vapi.api.delete(f"/assistant/{first['assistantId']}")
        kept = await harness.agent(org_id, id="b")
    found = await begun(assistant_api_db, settings)
    assert [(pair.agent_id, pair.assistant_id) for pair in found.gone] == [("a", first["assistantId"])]
    assert found.saved_again == 1

    async with running(settings, assistant_api_db, vapi) as harness:
        await harness.provisioned("b")
        assert [item["id"] for item in await vapi.assistants()] == [kept["assistantId"]]
        again = await harness.post("/api/assistants/sync", {"agentId": "a"}, org_id)  # somebody wants it after all
        assert again.json()["state"] == "provisioned"
        assert len(await vapi.assistants()) == 2


async def test_a_lost_assistant_that_is_gone_or_somebody_elses_by_now_is_not_taken_up(
    settings: Settings, assistant_api_db: DatabaseUrls, vapi: Vapi, admin: Admin
) -> None:
    async with running(settings, assistant_api_db, vapi) as harness:
        org_id = await harness.organization()
        gone, taken = await harness.agent(org_id, id="a"), await harness.agent(org_id, id="b")
    await admin.execute("DELETE FROM agents")
    await begun(assistant_api_db, settings)
    await vapi.api.delete(f"/assistant/{gone['assistantId']}")
    await vapi.api.patch(f"/assistant/{taken['assistantId']}", json={"metadata": {}})

    async with running(settings, assistant_api_db, vapi) as harness:
        for agent in ("a", "b"):
            made = await harness.agent(org_id, id=agent)
            assert made["assistantId"] not in {gone["assistantId"], taken["assistantId"]}
        assert len(await vapi.assistants()) == 3


async def test_while_vapi_does_not_show_a_lost_assistant_none_is_made(
    settings: Settings, assistant_api_db: DatabaseUrls, vapi: Vapi, admin: Admin
) -> None:
    async with running(settings, assistant_api_db, vapi) as harness:
        org_id = await harness.organization()
        first = await harness.agent(org_id, id="a")
    await admin.execute(GONE_AGENT, "a")
    await begun(assistant_api_db, settings)
    await vapi.break_route("GET /assistant/{id}", {"kind": "status", "status": 503}, times=4)
    async with running(settings, assistant_api_db, vapi) as harness:
        await harness.post("/api/agents", {"id": "a", "name": "A"}, org_id)
        row = await harness.provisioned("a", within_seconds=30)
        assert row["vapi_assistant_id"] == first["assistantId"]
        assert len(await vapi.assistants()) == 1


async def test_assistants_of_other_installations_are_nobodys_here(
    settings: Settings, assistant_api_db: DatabaseUrls, vapi: Vapi
) -> None:
    org_id = uuid4()
    metadata = {"zerotouch_installation": str(uuid4()), "organization_id": str(org_id), "agent_id": "a"}
    await vapi.api.post("/assistant", json={"name": "x", "metadata": metadata})
    assert (await begun(assistant_api_db, settings)).orphans == ()


async def test_nothing_begins_while_the_service_runs_or_vapi_is_away(
    settings: Settings, assistant_api_db: DatabaseUrls, vapi: Vapi
) -> None:
    async with running(settings, assistant_api_db, vapi) as harness:
        await harness.agent(await harness.organization(), id="a")
        with pytest.raises(ServiceRuns, match="stop it"):
            await begun(assistant_api_db, settings)
        assert (await harness.row("a"))["saved_revision"] == 1
    await vapi.break_route("GET /assistant", {"kind": "status", "status": 503}, times=1)
    with pytest.raises(VapiNotListed, match="503"):
        await begun(assistant_api_db, settings)
    with pytest.raises(VapiNotListed, match="does not answer"):
        await list_assistants("http://127.0.0.1:9", lambda: "key", settings.installation_id)


async def test_the_command_says_what_needs_a_person(
    settings: Settings, assistant_api_db: DatabaseUrls, sandbox: Sandbox, vapi: Vapi, admin: Admin
) -> None:
    async with running(settings, assistant_api_db, vapi) as harness:
        org_id = await harness.organization()
        lost, gone = await harness.agent(org_id, id="lost"), await harness.agent(org_id, id="gone")
    await admin.execute(GONE_AGENT, "lost")
    await vapi.api.delete(f"/assistant/{gone['assistantId']}")
    environment = environment_of(
        assistant_api_db,
        sandbox,
        MIGRATE_DATABASE_URL=assistant_api_db.owner,
        INSTALLATION_ID=str(settings.installation_id),
        SETTLE_SECONDS="0.1",
    )
    unanswered = await start(environment, "restore", "--reason", "a test")
    await unanswered.communicate()
    assert unanswered.returncode == 1
    foreign = await start({**environment, "INSTALLATION_ID": str(uuid4())}, "restore", "--yes", "--reason", "a test")
    assert "nothing was changed: the database belongs to" in (await foreign.communicate())[0].decode()

    process = await start(environment, "restore", "--yes", "--reason", "a test")
    said = unfolded((await process.communicate())[0].decode())
    assert process.returncode == 0, said
    assert f" organization {org_id} agent lost assistant {lost['assistantId']}" in said
    assert f" organization {org_id} agent gone assistant {gone['assistantId']}" in said
    assert "0 agent(s) will be brought to Vapi again" in said
    logged = await admin.fetchrow("SELECT * FROM access_log WHERE role = 'operator'")
    assert logged is not None
    assert (logged["action"], logged["result"], logged["reason"]) == ("installation.restore", "done", "a test")


async def _with_kafka(settings: Settings, kafka: TestKafka) -> Settings:
    return Settings(
        **{
            **settings.model_dump(),
            "kafka_bootstrap_servers": kafka.bootstrap_servers,
            **await own_topics(kafka),
            "consumer_group": f"group-{uuid4()}",
            "answer_wait_seconds": 0.5,
        }
    )


async def _sent(harness: Harness) -> None:
    async def empty() -> bool:
        return bool(await harness.owner.fetchval("SELECT count(*) = 0 FROM outbox"))

    await eventually(empty)


def _problem(answer: httpx.Response) -> str:
    return str(answer.json())


SET_BACK: dict[str, str] = {
    "an agent is not there": "DELETE FROM agents",
    "a revision is lower": "UPDATE agents SET saved_revision = 1, provisioned_revision = 1",
    "an organization is not there": "DELETE FROM agents; DELETE FROM organizations WHERE name = 'Clinic'",
}


@pytest.mark.parametrize("statement", SET_BACK.values(), ids=SET_BACK.keys())
async def test_behind_its_topic_it_stores_saves_and_does_nothing_else_until_it_began_again(
    settings: Settings,
    assistant_api_db: DatabaseUrls,
    vapi: Vapi,
    admin: Admin,
    kafka: TestKafka,
    statement: str,
) -> None:
    settings = await _with_kafka(settings, kafka)
    async with whole_service(settings, assistant_api_db, vapi) as harness:
        org_id, other = await harness.organization(), await harness.organization("Other")
        await harness.agent(org_id, id="a")
        await harness.post("/api/assistants/sync", {"agentId": "a"}, org_id)
        await harness.provisioned("a")
        await _sent(harness)
    await admin.execute(statement)
    made = len(await vapi.assistants())

    async with service_whatever_it_says(settings, assistant_api_db, vapi) as harness:

        async def says_so() -> bool:
            return "restore-assistant-api.md" in _problem(await harness.http.get("/readyz"))

        await eventually(says_so, within_seconds=20)
        answer = await harness.post("/api/agents", {"id": "new", "name": "New"}, other)
        assert (answer.status_code, answer.json()["state"]) == (202, "provisioning")
        assert (await harness.row("new"))["attempt_id"] is None

        async def relay_says_so() -> bool:
            return "ahead of the rows" in _problem(await harness.http.get("/readyz"))

        await eventually(relay_says_so)
        assert len(await vapi.assistants()) == made

    await begun(assistant_api_db, settings)
    async with whole_service(settings, assistant_api_db, vapi) as harness:
        await harness.provisioned("new")
        await _sent(harness)
        assert len(await vapi.assistants()) == made + 1


async def test_what_was_deleted_long_ago_and_made_anew_is_no_restore(
    settings: Settings, assistant_api_db: DatabaseUrls, vapi: Vapi, kafka: TestKafka
) -> None:
    settings = await _with_kafka(settings, kafka)
    async with whole_service(settings, assistant_api_db, vapi) as harness:
        org_id = await harness.organization()
        await harness.agent(org_id, id="a")
        await harness.delete("/api/agents/a", org_id)
        await harness.agent(org_id, id="a")
        await harness.agent(org_id, id="b")
        await harness.delete("/api/agents/b", org_id)
        gone = await harness.organization("Gone")
        await harness.agent(gone, id="c")
        assert (await harness.delete(f"/api/organizations/{gone}")).status_code < 300
        await harness.owner.execute("INSERT INTO organizations (id, name) VALUES ($1, 'Back')", gone)
        await _sent(harness)
    async with whole_service(settings, assistant_api_db, vapi) as harness:
        assert (await harness.http.get("/readyz")).status_code == 200


async def test_a_deletion_that_the_backup_lacks_is_a_restore(
    settings: Settings, assistant_api_db: DatabaseUrls, vapi: Vapi, admin: Admin, kafka: TestKafka
) -> None:
    settings = await _with_kafka(settings, kafka)
    async with whole_service(settings, assistant_api_db, vapi) as harness:
        org_id = await harness.organization()
        await harness.agent(org_id, id="a")
        row = dict(await harness.row("a"))
        await harness.delete("/api/agents/a", org_id)
        await harness.removed()
        await _sent(harness)
    columns = ("org_id", "id", "name", "vapi_assistant_id", "saved_revision", "provisioned_revision", "model_hash")
    await admin.execute("DELETE FROM former_revisions")
    await admin.execute(
        f"INSERT INTO agents ({', '.join(columns)}) VALUES ($1, $2, $3, $4, $5, $6, $7)",  # noqa: S608
        *(row[column] for column in columns),
    )
    async with service_whatever_it_says(settings, assistant_api_db, vapi) as harness:

        async def says_so() -> bool:
            return str(UUID(str(org_id))) in _problem(await harness.http.get("/readyz"))

        await eventually(says_so, within_seconds=20)
