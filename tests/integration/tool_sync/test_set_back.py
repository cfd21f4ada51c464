"""A log that was set back and not forked: records are taken in, Vapi is not written to, nothing is published."""

from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest
from tests.support.eventually import eventually

from devstack.databases import DatabaseUrls
from devstack.ports import free_port
from devstack.sandbox import Sandbox
from tool_sync import db
from tool_sync.log.fork import fork
from tool_sync.settings import Settings
from zerotouch_contracts.canonical import model_hash
from zerotouch_contracts.envelope import from_record
from zerotouch_contracts.events import AssistantSaved

from .test_service import problems, running, until_ready
from .topics import Topics


@pytest.fixture
def with_vapi(settings: Settings, sandbox: Sandbox) -> Settings:
    """Settings that reach the sandbox."""
    return Settings(
        **{
            **settings.model_dump(),
            "vapi_base_url": sandbox.url,
            "vapi_api_key": sandbox.api_key,
            "log_check_seconds": 0.1,
        }
    )


async def save(topics: Topics, sandbox: Sandbox, org: UUID) -> None:
    """A save of an assistant that is at Vapi."""
    async with httpx.AsyncClient(base_url=sandbox.url, headers={"Authorization": f"Bearer {sandbox.api_key}"}) as vapi:
        made = await vapi.post("/assistant", json={"name": "a", "model": {"provider": "openai", "model": "gpt-4o"}})
    assistant, request = made.raise_for_status().json(), uuid4()
    message = AssistantSaved(
        org_id=org,
        request_id=request,
        agent_id="agent-1",
        assistant_id=assistant["id"],
        revision=1,
        model_hash=model_hash(assistant["model"]),
        cause="save",
    )
    await topics.send([topics.record(message, message_id=request)])


async def tools_of(sandbox: Sandbox, org: UUID) -> list[Any]:
    async with httpx.AsyncClient(base_url=sandbox.url, headers={"Authorization": f"Bearer {sandbox.api_key}"}) as vapi:
        return [tool for tool in (await vapi.get("/tool", params={"limit": 1000})).json() if str(org) in str(tool)]


async def outcomes_of(topics: Topics, org: UUID) -> list[Any]:
    return [r for r in await topics.outcomes() if from_record(r.key, r.value, r.headers)[0].org_id == org]


async def set_back(admin: Any) -> None:
    """The newest events are gone, as from an older backup."""
    await admin.execute("ALTER TABLE events DISABLE TRIGGER events_are_final")
    await admin.execute("DELETE FROM events WHERE position > 2")
    await admin.execute("UPDATE projections SET position = 2")
    await admin.execute("UPDATE cursors SET position = 2")
    await admin.execute("TRUNCATE snapshots, leases, pending_syncs, assistants, org_tools")


async def test_behind_its_topic_it_takes_records_in_and_does_nothing_else_until_it_is_forked(
    with_vapi: Settings, sandbox: Sandbox, topics: Topics, admin: Any, tool_sync_db: DatabaseUrls
) -> None:
    first, second = uuid4(), uuid4()

    async def published(org: UUID) -> bool:
        return bool(await outcomes_of(topics, org))

    async with running(with_vapi) as client:
        await until_ready(client)
        await save(topics, sandbox, first)
        await eventually(lambda: published(first))
    await set_back(admin)

    async def taken_in() -> bool:
        return bool(await admin.fetchval("SELECT count(*) FROM events WHERE stream = 'org-' || $1::text", str(second)))

    before = len(await topics.outcomes())
    async with running(with_vapi) as client:

        async def says_so() -> bool:
            return "docs/runbooks/restore.md" in (await problems(client)).get("restore", "")

        await eventually(says_so)
        assert (await client.get("/livez")).status_code == 200
        await save(topics, sandbox, second)
        await eventually(taken_in)

        async def looked_at_again() -> bool:
            return "ahead of the log" in (await problems(client)).get("relay", "")

        await eventually(looked_at_again)
    async with running(with_vapi) as client:  # once more, now with work that waits from the start
        await eventually(says_so)
        await eventually(looked_at_again)
        assert await tools_of(sandbox, second) == []
        assert await admin.fetchval("SELECT count(*) FROM leases") == 0, "nobody has taken up a clinic"
        assert len(await topics.outcomes()) == before

    owner = await db.SESSIONS.connect(tool_sync_db.owner, application_name="zerotouch cli")
    await fork(owner)
    await owner.close()
    async with running(with_vapi) as client:
        await until_ready(client)
        await eventually(lambda: published(second))
        assert len(await tools_of(sandbox, second)) == 1


async def test_a_log_that_is_set_back_beneath_a_running_process_is_noticed(
    with_vapi: Settings, sandbox: Sandbox, topics: Topics, admin: Any
) -> None:
    org = uuid4()

    async def published() -> bool:
        return bool(await outcomes_of(topics, org))

    async with running(with_vapi) as client:
        await until_ready(client)
        await save(topics, sandbox, org)
        await eventually(published)
        await set_back(admin)

        async def says_so() -> bool:
            return "ahead of the log" in (await problems(client)).get("restore", "")

        await eventually(says_so)


async def test_a_process_whose_log_was_forked_by_others_must_be_restarted(with_vapi: Settings, admin: Any) -> None:
    async with running(with_vapi) as client:
        await until_ready(client)
        await admin.execute("UPDATE log SET log_id = gen_random_uuid()")

        async def not_live() -> bool:
            return (await client.get("/livez")).status_code == 503

        async def says_what_to_do() -> bool:  # what `/readyz` answers stands for a second
            return "restart it" in (await problems(client)).get("log", "")

        await eventually(not_live)
        await eventually(says_what_to_do)


async def test_records_of_others_on_the_topic_say_nothing_about_this_log(with_vapi: Settings, topics: Topics) -> None:
    topic, noise = with_vapi.outcomes_topic, [("log_id", b"\xff"), ("ce_id", b"no id")]
    for headers in (noise, [], [("log_id", str(uuid4()).encode()), ("ce_id", str(uuid4()).encode())]):
        await topics.producer.send_and_wait(topic, b"{}", b"k", headers=headers)
    async with running(with_vapi) as client:
        await until_ready(client)
        assert "restore" not in await problems(client)


async def test_while_kafka_is_away_nobody_knows_and_nothing_is_written_to_vapi(
    with_vapi: Settings, sandbox: Sandbox, topics: Topics, admin: Any, pool: db.Pool
) -> None:
    """A restored log is the same to look at; the open save is worked on as soon as Kafka answers."""
    org = uuid4()
    nobody = with_vapi.model_copy(update={"kafka_bootstrap_servers": f"127.0.0.1:{free_port()}"})

    async def taken_in() -> bool:
        return bool(await admin.fetchval("SELECT count(*) FROM events WHERE stream = 'org-' || $1::text", str(org)))

    broken = with_vapi.model_copy(update={"outcomes_topic": f"missing-{uuid4()}"})
    async with running(broken) as client:
        await save(topics, sandbox, org)
        await eventually(taken_in)
        assert "restore" not in await problems(client)
    async with running(nobody) as client:

        async def waits_for_kafka() -> bool:
            return "kafka" in await problems(client)

        await eventually(waits_for_kafka)
    assert await tools_of(sandbox, org) == []
    async with running(with_vapi):

        async def made() -> bool:
            return len(await tools_of(sandbox, org)) == 1

        await eventually(made)
