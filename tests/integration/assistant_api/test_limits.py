"""What one clinic may have at once: requests, saves that wait, agents; and what its syncs join."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import pytest
import pytest_asyncio
from tests.support.eventually import eventually

from assistant_api.db import DatabaseUnavailable
from assistant_api.provisioner.claim import CLAIM_SAVES, InTurns
from devstack.databases import DatabaseUrls
from devstack.sandbox import Sandbox
from zerotouch_platform.limits.policy import Kind, Of

from .harness import Harness, Vapi, make_settings, running


def refused(harness: Harness) -> dict[tuple[Kind, Of], int]:
    """What was refused, as the metrics say."""
    return dict(harness.service.refusals.counts)


@pytest_asyncio.fixture(loop_scope="session")
async def small(assistant_api_db: DatabaseUrls, sandbox: Sandbox, vapi: Vapi) -> AsyncIterator[Harness]:
    """A service with room for little, that waits for nobody."""
    settings = make_settings(
        assistant_api_db, sandbox, answer_wait_seconds=0.05, agents_per_org_max=3, saves_waiting_max=5
    )
    async with running(settings, assistant_api_db, vapi) as harness:
        yield harness


def resumed(harness: Harness) -> None:
    harness.service.provisioner._writes_suspended = lambda: False
    harness.service.provisioner.wake()


def at_once(harness: Harness) -> None:
    """For the limits all that follows happens at one moment and takes no time, however slow the machine is."""
    limits = harness.service.parts.limits
    limits.clock = lambda: 1000.0
    limits.limiter.worked = lambda *_: None  # type: ignore[method-assign]


async def there(harness: Harness, org_id: UUID, agent_id: str) -> None:
    """An agent that is at Vapi."""
    await harness.post("/api/agents", {"id": agent_id, "name": "Reception"}, org_id)
    await harness.provisioned(agent_id)


async def counted(harness: Harness, sql: str, *arguments: Any) -> int:
    return int(await harness.owner.fetchval(sql, *arguments))


async def test_a_token_that_asks_a_thousand_times_is_told_to_wait_and_its_neighbour_is_not(harness: Harness) -> None:
    org_id, neighbour = await harness.organization(), await harness.organization()
    headers = harness.bearer(org_id)
    at_once(harness)

    answers = [await harness.http.get("/api/agents", headers=headers) for _ in range(1000)]

    statuses = Counter(answer.status_code for answer in answers)
    assert statuses == {200: 500, 429: 500}
    last = next(answer for answer in reversed(answers) if answer.status_code == 429)
    assert last.headers["content-type"] == "application/problem+json"
    assert last.json()["code"] == "TS-920"
    assert last.json()["violated-policies"] == ["token-requests"]
    assert last.headers["retry-after"] == "1"
    assert last.headers["ratelimit-policy"] == '"token-requests";q=500;w=10'
    assert last.headers["ratelimit"] == '"token-requests";r=0;t=1'
    assert refused(harness) == {(Kind.REQUESTS, Of.TOKEN): 500}
    for _ in range(20):
        assert (await harness.get("/api/agents", neighbour)).status_code == 200
        assert (await harness.http.get("/livez")).status_code == 200
    assert (await harness.get("/api/agents")).status_code == 200


async def test_a_flood_of_forged_tokens_holds_up_neither_a_clinic_nor_a_tool_call(harness: Harness) -> None:
    org_id = await harness.organization()
    headers = harness.bearer(org_id)
    at_once(harness)
    assert (await harness.http.get("/api/agents", headers=headers)).status_code == 200
    forged = {"Authorization": headers["Authorization"][:-6] + "AAAAAA"}
    statuses = Counter([(await harness.http.get("/api/agents", headers=forged)).status_code for _ in range(300)])
    assert statuses == {401: 200, 429: 100}
    assert (await harness.http.get("/api/agents", headers=headers)).status_code == 200
    # Vapi's, which comes with no token of ours: never refused for a limit, only for its credential.
    calls = [(await harness.http.post("/api/vapi/tool-calls", json={})).status_code for _ in range(50)]
    assert Counter(calls) == {401: 50}


async def test_a_clinic_whose_every_statement_waits_leaves_connections_to_its_neighbours(
    assistant_api_db: DatabaseUrls, sandbox: Sandbox, vapi: Vapi
) -> None:
    settings = make_settings(assistant_api_db, sandbox, answer_wait_seconds=0.05, database_connections_max=4)
    async with running(settings, assistant_api_db, vapi) as harness:
        org_id, neighbour = await harness.organization(), await harness.organization()

        async def held_up() -> bool:
            return await counted(harness, "SELECT count(*) FROM pg_locks WHERE NOT granted") == 2

        async with harness.owner.transaction():
            await harness.owner.execute("SELECT FROM organizations WHERE id = $1 FOR UPDATE", org_id)
            agents = ({"id": f"a{n}", "name": "A"} for n in range(20))
            waiting = [asyncio.create_task(harness.post("/api/agents", agent, org_id)) for agent in agents]
            await eventually(held_up)
            for number in range(5):
                assert (await harness.get("/api/agents", neighbour)).status_code == 200
                saved = await harness.post("/api/agents", {"id": f"n{number}", "name": "N"}, neighbour)
                assert saved.status_code in {200, 202}
            assert await held_up(), "and it has no more of them"
        statuses = Counter([(await one).status_code for one in waiting])
        assert statuses.keys() <= {200, 202, 503}, "503: it waited too long for its own turn"
        assert statuses[200] + statuses[202] >= 2


async def test_who_waits_too_long_for_a_turn_is_not_told_that_the_database_is_away(
    assistant_api_db: DatabaseUrls, sandbox: Sandbox, vapi: Vapi, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = make_settings(assistant_api_db, sandbox, answer_wait_seconds=0.05, database_connections_max=2)
    async with running(settings, assistant_api_db, vapi) as harness:
        org_id = await harness.organization()

        async def held_up() -> bool:
            return await counted(harness, "SELECT count(*) FROM pg_locks WHERE NOT granted") == 1

        async with harness.owner.transaction():
            await harness.owner.execute("SELECT FROM organizations WHERE id = $1 FOR UPDATE", org_id)
            first = asyncio.create_task(harness.post("/api/agents", {"id": "a1", "name": "A"}, org_id))
            await eventually(held_up)
            monkeypatch.setattr("assistant_api.db.TURN_SECONDS", 0.1)
            crowded = await harness.post("/api/agents", {"id": "a2", "name": "A"}, org_id)
            monkeypatch.undo()
        assert (await first).status_code in {200, 202}
    assert (crowded.status_code, crowded.json()["code"]) == (503, "TS-910")
    assert crowded.json()["detail"] == "too many requests at a time; try again in a moment"


async def test_a_clinic_has_so_many_agents_over_http_and_as_many_as_it_likes_by_sql(small: Harness) -> None:
    org_id, other = await small.organization(), await small.organization()
    together = await asyncio.gather(
        *(small.post("/api/agents", {"id": f"a{n}", "name": "A"}, org_id) for n in range(8))
    )
    by_status = Counter(answer.status_code for answer in together)
    assert by_status[409] == 5, [answer.text for answer in together]
    refusal = next(answer for answer in together if answer.status_code == 409).json()
    assert (refusal["code"], refusal["type"]) == ("TS-921", "urn:zerotouch:error:TS-921")
    assert await counted(small, "SELECT count(*) FROM agents WHERE org_id = $1", org_id) == 3
    assert refused(small) == {(Kind.AGENTS, Of.ORG): 5}

    assert (await small.post("/api/agents", {"id": "a", "name": "A"}, other)).status_code in {200, 202}
    await small.owner.execute(
        "INSERT INTO agents (org_id, id, name) SELECT $1, 'sql-' || n, 'A' FROM generate_series(1, 4) n", org_id
    )
    await small.provisioned("sql-4")
    assert (await small.post("/api/agents", {"id": "b", "name": "A"}, org_id)).status_code == 409
    taken = next(n for n, answer in enumerate(together) if answer.status_code != 409)
    assert (await small.patch(f"/api/agents/a{taken}", {"name": "B"}, org_id)).status_code in {200, 202}


async def test_an_agent_whose_answer_was_lost_is_answered_also_where_there_is_no_room_any_more(
    small: Harness, monkeypatch: pytest.MonkeyPatch
) -> None:
    org_id, key = await small.organization(), {"Idempotency-Key": "first"}
    with monkeypatch.context() as broken:

        async def away(*_: object) -> None:
            raise DatabaseUnavailable("it went away")

        broken.setattr("assistant_api.http.routes.agents.answer_save", away)
        lost = await small.post("/api/agents", {"id": "a", "name": "A"}, org_id, key)
    assert lost.status_code == 503
    for name in ("b", "c"):
        await small.post("/api/agents", {"id": name, "name": "A"}, org_id)
    assert (await small.post("/api/agents", {"id": "d", "name": "A"}, org_id)).status_code == 409
    assert (await small.post("/api/agents", {"id": "a", "name": "A"}, org_id, key)).status_code in {200, 202}


async def test_saves_that_wait_have_a_limit_of_their_clinic_and_a_refusal_is_not_kept(small: Harness) -> None:
    org_id, other = await small.organization(), await small.organization()
    await there(small, org_id, "a")
    await there(small, other, "b")
    await small.suspend_provisioning()
    for n in range(5):
        assert (await small.patch("/api/agents/a", {"firstMessage": f"{n}"}, org_id)).status_code == 202
    key = {"Idempotency-Key": "again"}
    full = await small.http.patch("/api/agents/a", json={"firstMessage": "6"}, headers={**small.bearer(org_id), **key})
    assert full.status_code == 429
    assert full.json()["code"] == "TS-920"
    assert full.json()["violated-policies"] == ["org-saves-waiting"]
    assert full.headers["retry-after"] == "5"
    assert full.headers["ratelimit-policy"] == '"org-saves-waiting";q=5'
    for path, body in (("/api/agents", {"name": "A"}), ("/api/assistants/sync", {"agentId": "a"})):
        assert (await small.post(path, body, org_id)).status_code == 429
    assert (await small.patch("/api/agents/b", {"firstMessage": "x"}, other)).status_code == 202
    assert (await small.post("/api/assistants/auto-sync", {}, org_id)).status_code == 202
    await small.owner.execute("UPDATE agents SET first_message = 'by SQL' WHERE id = 'a'")
    assert refused(small) == {(Kind.SAVES_WAITING, Of.ORG): 3}

    resumed(small)
    await small.provisioned("a")
    answer = await small.http.patch(
        "/api/agents/a", json={"firstMessage": "6"}, headers={**small.bearer(org_id), **key}
    )
    assert answer.status_code in {200, 202}
    assert (await small.provisioned("a"))["first_message"] == "6"


async def test_auto_syncs_of_a_clinic_are_one_while_one_is_open(harness: Harness) -> None:
    org_id, other = await harness.organization(), await harness.organization()
    for n in range(4):
        await harness.agent(org_id, id=f"a{n}")
    await harness.agent(other, id="b")
    await harness.suspend_provisioning()
    before = await counted(harness, "SELECT count(*) FROM saves")

    answers = await asyncio.gather(*(harness.post("/api/assistants/auto-sync", {}, org_id) for _ in range(12)))
    beside = (await harness.post("/api/assistants/auto-sync", {}, other)).json()

    bodies = [answer.json() for answer in answers]
    assert [answer.status_code for answer in answers] == [202] * 12
    assert [body["requested"] for body in bodies] == [4] * 12
    assert len({(body["autoSyncId"], body["askedAt"]) for body in bodies}) == 1
    assert sorted(body["joined"] for body in bodies) == [False, *[True] * 11]
    assert (beside["joined"], beside["requested"]) == (False, 1)
    assert await counted(harness, "SELECT count(*) FROM saves") == before + 4 + 1

    resumed(harness)
    for n in range(4):
        await harness.provisioned(f"a{n}")
    following = (await harness.post("/api/assistants/auto-sync", {}, org_id)).json()
    assert following["joined"] is False
    assert following["autoSyncId"] != bodies[0]["autoSyncId"]


async def test_two_replicas_at_the_same_moment_open_one_auto_sync(
    harness: Harness, assistant_api_db: DatabaseUrls
) -> None:
    org_id = await harness.organization()
    await harness.agent(org_id, id="a")
    await harness.suspend_provisioning()
    one, two = await asyncpg.connect(assistant_api_db.service), await asyncpg.connect(assistant_api_db.service)
    ask = "SELECT * FROM request_auto_sync($1, NULL, 3600)"
    try:
        for connection in (one, two):
            await harness.service.database.sessions.prepare(connection)
        first = one.transaction()
        await first.start()
        opened = await one.fetchrow(ask, org_id)
        waits = asyncio.create_task(two.fetchrow(ask, org_id))
        await asyncio.sleep(0.2)
        assert not waits.done(), "the second one has not waited for the first"
        await first.commit()
        joined = await waits
        assert opened is not None
        assert joined is not None
        assert (opened["joined"], joined["joined"]) == (False, True)
        assert joined["auto_sync_id"] == opened["auto_sync_id"]

        # One that dies before its commit leaves nothing behind that could be joined.
        await harness.owner.execute("UPDATE auto_syncs SET asked_at = asked_at - interval '2 hours'")
        dying = one.transaction()
        await dying.start()
        await one.fetchrow(ask, org_id)
        waits = asyncio.create_task(two.fetchrow(ask, org_id))
        await asyncio.sleep(0.1)
        one.terminate()
        taken_up = await waits
        assert taken_up is not None
        assert taken_up["joined"] is False
    finally:
        one.terminate()
        await two.close()


async def test_an_agent_that_vapi_never_takes_does_not_end_auto_syncs_for_ever(harness: Harness) -> None:
    org_id = await harness.organization()
    await harness.agent(org_id, id="a")
    await harness.suspend_provisioning()
    first = (await harness.post("/api/assistants/auto-sync", {}, org_id)).json()
    assert (await harness.post("/api/assistants/auto-sync", {}, org_id)).json()["joined"] is True
    await harness.owner.execute("UPDATE auto_syncs SET asked_at = asked_at - interval '3601 s'")
    await harness.owner.execute("UPDATE saves SET created_at = (SELECT asked_at FROM auto_syncs) WHERE state = 'open'")
    second = (await harness.post("/api/assistants/auto-sync", {}, org_id)).json()
    assert second["joined"] is False
    assert second["autoSyncId"] != first["autoSyncId"]


async def test_a_clinic_that_is_deleted_takes_its_auto_sync_along(harness: Harness) -> None:
    org_id = await harness.organization()
    await harness.agent(org_id, id="a")
    await harness.post("/api/assistants/auto-sync", {}, org_id)
    assert (await harness.delete(f"/api/organizations/{org_id}")).status_code == 204
    assert await counted(harness, "SELECT count(*) FROM auto_syncs") == 0
    nobody = await harness.post("/api/assistants/auto-sync", {"orgId": str(uuid4())})
    assert (nobody.status_code, nobody.json()["requested"]) == (202, 0)


async def sync(harness: Harness, org_id: UUID, path: str = "/api/assistants/sync") -> dict[str, Any]:
    answer = await harness.post(path, {"agentId": "a"}, org_id)
    assert answer.status_code in {200, 202}, answer.text
    body: dict[str, Any] = answer.json()
    return body


async def test_a_hundred_syncs_of_an_unchanged_agent_that_waits_are_one_event(small: Harness) -> None:
    org_id = await small.organization()
    await there(small, org_id, "a")
    await small.suspend_provisioning()

    bodies = await asyncio.gather(*(sync(small, org_id) for _ in range(30)))

    assert len({body["requestId"] for body in bodies}) == 1
    assert await small.saves("a") == [(1, "save", "saved"), (2, "sync", "open")]
    resumed(small)
    await small.provisioned("a")
    await sync(small, org_id)
    assert [cause for _, cause, _ in await small.saves("a")] == ["save", "sync", "sync"]
    assert [m["body"]["request_id"] for m in await small.outbox()][1] == bodies[0]["requestId"]


async def test_a_sync_joins_a_change_that_waits_but_never_what_waits_behind_saves(small: Harness) -> None:
    org_id = await small.organization()
    await there(small, org_id, "a")
    await small.suspend_provisioning()
    change = (await small.patch("/api/agents/a", {"firstMessage": "Hello"}, org_id)).json()
    assert (await sync(small, org_id))["requestId"] == change["requestId"]
    resumed(small)
    await small.provisioned("a")
    await small.suspend_provisioning()

    behind = await sync(small, org_id, "/api/assistants/auto-sync")
    assert (await sync(small, org_id, "/api/assistants/auto-sync"))["requestId"] == behind["requestId"]
    ahead = await sync(small, org_id)
    assert ahead["requestId"] != behind["requestId"]
    assert (await small.row("a"))["bulk"] is False
    assert (await sync(small, org_id))["requestId"] == ahead["requestId"]


async def test_a_sync_does_not_join_what_is_being_written_already(small: Harness) -> None:
    """Its writer may have looked at Vapi before whatever the sync is for."""
    org_id = await small.organization()
    await there(small, org_id, "a")
    await small.suspend_provisioning()
    first = await sync(small, org_id)
    async with small.service.database.connection() as connection:
        [begun] = await InTurns(CLAIM_SAVES, per_org_max=5, lease_seconds=30).claim(connection, 5, {})
    second = await sync(small, org_id)
    assert second["requestId"] != first["requestId"]
    assert (await sync(small, org_id))["requestId"] == second["requestId"]
    row = await small.row("a")
    assert (row["leased_revision"], row["saved_revision"]) == (begun.revision, begun.revision + 1)
    # A release before this one writes no revision with its lease: it counts as one that is behind.
    await small.owner.execute("UPDATE agents SET leased_revision = NULL")
    assert (await sync(small, org_id))["requestId"] == second["requestId"]


async def test_a_sync_that_joins_is_due_at_once_as_a_new_one_would_be(small: Harness) -> None:
    org_id = await small.organization()
    await there(small, org_id, "a")
    await small.suspend_provisioning()
    await sync(small, org_id)
    await small.owner.execute("UPDATE agents SET next_due = now() + interval '5 minutes', failures = 3")
    await sync(small, org_id)
    assert await small.owner.fetchval("SELECT next_due <= now() FROM agents WHERE id = 'a'")
    resumed(small)

    async def done() -> bool:
        return all(state == "saved" for _, _, state in await small.saves("a"))

    await eventually(done, within_seconds=10)
