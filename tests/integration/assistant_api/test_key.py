"""What Vapi allows the key: pauses that nobody's attempts pay for, and a rate that holds in every UTC minute."""

from collections import Counter
from collections.abc import AsyncIterator
from uuid import UUID

import pytest
import pytest_asyncio
from tests.support.eventually import eventually

from assistant_api.app.service import Service
from assistant_api.vapi.answers import Later
from assistant_api.vapi.key import Ticket, VapiKey, fingerprint_of
from devstack.databases import DatabaseUrls
from devstack.sandbox import Sandbox

from .harness import Harness, Vapi, make_settings, running

RATE = 30


@pytest_asyncio.fixture(loop_scope="session")
async def limited(assistant_api_db: DatabaseUrls, sandbox: Sandbox, vapi: Vapi) -> AsyncIterator[Harness]:
    """The service with a rate: 75 requests a minute for the credential, of which 30 are its own."""
    settings = make_settings(
        assistant_api_db, sandbox, answer_wait_seconds=0.3, vapi_requests_per_minute=75, vapi_rate_saves_share=0.5
    )
    async with running(settings, assistant_api_db, vapi) as harness:
        yield harness


@pytest_asyncio.fixture(loop_scope="session")
async def breaking(assistant_api_db: DatabaseUrls, sandbox: Sandbox, vapi: Vapi) -> AsyncIterator[Harness]:
    """The service whose breaker opens soon."""
    settings = make_settings(
        assistant_api_db, sandbox, answer_wait_seconds=0.3, breaker_failures=3, breaker_seconds_base=30
    )
    async with running(settings, assistant_api_db, vapi) as harness:
        yield harness


async def test_a_rate_limit_pauses_the_key_and_costs_nobody_an_attempt(harness: Harness) -> None:
    await _agents(harness, 1)
    await harness.vapi.break_route("POST /assistant", {"kind": "status", "status": 429})
    await _agents(harness, 20, prefix="late")
    await eventually(lambda: _pause(harness))
    await harness.service.provisioner.drain()
    asked = len(await harness.vapi.requests())

    assert await harness.service.provisioner.run_once() == 0

    assert len(await harness.vapi.requests()) == asked
    assert await harness.owner.fetchval("SELECT max(failures) FROM agents") == 0
    left = await harness.owner.fetchval("SELECT extract(epoch FROM paused_until - now())::float8 FROM vapi_keys")
    assert 0 < left <= 62
    ends = await harness.owner.fetchval("SELECT extract(second FROM paused_until)::float8 FROM vapi_keys")
    assert 0.25 <= ends <= 2  # just after Vapi's window begins anew
    await harness.vapi.dial()
    await _end_pause(harness)
    await eventually(lambda: _all_there(harness))


async def test_retry_after_is_how_long_the_pause_lasts(harness: Harness) -> None:
    await harness.vapi.break_route("POST /assistant", {"kind": "status", "status": 429, "retry_after": 1}, times=1)

    await _agents(harness, 1)

    await eventually(lambda: _all_there(harness))
    first, second = await harness.vapi.requests("POST")
    assert second["monotonic_seconds"] - first["monotonic_seconds"] >= 1


async def test_a_refused_key_is_tried_by_one_agent_at_a_time(harness: Harness) -> None:
    await harness.vapi.break_route("*", {"kind": "status", "status": 401})
    await _agents(harness, 20)
    await eventually(lambda: _pause(harness))
    await harness.service.provisioner.drain()
    asked = len(await harness.vapi.requests())

    await _end_pause(harness)

    await eventually(lambda: _pause_above(harness, 40))
    assert len(await harness.vapi.requests()) == asked + 1
    assert await harness.owner.fetchval("SELECT max(failures) FROM agents") == 0
    await harness.vapi.dial()
    await _end_pause(harness)
    await eventually(lambda: _all_there(harness))
    assert await harness.owner.fetchval("SELECT count(*) FROM vapi_keys") == 0


async def test_a_changed_key_works_at_once(harness: Harness) -> None:
    settings = harness.service.settings
    old = fingerprint_of(settings.vapi_base_url, "the key before")
    assert old != harness.service.vapi.key.fingerprint
    await _insert_pause(harness, old)

    await _agents(harness, 1)

    await eventually(lambda: _all_there(harness))


async def test_a_pause_holds_for_every_replica(harness: Harness) -> None:
    await _insert_pause(harness, harness.service.vapi.key.fingerprint)
    await _agents(harness, 1)
    other = Service(harness.service.settings)
    await other.database.connect()
    try:
        assert await other.provisioner.run_once() == 0
        assert isinstance(await other.vapi.key.admit(save=True), Later)
    finally:
        await other.close()
    assert await harness.vapi.requests() == []


@pytest.mark.parametrize(
    ("reason", "code"), [("refused", "TS-201"), ("unpaid", "TS-202"), ("broken", "TS-101"), ("of tomorrow", "TS-101")]
)
async def test_a_replica_says_why_another_one_paused_the_key(harness: Harness, reason: str, code: str) -> None:
    await _insert_pause(harness, harness.service.vapi.key.fingerprint)
    await harness.owner.execute("UPDATE vapi_keys SET reason = $1", reason)
    await _agents(harness, 1)
    other = Service(harness.service.settings)
    await other.database.connect()
    try:
        assert await other.provisioner.run_once() == 0
        later = await other.vapi.key.admit(save=True)
    finally:
        await other.close()
    assert isinstance(later, Later)
    assert (later.code.value, later.counts_as_attempt) == (code, False)


async def test_calls_that_keep_breaking_open_the_breaker(breaking: Harness) -> None:
    await breaking.vapi.break_route("*", {"kind": "status", "status": 503})
    await _agents(breaking, 10)

    await eventually(lambda: _pause_above(breaking, 20))
    await breaking.service.provisioner.drain()
    asked = len(await breaking.vapi.requests())

    assert await breaking.service.provisioner.run_once() == 0
    assert len(await breaking.vapi.requests()) == asked
    assert await breaking.owner.fetchval("SELECT reason FROM vapi_keys") == "broken"
    assert await breaking.owner.fetchval("SELECT count(*) FROM agents WHERE provisioned_revision > 0") == 0


async def test_the_rate_holds_in_every_minute_and_waiting_is_nobodys_failure(limited: Harness) -> None:
    await _agents(limited, 2 * RATE)

    async def spent() -> bool:
        return bool(await limited.owner.fetchval("SELECT bool_or(used = $1) FROM key_minutes", RATE))

    await eventually(spent, within_seconds=70)
    await limited.service.provisioner.drain()
    assert await limited.owner.fetchval("SELECT max(failures) FROM agents") == 0
    requests = await limited.vapi.requests()
    assert len(requests) >= RATE
    per_minute = Counter(entry["at"][:16] for entry in requests)
    assert max(per_minute.values()) <= RATE


async def test_replicas_draw_from_one_minute_and_bulk_work_leaves_a_part_to_saves(limited: Harness) -> None:
    settings, database = limited.service.settings, limited.service.database
    keys = [VapiKey(settings, database, "key", settings.vapi_requests_per_minute) for _ in range(2)]

    async def take(save: bool, times: int) -> int:
        return sum([isinstance(await keys[turn % 2].admit(save=save), Ticket) for turn in range(times)])

    async def early_in_a_minute() -> bool:
        return bool(await limited.owner.fetchval("SELECT extract(second FROM clock_timestamp()) BETWEEN 0.6 AND 50"))

    await eventually(early_in_a_minute, within_seconds=15)
    assert await take(False, 100) == RATE // 2
    assert await take(True, 100) == RATE // 2
    assert await limited.owner.fetchval("SELECT used FROM key_minutes") == RATE


async def test_after_a_rate_limit_the_next_minute_has_less(limited: Harness) -> None:
    key = limited.service.vapi.key
    await limited.owner.execute(
        "INSERT INTO key_minutes (key, minute, allowed, used, refused)"
        " SELECT $1, floor(extract(epoch FROM now()) / 60) - 1, 30, 20, true",
        key.fingerprint,
    )

    await key.admit(save=True)

    newest = "SELECT allowed FROM key_minutes ORDER BY minute DESC LIMIT 1"
    assert await limited.owner.fetchval(newest) == 15


async def test_without_a_rate_no_request_is_counted(harness: Harness) -> None:
    await _agents(harness, 3)
    await eventually(lambda: _all_there(harness))

    assert await harness.owner.fetchval("SELECT count(*) FROM key_minutes") == 0


async def test_the_status_says_since_when_an_answer_is_missing(hasty: Harness) -> None:
    org_id = await hasty.organization()
    await hasty.vapi.break_route("POST /assistant", {"kind": "reset", "commit": True}, times=1)

    await hasty.post("/api/agents", {"id": "a", "name": "A"}, org_id)

    vapi = (await hasty.get("/api/assistants/a/status", org_id)).json()["vapi"]
    assert vapi["state"] == "unknown"
    assert 0.2 <= vapi["ageSeconds"] < 2
    assert vapi["since"].endswith("Z")
    await hasty.provisioned("a")
    vapi = (await hasty.get("/api/assistants/a/status", org_id)).json()["vapi"]
    assert vapi == {"state": "present", "since": None, "ageSeconds": None}


async def _agents(harness: Harness, count: int, prefix: str = "a") -> UUID:
    org_id: UUID = await harness.owner.fetchval("INSERT INTO organizations (name) VALUES ('Clinic') RETURNING id")
    await harness.owner.execute(
        "INSERT INTO agents (id, org_id, name) SELECT $2 || i, $1, 'A' FROM generate_series(1, $3::int) i",
        org_id,
        prefix,
        count,
    )
    return org_id


async def _all_there(harness: Harness) -> bool:
    return bool(await harness.owner.fetchval("SELECT bool_and(provisioned_revision = saved_revision) FROM agents"))


async def _pause(harness: Harness) -> bool:
    return await _pause_above(harness, 0)


async def _pause_above(harness: Harness, seconds: float) -> bool:
    question = "SELECT count(*) = 1 FROM vapi_keys WHERE paused_until > now() + make_interval(secs => $1)"
    return bool(await harness.owner.fetchval(question, seconds))


async def _end_pause(harness: Harness) -> None:
    await harness.owner.execute("UPDATE vapi_keys SET paused_until = now() - interval '1 ms'")


async def _insert_pause(harness: Harness, fingerprint: str) -> None:
    await harness.owner.execute(
        "INSERT INTO vapi_keys (key, paused_until, reason, half_open)"
        " VALUES ($1, now() + interval '1 h', 'refused', true)",
        fingerprint,
    )
