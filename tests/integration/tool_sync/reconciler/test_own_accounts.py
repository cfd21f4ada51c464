"""A clinic with an account of its own at Vapi is worked for there alone, and another's trouble there is not ours."""

import asyncio
import time
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from typing import Any, cast
from uuid import UUID, uuid4

import asyncpg
import pytest
from pydantic_core import to_json

from tool_sync import db
from tool_sync.console.lights import key_light
from tool_sync.domain.events import (
    AssistantRemoved,
    AssistantSynced,
    AssistantSyncFailed,
    SyncAttemptFailed,
    ToolDriftSeen,
    ToolOrdered,
    ToolRegistered,
    ToolRegistrationStarted,
    ToolUpdated,
    ToolVanished,
)
from tool_sync.queries.waiting import waits_of
from tool_sync.rollouts.feeder import Feeder
from tool_sync.sync.auto_sync import AutoSync
from tool_sync.sync.looks import Looks
from tool_sync.sync.loop import OWN_ORGS_MAX
from tool_sync.sync.survey import Survey, SurveyPace
from tool_sync.vapi.accounts import Account, Unusable
from tool_sync.vapi.rate_limit import keys_holding, paused_keys
from zerotouch_contracts.tools import DEFINITIONS

from .. import ordering
from .own import ACCOUNT, ANOTHER_ENVELOPE, API_KEY, ENVELOPE, Own, calls_of, envelope, own_account, process_with
from .world import World

EVERYWHERE = ["POST /tool", "GET /tool/{id}", "GET /assistant/{id}", "PATCH /assistant/{id}", "GET /tool"]
HANGS = {"kind": "hang", "hold_ms": 30_000}
SOON = 1.5
"""Of a save whose account is well, in seconds: a run waits for nothing but Vapi's answers, which come at once."""


@pytest.fixture
async def own(world: World) -> AsyncIterator[Own]:
    """An account beside the platform's."""
    async with own_account(world) as made:
        yield made


def everywhere(action: dict[str, Any]) -> list[dict[str, Any]]:
    return [{"route": route, "times": 10_000, "action": action} for route in EVERYWHERE]


async def is_synced(world: World, org_id: UUID) -> bool:
    return bool(await world.events(org_id, AssistantSynced))


async def until_told(world: World, org_id: UUID) -> None:
    async def told() -> bool:
        return await is_synced(world, org_id)

    await world.eventually(told)


async def until_synced(world: World, org_id: UUID, within_seconds: float = 8.0) -> None:
    async def synced() -> bool:
        return await is_synced(world, org_id)

    await world.until(synced, within_seconds)


async def test_a_clinic_is_worked_for_in_its_own_account_alone(world: World, own: Own) -> None:
    org = await own.clinic()
    await world.sync()

    (synced,) = await world.events(org, AssistantSynced)
    (tool,) = await world.org_tools(org)
    assert (synced.account, tool["account"]) == (ACCOUNT, ACCOUNT)
    there = (await own.http.get(f"/tool/{tool['vapi_tool_id']}")).json()
    assert there["server"]["credentialId"] == "own-credential"
    assert tool["vapi_tool_id"] in (await own.http.get("/assistant")).json()[0]["model"]["toolIds"]
    assert await calls_of(world.http) == [], "the platform's account was asked for nothing"


async def test_clinics_without_one_are_served_with_the_platforms_as_before(world: World, own: Own) -> None:
    await own.clinic()
    org = uuid4()
    await world.save(org, await world.assistant())
    await world.sync()
    (synced,) = await world.events(org, AssistantSynced)
    assert synced.account == "platform"
    assert "credentialId" not in (await world.tools())[0]["server"]
    assert len(await world.tools()) == 1


async def test_a_save_that_comes_before_the_clinics_record_waits_for_it_and_nothing_is_sent(
    world: World, own: Own
) -> None:
    org = uuid4()
    await world.save(org, await own.assistant(), account=ACCOUNT)
    await world.sync()
    await world.sync()

    assert await calls_of(world.http) == await own.calls() == []
    assert [type(event).__name__ for event in await world.events(org)] == ["SyncRequested"], "it is nobody's attempt"
    async with world.pool.acquire() as connection:
        (paused,) = await paused_keys(connection)
    assert (paused.code, paused.account) == ("TS-204", ACCOUNT)
    due = await world.next_due(org)
    assert due is not None
    assert due > await world.now()

    await own.give(org)  # it makes the clinic due by itself
    began = time.monotonic()
    await until_synced(world, org)
    assert time.monotonic() - began < SOON
    assert await calls_of(world.http) == []
    assert await world.events(org, SyncAttemptFailed, AssistantSyncFailed) == []


async def test_a_save_in_the_platforms_account_waits_while_the_clinic_is_said_to_have_its_own(
    world: World, own: Own
) -> None:
    org = uuid4()
    await own.give(org)
    await own.known()
    await world.save(org, await world.assistant())
    await world.sync()
    assert await calls_of(world.http) == await own.calls() == []
    await own.take(org)
    await until_synced(world, org)
    assert await own.calls() == []


async def test_a_deleted_assistant_of_the_account_before_holds_up_nobody(world: World, own: Own) -> None:
    org = uuid4()
    before = await world.assistant()
    await world.save(org, before, "agent-1")
    await world.append(org, AssistantRemoved("agent-1", before["id"], 1))
    await own.give(org)
    await own.known()
    await world.save(org, await own.assistant(), "agent-2", account=ACCOUNT)
    await until_synced(world, org)
    assert await calls_of(world.http) == []


async def test_a_clinic_that_gets_an_account_gets_its_tools_anew_there(world: World, own: Own) -> None:
    org = uuid4()
    before = await world.assistant()
    await world.save(org, before)
    await world.sync()
    (left,) = await world.org_tools(org)
    await world.append(org, AssistantRemoved("agent-1", before["id"], 1))
    await world.sync()
    asked = len(await calls_of(world.http))

    await own.give(org)
    await own.known()
    made = await own.assistant()
    await world.save(org, made, "agent-2", account=ACCOUNT)
    await until_synced(world, org)

    (vanished,) = await world.events(org, ToolVanished)
    assert (vanished.account, vanished.vapi_tool_id) == ("platform", left["vapi_tool_id"])
    (tool,) = await world.org_tools(org)
    assert (tool["account"], tool["vapi_tool_id"] != left["vapi_tool_id"]) == (ACCOUNT, True)
    linked = (await own.http.get(f"/assistant/{made['id']}")).json()["model"]["toolIds"]
    assert linked == [tool["vapi_tool_id"]]
    assert len(await calls_of(world.http)) == asked, "and the platform's account is asked for nothing more"


@pytest.mark.parametrize(
    "trouble",
    [HANGS, {"kind": "status", "status": 401}, {"kind": "status", "status": 503},
     {"kind": "status", "status": 429, "retry_after": 30}],
    ids=["hangs", "401", "503", "429"],
)  # fmt: skip
async def test_an_account_in_trouble_takes_no_time_from_the_saves_of_others(
    world: World, own: Own, trouble: dict[str, Any]
) -> None:
    dead = [await own.clinic(f"agent-{n}") for n in range(3 * OWN_ORGS_MAX)]
    await own.turn(rules=everywhere(trouble))
    working = asyncio.create_task(world.reconciler.run_forever())
    try:
        await asyncio.sleep(0.1)  # they are claimed, and hang
        assert world.reconciler.in_flight <= OWN_ORGS_MAX
        for _ in range(5):
            org, began = uuid4(), time.monotonic()
            await world.save(org, await world.assistant())
            world.reconciler.wake()
            await until_told(world, org)
            assert time.monotonic() - began < SOON
    finally:
        world.reconciler.stop()
        await working
    async with world.pool.acquire() as connection:
        assert {key.account for key in await paused_keys(connection)} <= {ACCOUNT}, "nobody else's key is paused"
    assert not any([await is_synced(world, one) for one in dead])
    outcomes = [await world.outcomes(one) for one in dead]
    assert not any(outcomes), "and nothing of the account's has failed for good"


async def test_an_account_has_so_many_runs_and_its_clinics_fill_no_room_of_others(world: World, own: Own) -> None:
    for n in range(2 * OWN_ORGS_MAX):
        await own.clinic(f"agent-{n}")
    others = [uuid4() for _ in range(3)]
    for org in others:  # newer than all of the account's, and of bulk work
        await world.append(org, ToolOrdered("bookClinicAppointment", "seed-bookClinicAppointment"))
    await own.turn(rules=everywhere(HANGS))

    assert await world.reconciler.run_once()
    assert await world.reconciler.run_once() or True
    claimed = await world.pool.fetchval("SELECT count(*) FROM leases WHERE token IS NOT NULL")
    assert claimed <= OWN_ORGS_MAX + len(others)
    looked = await world.pool.fetchval("SELECT count(*) FROM leases WHERE org_id = ANY ($1)", others)
    assert looked == len(others), "the others are not behind them"
    for _ in range(3):
        assert not await world.reconciler.run_once(), "and no claim spins on those that have no room"
    await own.turn(rules=[])
    await world.reconciler.drain()


async def test_a_key_that_does_not_open_holds_up_its_clinic_alone_and_says_why(world: World, own: Own) -> None:
    org, another = await own.clinic(), uuid4()
    await world.save(another, await world.assistant())
    without = own.another(None)
    await without.known()
    world.reconciler = without.reconciler
    await world.sync()

    assert await is_synced(world, another)
    assert await own.calls() == []
    assert [type(event).__name__ for event in await world.events(org)] == ["SyncRequested"]
    async with world.pool.acquire() as connection:
        (paused,) = await paused_keys(connection)
        assert await keys_holding(connection, org) == (paused,), "`why` says it of this clinic"
        assert await keys_holding(connection, another) == ()
        (waiting,) = await waits_of(connection, 10)
    assert (paused.code, paused.account, paused.reason) == ("TS-203", ACCOUNT, "unusable")
    assert waiting.org_id == org
    assert f"of account {ACCOUNT}, which is paused: TS-203" in waiting.waits_for
    assert key_light((paused,)).says == f"works; {ACCOUNT} is paused"

    # Another process that can open it is held up by nothing that this one has written.
    await world.pool.execute("UPDATE leases SET next_due = now()")
    world.reconciler = own.reconciler
    await world.sync()
    assert await is_synced(world, org)


async def test_the_reason_names_what_is_wrong_and_no_key(world: World, own: Own) -> None:
    org = await own.clinic()
    for keys, said in (
        (None, "there is no envelope key"),
        (ANOTHER_ENVELOPE, "does not open with the envelope key"),
    ):
        process = own.another(keys)
        await process.known()
        unusable = await process.accounts.of(org)
        assert isinstance(unusable, Unusable)
        assert said in unusable.why
        assert API_KEY not in repr(unusable)


async def test_a_sealed_key_that_was_copied_to_another_clinic_gives_it_nothing(world: World, own: Own) -> None:
    mine = await own.clinic()
    assert isinstance(await own.accounts.of(mine), Account)
    thief = uuid4()
    await own.give(thief, sealed_for=mine)
    await own.known()
    await world.save(thief, await own.assistant(), account=ACCOUNT)
    await world.sync()
    assert isinstance(await own.accounts.of(thief), Unusable)
    assert await world.events(thief, ToolRegistrationStarted) == []
    assert await is_synced(world, mine)


async def test_a_key_that_is_rotated_goes_on_at_once(world: World, own: Own) -> None:
    org = uuid4()
    await own.give(org, api_key="revoked")
    await own.known()
    await world.save(org, await own.assistant(), account=ACCOUNT)
    await world.sync()
    assert not await is_synced(world, org)
    assert [call["status"] for call in await own.calls()] == [401]

    await own.give(org)
    await own.known()
    began = time.monotonic()
    await until_synced(world, org)
    assert time.monotonic() - began < SOON, "and not when the pause of the key before ends"


async def test_another_credential_is_written_into_the_tools(world: World, own: Own) -> None:
    org = await own.clinic()
    await world.sync()
    auto_sync = AutoSync(world.context, world.pool, period=timedelta(hours=24), per_second=10_000, poll_seconds=0.01)
    await auto_sync.run_once()
    await own.give(org, credential_id="rotated")
    await own.known()

    assert await auto_sync.run_once() == 1
    await world.sync()
    (tool,) = (await own.http.get("/tool")).json()
    assert tool["server"]["credentialId"] == "rotated"
    assert len(await world.events(org, ToolUpdated)) == 1


async def test_lists_and_looks_are_made_in_the_account_that_each_clinic_has(
    world: World, own: Own, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tool_sync.sync.looks.JUST_MADE", timedelta())
    org, other = await own.clinic(), uuid4()
    await world.save(other, await world.assistant())
    await world.sync()
    (mine,), (theirs,) = (await own.http.get("/tool")).json(), await world.tools()
    auto_sync = AutoSync(world.context, world.pool, period=timedelta(hours=24), per_second=10_000, poll_seconds=0.01)
    assert await auto_sync.run_once() == 0
    walks = await world.pool.fetch("SELECT account FROM vapi_walks WHERE finished_at IS NOT NULL")
    assert sorted({row["account"] for row in walks}) == ["platform", ACCOUNT]

    await own.http.patch(f"/tool/{mine['id']}", json={"server": {"url": "https://stranger.example.test"}})
    await world.http.patch(f"/tool/{theirs['id']}", json={"server": {"url": "https://stranger.example.test"}})
    survey = Survey(world.context, Looks(world.pool), SurveyPace(10_000, 0.01, 0.0))
    survey.settled(org)
    survey.settled(other)
    assert await survey.run_once() == 2
    assert [event.account for event in await world.events(org, ToolDriftSeen)] == [ACCOUNT]
    await world.sync()
    assert (await own.http.get(f"/tool/{mine['id']}")).json()["server"] == mine["server"]
    assert (await world.http.get(f"/tool/{theirs['id']}")).json()["server"] == theirs["server"]


async def test_an_account_that_hangs_takes_the_looks_of_nobody_else(world: World, own: Own) -> None:
    for n in range(5):
        await own.clinic(f"agent-{n}")
    other = uuid4()
    await world.save(other, await world.assistant())
    await world.sync()
    await own.turn(rules=everywhere(HANGS))
    await world.pool.execute("UPDATE object_looks SET suspected_at = now()")
    auto_sync = AutoSync(world.context, world.pool, period=timedelta(hours=24), per_second=10_000, poll_seconds=0.01)
    await auto_sync.run_once()  # takes stock
    (theirs,) = await world.tools()
    await world.http.patch(f"/tool/{theirs['id']}", json={"server": {"url": "https://stranger.example.test"}})
    await world.pool.execute("UPDATE object_looks SET suspected_at = now(), tried_at = NULL")
    began = time.monotonic()
    assert await auto_sync.run_once() == 1
    assert time.monotonic() - began < SOON
    hung = await own.calls()
    await auto_sync.run_once()
    assert len(await own.calls()) == len(hung), "and it is let rest"


async def test_the_clear_key_is_in_no_table_no_event_and_no_log(
    world: World, own: Own, capsys: pytest.CaptureFixture[str], admin: "asyncpg.Connection[asyncpg.Record]"
) -> None:
    org = await own.clinic()
    await world.sync()
    await own.turn(rules=everywhere({"kind": "status", "status": 401}))
    await world.save(org, await own.assistant(), "agent-2", account=ACCOUNT)
    await world.sync()
    account = await own.accounts.of(org)
    told = [repr(one) for one in (account, world.context, await own.accounts.usable(), vars(own.accounts))]

    tables = [row["name"] for row in await admin.fetch(
        "SELECT quote_ident(table_name) AS name FROM information_schema.tables"
        " WHERE table_schema = 'public' AND table_type = 'BASE TABLE'"
    )]  # fmt: skip
    assert "vapi_accounts" in tables
    for table in tables:
        rows = await admin.fetch(f"SELECT t::text AS row FROM {table} t")  # noqa: S608
        told += [row["row"] for row in rows]
    printed = capsys.readouterr()
    told += [printed.out, printed.err]
    assert all(API_KEY not in text for text in told)
    assert any(ACCOUNT in text for text in told), "the account is named"


async def test_a_record_says_nothing_new_twice_and_an_older_one_nothing_at_all(world: World, own: Own) -> None:
    org, own.revision = uuid4(), 5
    await own.give(org)
    first = await change_of(world.pool, org)
    own.revision -= 2
    await own.give(org, per_minute=10)  # an older revision of another rate
    assert await change_of(world.pool, org) == first
    await own.take(org)
    assert own.accounts.name_of(org) is None
    assert (await change_of(world.pool, org)) > first


async def change_of(pool: db.Pool, org_id: UUID) -> int:
    return cast(int, await pool.fetchval("SELECT change FROM vapi_accounts WHERE org_id = $1", org_id))


async def test_events_say_in_which_account_it_was(world: World, own: Own) -> None:
    org = await own.clinic()
    await world.sync()
    (registered,) = await world.events(org, ToolRegistered)
    assert registered.account == ACCOUNT
    assert API_KEY.encode() not in to_json(await world.events(org))


async def test_a_command_for_envelope_keys_that_hangs_holds_up_no_claim_of_others(world: World, own: Own) -> None:
    mine, others = [await own.clinic(f"agent-{n}") for n in range(5)], [uuid4() for _ in range(3)]
    for org in others:
        await world.save(org, await world.assistant())
    process = process_with(world, own.http, own.transport, envelope(None, command="sleep 30"))
    await process.known()
    world.reconciler = process.reconciler
    began = time.monotonic()
    await world.sync()
    assert time.monotonic() - began < SOON
    assert all([await is_synced(world, org) for org in others])
    assert not any([await is_synced(world, org) for org in mine])
    await process.accounts.close()


async def test_a_command_that_prints_the_envelope_keys_opens_what_is_sealed(world: World, own: Own) -> None:
    org = await own.clinic()
    process = process_with(world, own.http, own.transport, envelope(None, command=f"echo {ENVELOPE}"))
    await process.known()
    world.reconciler = process.reconciler
    await until_synced(world, org)


async def test_a_rollout_is_written_and_read_back_in_each_account(world: World, own: Own) -> None:
    org, other = await own.clinic(), uuid4()
    await world.save(other, await world.assistant())
    await world.sync()
    newer = replace(DEFINITIONS[0], version=9, description="Says that it is looking.")
    await world.publish(newer)
    rollout_id = await ordering.start(world.log, newer.name, newer.version)
    feeder = Feeder(world.context, world.pool, on_fed=lambda: None)

    async def completed() -> bool:
        await feeder.run_once()
        ended = "SELECT count(*) FROM events WHERE type = 'RolloutCompleted' AND data ->> 'rollout_id' = $1"
        return bool(await world.pool.fetchval(ended, rollout_id))

    await world.until(completed)
    (mine,), (theirs,) = (await own.http.get("/tool")).json(), await world.tools()
    assert {mine["function"]["description"], theirs["function"]["description"]} == {newer.description}
    assert mine["server"]["credentialId"] == "own-credential"
    for http, tool in ((own.http, mine), (world.http, theirs)):
        calls = [(call["method"], call["path"]) for call in await calls_of(http)]
        assert ("PATCH", f"/tool/{tool['id']}") in calls
        assert ("GET", "/tool") in calls, "its list was read back"
    assert await world.events(org, ToolDriftSeen) == await world.events(other, ToolDriftSeen) == []


async def test_a_dead_accounts_clinics_do_not_fill_a_rollout(
    world: World, own: Own, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tool_sync.rollouts.feeder.OWN_FED_MAX", 2)
    for n in range(6):
        await own.clinic(f"agent-{n}")
    others = [uuid4() for _ in range(4)]
    for n, org in enumerate(others):
        await world.save(org, await world.assistant(), f"other-{n}")
    await world.sync()
    await own.turn(rules=everywhere({"kind": "status", "status": 401}))
    newer = replace(DEFINITIONS[0], version=9, description="Says that it is looking.")
    await world.publish(newer)
    await ordering.start(world.log, newer.name, newer.version)
    feeder = Feeder(world.context, world.pool, on_fed=lambda: None, fed_max=3)

    async def all_others() -> bool:
        await feeder.run_once()
        return {tool["function"]["description"] for tool in await world.tools()} == {newer.description}

    await world.until(all_others)
    assert len(await world.tools()) == len(others)
