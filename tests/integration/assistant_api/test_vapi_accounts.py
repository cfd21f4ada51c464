"""Clinics with accounts of their own at Vapi: whose key is used for whom, and when an account may change (ADR 76)."""

import asyncio
import base64
import logging
from collections.abc import AsyncIterator
from uuid import UUID, uuid4

import asyncpg
import pytest
import pytest_asyncio
import structlog
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from tests.support.eventually import eventually

from assistant_api.settings import Settings
from assistant_api.vapi.account_rows import listed
from assistant_api.vapi.resealing import reseal
from devstack.databases import DatabaseUrls
from devstack.fixtures import TestKafka
from devstack.sandbox import Sandbox, account_key
from zerotouch_contracts.accounts import VapiAccount, read_account
from zerotouch_platform.kafka.compacted import compacted
from zerotouch_platform.vapi.envelope import EnvelopeKeys, Sealed
from zerotouch_platform.vapi.key_name import fingerprint_of

from .harness import Harness, Vapi, make_settings, own_topics, token, whole_service
from .vapi_accounts import BOTH, ENVELOPE, MATERIAL, account_of, fill, give, names_in, with_accounts


@pytest_asyncio.fixture(loop_scope="session")
async def world(assistant_api_db: DatabaseUrls, sandbox: Sandbox, vapi: Vapi) -> AsyncIterator[Harness]:
    """The service, and three accounts beside the platform's that say whose they are."""
    for name in "abc":
        await fill(sandbox.url, name)
    async with with_accounts(
        assistant_api_db, sandbox, vapi, answer_wait_seconds=1, key_refused_seconds=2, retry_seconds_min=0.1
    ) as harness:
        yield harness


async def clinic(harness: Harness, account: str | None) -> UUID:
    """A clinic, with an account of its own or without."""
    org_id = await harness.organization()
    if account is not None:
        answer = await give(harness, org_id, account)
        assert answer.status_code == 200, answer.text
    return org_id


async def test_each_clinics_assistants_are_in_its_account_and_in_no_other(world: Harness, sandbox: Sandbox) -> None:
    for account in ("a", "b", None):
        org_id = await clinic(world, account)
        await world.agent(org_id, name=f"of {account}")
    assert await names_in(sandbox.url, account_key("a")) == ["of a", "the agency's own"]
    assert await names_in(sandbox.url, account_key("b")) == ["of b", "the agency's own"]
    assert await names_in(sandbox.url, sandbox.api_key) == ["of None"]
    rows = await world.owner.fetch("SELECT name, vapi_account FROM agents ORDER BY name")
    assert [tuple(row) for row in rows] == [
        ("of None", "platform"), ("of a", account_of("a")), ("of b", account_of("b"))
    ]  # fmt: skip


async def test_an_agent_of_plain_sql_is_written_with_its_clinics_key_and_deleted_with_it(
    world: Harness, sandbox: Sandbox
) -> None:
    org_id = await clinic(world, "a")
    await world.owner.execute("INSERT INTO agents (org_id, id, name) VALUES ($1, 'sql', 'of sql')", org_id)
    await world.provisioned("sql")
    assert "of sql" in await names_in(sandbox.url, account_key("a"))
    assert (await world.delete("/api/agents/sql")).status_code == 204
    await world.removed()
    assert await names_in(sandbox.url, account_key("a")) == ["the agency's own"]
    used = {entry["key"] for entry in await world.vapi.requests() if entry["path"].startswith("/assistant/")}
    assert used == {account_key("a")}


async def test_what_is_shown_of_a_key_is_never_the_key(world: Harness) -> None:
    org_id = await world.organization()
    path = f"/api/organizations/{org_id}/vapi-key"
    assert (await world.get(path)).status_code == 404
    given = await give(world, org_id, "a", requestsPerMinute=600, toolServerCredentialId="credential-1")
    shown = (await world.get(path)).json()
    assert given.json() == shown
    assert shown.pop("changedAt")
    assert shown == {
        "account": account_of("a"),
        "keyFingerprint": fingerprint_of(account_key("a")),
        "toolServerCredentialId": "credential-1",
        "requestsPerMinute": 600,
        "changedBy": "test",
    }
    assert account_key("a") not in given.text
    stored = await world.owner.fetchrow("SELECT * FROM vapi_accounts")
    assert account_key("a") not in repr(stored)


async def test_another_account_is_refused_while_the_clinic_has_agents_and_another_key_is_not(world: Harness) -> None:
    org_id = await clinic(world, "a")
    agent_id = (await world.agent(org_id))["agentId"]
    other = await give(world, org_id, "b")
    assert (other.status_code, other.json()["code"]) == (409, "TS-911")
    assert "delete the clinic's agents" in other.json()["detail"]
    assert (await world.delete(f"/api/organizations/{org_id}/vapi-key")).status_code == 409
    assert (await give(world, org_id, "a", 2, requestsPerMinute=60)).status_code == 200
    answer = await world.patch(f"/api/agents/{agent_id}", {"firstMessage": "Hello."}, org_id)
    assert answer.status_code == 200
    assert (await world.vapi.requests("PATCH"))[-1]["key"] == account_key("a", 2)
    await world.delete(f"/api/agents/{agent_id}")
    await world.removed()
    assert (await give(world, org_id, "b")).status_code == 200
    assert (await world.delete(f"/api/organizations/{org_id}/vapi-key")).status_code == 204
    assert (await world.delete(f"/api/organizations/{org_id}/vapi-key")).status_code == 404


async def test_a_clinic_of_the_platforms_account_gets_none_while_it_has_agents(world: Harness) -> None:
    org_id = await clinic(world, None)
    await world.agent(org_id)
    assert (await give(world, org_id, "a")).status_code == 409


async def test_plain_sql_changes_no_account_of_a_clinic_with_agents(world: Harness) -> None:
    org_id = await clinic(world, "a")
    await world.agent(org_id)
    for statement in (
        "UPDATE vapi_accounts SET account = 'vapi-another'",
        "DELETE FROM vapi_accounts",
        "UPDATE vapi_accounts SET org_id = gen_random_uuid()",
    ):
        with pytest.raises(asyncpg.RestrictViolationError):
            await world.owner.execute(statement)
    await world.owner.execute("UPDATE agents SET vapi_account = 'platform'")
    assert await world.owner.fetchval("SELECT vapi_account FROM agents") == account_of("a")


async def test_an_agent_that_is_being_saved_while_the_account_changes_gets_the_new_one_or_stops_the_change(
    world: Harness,
) -> None:
    """Both orders, with a transaction that waits in the middle."""
    await world.suspend_provisioning()
    first, second = await clinic(world, "a"), await clinic(world, "a")
    insert = "INSERT INTO agents (org_id, id, name) VALUES ($1, $2, 'x')"
    async with world.owner.transaction():
        await world.owner.execute(insert, first, "before")
        change = asyncio.create_task(give(world, first, "b"))
        await eventually(lambda: _waits(world, "FOR UPDATE"))
    assert (await change).status_code == 409
    assert (await world.row("before"))["vapi_account"] == account_of("a")

    other = await asyncpg.connect(world.service.settings.database_url.get_secret_value())
    try:
        async with world.owner.transaction():
            await world.owner.execute("SELECT FROM organizations WHERE id = $1 FOR UPDATE", second)
            await world.owner.execute("DELETE FROM vapi_accounts WHERE org_id = $1", second)
            late = asyncio.create_task(other.execute(insert, second, "after"))
            await eventually(lambda: _waits(world, "INSERT INTO agents"))
        await late
    finally:
        await other.close()
    assert (await world.row("after"))["vapi_account"] == "platform"


async def _waits(harness: Harness, statement: str) -> bool:
    async with harness.service.database.connection() as connection:
        return bool(
            await connection.fetchval(
                "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE '%' || $1 || '%'",
                statement,
            )
        )


@pytest.mark.parametrize("number", [1, 2])
async def test_a_key_of_the_platforms_own_account_is_refused(world: Harness, sandbox: Sandbox, number: int) -> None:
    """Also where the platform's account has something to show, and where it is the very key."""
    await world.agent(await clinic(world, None))
    org_id = await world.organization()
    answer = await world.http.put(
        f"/api/organizations/{org_id}/vapi-key", json={"key": sandbox.api_key}, headers=world.bearer()
    )
    assert (answer.status_code, answer.json()["code"]) == (409, "TS-911")
    assert "platform's own account" in answer.json()["detail"]


async def test_a_key_that_vapi_refuses_and_one_of_an_empty_account_are_not_taken(
    world: Harness, sandbox: Sandbox
) -> None:
    org_id = await world.organization()
    path = f"/api/organizations/{org_id}/vapi-key"
    refused = await world.http.put(path, json={"key": "no-key-of-anybody"}, headers=world.bearer())
    assert (refused.status_code, refused.json()["code"]) == (422, "TS-201")
    assert "no-key-of-anybody" not in refused.text
    empty = await world.http.put(path, json={"key": sandbox.api_key}, headers=world.bearer())
    assert (empty.status_code, empty.json()["code"]) == (422, "TS-911")
    assert "Make an assistant in it first" in empty.json()["detail"]
    await world.vapi.break_route("GET /assistant", {"kind": "status", "status": 503})
    away = await give(world, org_id, "a")
    assert (away.status_code, away.json()["code"]) == (503, "TS-102")
    assert await world.owner.fetchval("SELECT count(*) FROM vapi_accounts") == 0


@pytest.mark.parametrize(
    "body",
    [{}, {"key": ""}, {"key": "with a space in it"}, {"key": "k" * 300}, {"key": 7}, {"key": "schlüssel-key"},
     {"key": "long-enough", "requestsPerMinute": 0}, {"key": "long-enough", "requestsPerMinute": "6"},
     {"key": "long-enough", "toolServerCredentialId": "a b"}, {"key": "long-enough", "account": "vapi-x"}],
)  # fmt: skip
async def test_a_body_that_is_not_valid_is_refused_without_its_key(world: Harness, body: dict[str, object]) -> None:
    org_id = await world.organization()
    answer = await world.http.put(f"/api/organizations/{org_id}/vapi-key", json=body, headers=world.bearer())
    assert (answer.status_code, answer.json()["code"]) == (422, "TS-901")
    assert "long-enough" not in answer.text
    assert await world.vapi.requests() == [] or all(e["key"] != body.get("key") for e in await world.vapi.requests())


async def test_a_clinics_own_token_may_only_where_the_setting_says_so(
    world: Harness, assistant_api_db: DatabaseUrls, sandbox: Sandbox, vapi: Vapi
) -> None:
    org_id, other = await clinic(world, "a"), await world.organization()
    path = f"/api/organizations/{org_id}/vapi-key"
    body = {"key": account_key("a", 2)}
    own, scoped = world.bearer(org_id), {"Authorization": f"Bearer {token(org_id, scope='settings:write')}"}
    assert (await world.http.put(path, json=body, headers=own)).status_code == 403
    assert (await world.http.get(path, headers=own)).status_code == 403
    settings = world.service.settings.model_copy(update={"vapi_key_by_clinic": True})
    object.__setattr__(world.service.parts, "settings", settings)
    assert (await world.http.put(path, json=body, headers=scoped)).status_code == 200
    assert (await world.http.get(path, headers=own)).json()["changedBy"] == "test"
    assert (await world.http.get(path, headers=world.bearer(other))).status_code == 404
    lacking = {"Authorization": f"Bearer {token(org_id, scope='sync')}"}
    assert (await world.http.get(path, headers=lacking)).status_code == 403
    assert (await world.http.delete(path, headers=own)).status_code == 204


async def test_each_change_is_said_once_and_its_end_too(world: Harness) -> None:
    org_id = await clinic(world, "a")
    await give(world, org_id, "a", 2)
    await world.delete(f"/api/organizations/{org_id}/vapi-key")
    said = [message["body"] for message in await world.outbox("VapiAccount")]
    assert [one["account"] for one in said] == [account_of("a"), account_of("a"), None]
    assert [one["key_fingerprint"] for one in said[:2]] == [fingerprint_of(account_key("a", n)) for n in (1, 2)]
    assert said[0]["revision"] < said[1]["revision"]
    log = await world.owner.fetch(
        "SELECT action, object_id FROM access_log WHERE action LIKE 'vapi_key.%' AND org_id = $1 ORDER BY id", org_id
    )
    assert [tuple(row) for row in log] == [
        ("vapi_key.replace", account_of("a")), ("vapi_key.replace", account_of("a")), ("vapi_key.delete", str(org_id))
    ]  # fmt: skip


async def _key_waits(harness: Harness, name: str, number: int = 1) -> bool:
    left = await harness.owner.fetchval(
        "SELECT extract(epoch FROM paused_until - now()) FROM vapi_keys WHERE key = $1",
        fingerprint_of(account_key(name, number)),
    )
    return left is not None and left > 0


async def test_a_refused_key_holds_up_its_own_clinics_and_nobody_else(world: Harness) -> None:
    lame, sound, plain = await clinic(world, "a"), await clinic(world, "b"), await clinic(world, None)
    await world.vapi.dial(revoked_keys=[account_key("a")])
    answer = await world.post("/api/agents", {"name": "Lame", "id": "lame"}, lame)
    assert (answer.status_code, answer.json()["code"]) == (202, "TS-201")
    await eventually(lambda: _key_waits(world, "a"))
    for org_id in (sound, plain):
        await world.agent(org_id)
    status = (await world.get("/api/assistants/lame/status")).json()
    assert (status["state"], status["code"]) == ("provisioning", "TS-201")
    assert (await world.row("lame"))["failures"] == 0
    tried = [entry for entry in await world.vapi.requests() if entry["key"] == account_key("a")]
    assert len(tried) <= 12, "one piece of work for each pause"
    assert await give(world, lame, "a", 2)
    await world.provisioned("lame")


async def test_while_the_platforms_key_is_refused_clinics_with_their_own_go_on(
    world: Harness, sandbox: Sandbox
) -> None:
    own, plain = await clinic(world, "a"), await clinic(world, None)
    await world.vapi.dial(revoked_keys=[sandbox.api_key])
    for number in range(3):
        await world.post("/api/agents", {"name": "Waits", "id": f"plain-{number}"}, plain)
    for _ in range(3):
        await world.agent(own)
    assert await world.owner.fetchval("SELECT max(failures) FROM agents WHERE org_id = $1", plain) == 0
    await world.vapi.dial()
    for number in range(3):
        await world.provisioned(f"plain-{number}", within_seconds=15)


async def test_without_its_envelope_key_a_clinic_waits_with_a_reason_and_others_go_on(
    world: Harness, assistant_api_db: DatabaseUrls, sandbox: Sandbox, vapi: Vapi
) -> None:
    sealed, plain = await clinic(world, "a"), await clinic(world, None)
    await world.suspend_provisioning()
    installation = world.service.settings.installation_id
    async with with_accounts(
        assistant_api_db,
        sandbox,
        vapi,
        installation_id=installation,
        vapi_key_envelope_keys=None,
        answer_wait_seconds=1,
    ) as blind:
        before = len(await vapi.requests())
        answer = await blind.post("/api/agents", {"name": "Sealed", "id": "sealed"}, sealed)
        assert answer.status_code == 202
        await blind.agent(plain)
        row = await blind.row("sealed")
        assert (row["failure_code"], row["failures"], row["attempt_id"]) == ("TS-203", 0, None)
        status = (await blind.get("/api/assistants/sealed/status")).json()
        assert (status["state"], status["code"]) == ("provisioning", "TS-203")
        assert "sealed key cannot be opened" in status["message"]
        assert {entry["key"] for entry in (await vapi.requests())[before:]} == {sandbox.api_key}
        refused = await give(blind, sealed, "a")
        assert (refused.status_code, refused.json()["code"]) == (503, "TS-203")
        assert "VAPI_KEY_ENVELOPE_KEYS" in refused.json()["detail"]


async def test_a_sealed_key_in_another_clinics_row_is_not_used(world: Harness) -> None:
    victim, thief = await clinic(world, "a"), await clinic(world, "b")
    assert victim
    await world.owner.execute(
        "UPDATE vapi_accounts t SET account = v.account, sealed_key = v.sealed_key, key_fingerprint = v.key_fingerprint"
        " FROM vapi_accounts v WHERE t.org_id = $1 AND v.org_id = $2",
        thief,
        victim,
    )
    before = len(await world.vapi.requests())
    answer = await world.post("/api/agents", {"name": "Thief", "id": "thief"}, thief)
    assert answer.status_code == 202
    assert len(await world.vapi.requests()) == before
    assert (await world.row("thief"))["failure_code"] == "TS-203"


async def test_the_clients_of_own_accounts_are_few_and_one_whose_key_is_replaced_is_closed(world: Harness) -> None:
    accounts = world.service.accounts
    object.__setattr__(accounts, "_settings", accounts._settings.model_copy(update={"vapi_accounts_open_max": 2}))
    for name in "abc":
        await world.agent(await clinic(world, name))
        assert len(accounts._open) <= 2
    assert accounts._surplus == []
    org_id = await clinic(world, "a")
    async with accounts.of(org_id, account_of("a")) as first:
        await give(world, org_id, "a", 2)
        async with accounts.of(org_id, account_of("a")) as second:
            assert second is not first
        assert len(accounts._surplus) <= 1, "somebody works with it"
    assert accounts._surplus == []


async def test_the_rate_of_a_key_is_the_smallest_that_one_of_its_clinics_was_given(world: Harness) -> None:
    first, second = await clinic(world, "a"), await clinic(world, "a")
    await give(world, first, "a", requestsPerMinute=600)
    await give(world, second, "a", requestsPerMinute=10)
    await world.agent(first)
    drawn = await world.owner.fetch("SELECT key, max(allowed) AS allowed FROM key_minutes GROUP BY key")
    assert [tuple(row) for row in drawn] == [(fingerprint_of(account_key("a")), 4)], "0.4 of 10"
    minute = await world.owner.fetchval("SELECT floor(extract(epoch FROM now()) / 60)::bigint")
    lent = await world.post(
        "/api/vapi-minutes", {"key": fingerprint_of(account_key("a")), "minute": minute, "requests": 1}
    )
    assert lent.status_code == 200


async def test_an_account_that_does_not_answer_has_its_places_and_no_more(world: Harness) -> None:
    orgs = [await clinic(world, "a") for _ in range(3)]
    plain = await clinic(world, None)
    await world.suspend_provisioning()
    for org_id in orgs:
        for number in range(30):
            await world.owner.execute(
                "INSERT INTO agents (org_id, id, name) VALUES ($1, $2, 'x')", org_id, f"{org_id}-{number}"
            )
    await world.vapi.break_route("*", {"kind": "hang", "hold_ms": 20_000}, match={"key": account_key("a")})
    provisioner = world.service.provisioner
    provisioner._writes_suspended = lambda: False
    provisioner.wake()
    limit = world.service.settings.vapi_account_places_max
    await eventually(lambda: _running_at_least(world, limit))
    await world.agent(plain)
    assert sum(agent.vapi_account == account_of("a") for agent in provisioner._running.values()) <= limit


async def _running_at_least(harness: Harness, count: int) -> bool:
    running = list(harness.service.provisioner._running.values())
    return sum(agent.vapi_account != "platform" for agent in running) >= count


async def test_a_deleted_clinics_key_is_kept_until_nothing_of_it_is_at_vapi(world: Harness, sandbox: Sandbox) -> None:
    org_id = await clinic(world, "a")
    await world.agent(org_id, name="of a")
    assert (await world.delete(f"/api/organizations/{org_id}")).status_code == 204
    await world.removed()
    assert await names_in(sandbox.url, account_key("a")) == ["the agency's own"]
    assert [one["body"]["account"] for one in await world.outbox("VapiAccount")] == [account_of("a")]
    await world.service.housekeeping.run_once()
    assert await world.owner.fetchval("SELECT count(*) FROM vapi_accounts") == 1
    await world.owner.execute("UPDATE vapi_accounts SET closed_at = now() - interval '3 days'")
    await world.service.housekeeping.run_once()
    assert await world.owner.fetchval("SELECT count(*) FROM vapi_accounts") == 0
    assert [one["body"]["account"] for one in await world.outbox("VapiAccount")] == [account_of("a"), None]


async def test_a_clinic_that_is_made_anew_meanwhile_has_its_account_again(world: Harness) -> None:
    org_id = await clinic(world, "a")
    await world.delete(f"/api/organizations/{org_id}")
    assert (await world.get(f"/api/organizations/{org_id}/vapi-key")).status_code == 404
    assert (await world.post("/api/organizations", {"name": "Again", "id": str(org_id)})).status_code == 201
    assert (await world.get(f"/api/organizations/{org_id}/vapi-key")).json()["account"] == account_of("a")


async def test_what_a_lost_creation_made_in_an_own_account_is_found_there(world: Harness, sandbox: Sandbox) -> None:
    """Swept long after: one list for each account, with that account's key."""
    org_id = await clinic(world, "a")
    agent_id = (await world.agent(org_id))["agentId"]
    row = await world.row(agent_id)
    await world.owner.execute(
        "INSERT INTO unanswered_creations (attempt_id, org_id, agent_id, vapi_account, attempt_at)"
        " VALUES (gen_random_uuid(), $1, $2, $3, now() - interval '2 hours')",
        org_id,
        agent_id,
        row["vapi_account"],
    )
    before = len(await world.vapi.requests())
    assert await world.service.sweep.run_once() == 0
    assert {entry["key"] for entry in (await world.vapi.requests())[before:]} == {account_key("a")}
    assert await world.owner.fetchval("SELECT count(*) FROM unanswered_creations") == 0


async def test_the_phone_calls_of_an_erased_patient_are_deleted_with_the_clinics_key(world: Harness) -> None:
    org_id = await clinic(world, "a")
    await world.owner.execute(
        "INSERT INTO erasures (id, org_id, erased_at, principal, appointments, answers, key_id, hashes)"
        " VALUES ($1, $1, now(), 'test', 0, 0, 'k', '{}')",
        org_id,
    )
    await world.owner.execute(
        "INSERT INTO erased_calls (erasure_id, org_id, call_id, state)"
        " VALUES ($1, $1, gen_random_uuid()::text, 'to_delete')",
        org_id,
    )
    assert (await give(world, org_id, "b")).status_code == 409
    assert await world.service.call_deletions.run_once() == 1
    assert [entry["key"] for entry in await world.vapi.requests("DELETE")] == [account_key("a")]
    assert (await give(world, org_id, "b")).status_code == 200


async def test_all_keys_are_sealed_anew_and_the_rest_by_whoever_begins_again(world: Harness) -> None:
    for name in "abc":
        await clinic(world, name)
    await world.owner.execute("UPDATE vapi_accounts SET sealed_key = 'gone.AAAA' WHERE account = $1", account_of("c"))
    keys, before = EnvelopeKeys.parse(BOTH.get_secret_value()), len(await world.outbox("VapiAccount"))
    new_first = EnvelopeKeys({"new": _material("new"), "old": _material("old")})
    assert repr(keys) == repr(new_first)
    async with world.service.database.connection() as connection:
        done = await reseal(connection, new_first)
        assert (done.accounts, done.resealed, done.changed, len(done.shut)) == (3, 2, 0, 1)
        assert "gone" in done.shut[0][1]
        again = await reseal(connection, new_first)
        assert (again.resealed, again.newest_already) == (0, 2)
        ids = [one["envelope"] for one in await listed(connection)]
    assert sorted(ids) == ["gone", "new", "new"]
    assert len(await world.outbox("VapiAccount")) == before + 2
    answer = await give(world, await clinic(world, "a"), "a")
    assert answer.status_code == 200


def _material(name: str) -> bytes:
    return base64.b64decode(MATERIAL[name])


# On a broker.


async def _on_topic(settings: Settings) -> dict[UUID, VapiAccount]:
    found: dict[UUID, VapiAccount] = {}
    async with compacted(settings.kafka_bootstrap_servers, settings.vapi_accounts_topic, "test") as reading:
        async for newest in reading.partitions():
            for record in newest.values():
                said = read_account(record.key, record.value, record.headers)
                if said.message is not None:
                    found[said.org_id] = said.message
    return found


async def _sent(harness: Harness) -> bool:
    return bool(await harness.owner.fetchval("SELECT count(*) = 0 FROM outbox"))


async def test_the_topic_says_what_the_rows_do_is_mended_and_nowhere_is_a_clear_key(
    assistant_api_db: DatabaseUrls,
    sandbox: Sandbox,
    vapi: Vapi,
    kafka: TestKafka,
    caplog: pytest.LogCaptureFixture,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("assistant_api.app.loops.NAMES_SECONDS", 3600.0)
    caplog.set_level(logging.DEBUG)
    for name in "ab":
        await fill(sandbox.url, name)
    exporter = InMemorySpanExporter()
    settings = make_settings(
        assistant_api_db,
        sandbox,
        kafka_bootstrap_servers=kafka.bootstrap_servers,
        **await own_topics(kafka),
        consumer_group=f"group-{uuid4()}",
        vapi_key_envelope_keys=ENVELOPE,
    )
    async with whole_service(settings, assistant_api_db, vapi, exporter) as harness:
        with structlog.testing.capture_logs() as structured:
            kept, left, plain = await clinic(harness, "a"), await clinic(harness, "b"), await clinic(harness, None)
            for org_id in (kept, left, plain):
                await harness.agent(org_id)
            await vapi.dial(revoked_keys=[account_key("b")])
            await harness.post("/api/agents", {"name": "refused"}, left)
            await vapi.dial()
            await eventually(lambda: _sent(harness), within_seconds=20)
            said = await _on_topic(settings)
            assert {org: one.account for org, one in said.items()} == {kept: account_of("a"), left: account_of("b")}
            opened = EnvelopeKeys.parse(ENVELOPE.get_secret_value())
            for org, one in said.items():
                sealed = Sealed(org, one.account, one.sealed_key, one.key_fingerprint)
                assert opened.open(sealed) == account_key("a" if org == kept else "b")

            # What triggers do not see: a row that is another now, and one that the topic has and nobody.
            admin = await asyncpg.connect(assistant_api_db.admin)
            await admin.execute("SET session_replication_role = replica")
            await admin.execute("UPDATE vapi_accounts SET requests_per_minute = 7 WHERE org_id = $1", kept)
            await admin.execute("DELETE FROM vapi_accounts WHERE org_id = $1", left)
            await admin.close()
            await harness.owner.execute("UPDATE name_checks SET due_at = now()")
            assert await harness.service.names.run_once() >= 2
            await eventually(lambda: _sent(harness), within_seconds=20)
            said = await _on_topic(settings)
            assert {org: one.requests_per_minute for org, one in said.items()} == {kept: 7}
        outbox_and_rows = [
            await harness.owner.fetch(f"SELECT t::text FROM {row[0]} t")  # noqa: S608 - names of tables
            for row in await harness.owner.fetch(
                "SELECT relname FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace"
            )
        ]
        health = (await harness.http.get("/readyz")).text
    logged = [str(record.__dict__) for record in caplog.records if "http://api/" not in record.getMessage()]
    spans = [span.to_json() for span in exporter.get_finished_spans()]
    assert len(spans) > 10
    everything = "\n".join(map(str, (structured, *logged, *spans, outbox_and_rows, health, *capsys.readouterr())))
    assert account_of("a") in everything
    for secret in (account_key("a"), account_key("b"), MATERIAL["old"]):
        assert secret not in everything
