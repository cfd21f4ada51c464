"""A key that Vapi refuses, limits or does not answer is paused for everybody, and is nobody's failure."""

from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest

from tool_sync.domain.events import (
    AssistantRemoved,
    AssistantSynced,
    AssistantSyncFailed,
    SyncAttemptFailed,
    ToolRegistrationStarted,
)
from tool_sync.sync.loop import Reconciler

from .keys import at, calls, replica, saved_orgs
from .world import World

ROUTES = ["POST /tool", "GET /tool/{id}", "GET /assistant/{id}", "PATCH /assistant/{id}", "GET /tool"]


def everywhere(action: dict[str, Any]) -> list[dict[str, Any]]:
    return [{"route": route, "times": 10_000, "action": action} for route in ROUTES]


def status(code: int, **fields: Any) -> list[dict[str, Any]]:
    return everywhere({"kind": "status", "status": code, **fields})


async def work(world: World, reconciler: Reconciler) -> None:
    """Let a process work until it finds nothing to claim."""
    world.reconciler = reconciler
    await world.sync()


async def all_synced(world: World, orgs: list[UUID]) -> bool:
    count = await world.pool.fetchval(
        "SELECT count(DISTINCT org_id) FROM events WHERE type = 'AssistantSynced' AND org_id = ANY ($1)", orgs
    )
    return bool(count == len(orgs))


async def paused_until(world: World) -> Any:
    return await world.pool.fetchval("SELECT paused_until FROM vapi_keys WHERE key = 'key-1'")


@pytest.mark.parametrize("code", [401, 402, 403])
async def test_a_refused_key_gets_one_call_a_minute_of_two_hundred_orgs(world: World, code: int) -> None:
    orgs = await saved_orgs(world, 200)
    await world.turn(rules=status(code))
    one, other = (replica(world, refused_seconds=60) for _ in range(2))

    await work(world, one)
    await work(world, other)
    await work(world, one)

    assert len(await calls(world)) <= 2  # one of each process, which could not know
    until = await paused_until(world)
    due = [row["next_due"] for row in await world.pool.fetch("SELECT next_due FROM leases")]
    assert len(due) == 200
    assert all(until - timedelta(seconds=1) <= at for at in due)
    assert timedelta(seconds=55) < until - await world.now() < timedelta(seconds=65)
    started = [e for org in orgs for e in await world.events(org, ToolRegistrationStarted)]
    assert len(started) <= 2, "nothing is announced while nothing may be sent"


async def test_when_a_pause_ends_one_call_tries_and_its_answer_frees_everybody(world: World) -> None:
    orgs = await saved_orgs(world, 30)
    await world.turn(rules=status(401))
    one, other = replica(world), replica(world)
    await work(world, one)
    before = len(await calls(world))

    async def paused_again() -> bool:
        world.reconciler = other if world.reconciler is one else one
        return len(await calls(world)) >= before + 3

    await world.until(paused_again)
    tries = await world.pool.fetchval("SELECT until - since FROM key_pauses")
    assert tries >= timedelta(seconds=1.5), "three tries, each at the end of a pause"
    (kept,) = await world.pool.fetch("SELECT reason FROM key_pauses")
    assert kept["reason"] == "refused"

    await world.turn(rules=[])

    async def done() -> bool:
        return await all_synced(world, orgs)

    await world.until(done)
    failures = [e for org in orgs for e in await world.events(org, SyncAttemptFailed)]
    assert failures
    assert {(e.counted, e.failures, e.end, e.code) for e in failures} == {(False, 0, "refused", "TS-201")}
    assert len(await world.tools()) == 30


async def test_a_rate_limit_pauses_the_key_of_every_process_and_ends_by_itself(world: World) -> None:
    orgs = await saved_orgs(world, 20)
    await world.turn(rules=status(429, retry_after=1))
    one, other = replica(world), replica(world)
    await work(world, one)
    limited = len(await calls(world))
    await work(world, other)

    assert (limited, len(await calls(world))) == (1, 1)
    await world.turn(rules=[])

    async def done() -> bool:
        return await all_synced(world, orgs)

    await world.until(done)
    first, second, *_ = await calls(world)
    assert at(second) - at(first) >= timedelta(seconds=0.95)


async def test_a_breaker_opens_for_the_calls_of_all_orgs_and_doubles_until_one_is_answered(world: World) -> None:
    orgs = await saved_orgs(world, 40)
    await world.turn(rules=status(503))
    one = replica(world, breaker_failures=5)
    world.reconciler = one

    async def opened() -> bool:
        return bool(await world.pool.fetchval("SELECT openings FROM vapi_keys WHERE key = 'key-1'"))

    await world.until(opened)
    openings = await world.pool.fetchval("SELECT openings FROM vapi_keys WHERE key = 'key-1'")
    before = len(await calls(world))

    async def twice_more() -> bool:
        return bool(await world.pool.fetchval("SELECT openings >= $1 FROM vapi_keys WHERE key = 'key-1'", openings + 2))

    await world.until(twice_more)
    assert len(await calls(world)) - before <= 3, "one call at the end of each opening"
    await world.turn(rules=[])

    async def done() -> bool:
        return await all_synced(world, orgs)

    await world.until(done, within_seconds=20)
    assert await world.pool.fetchval("SELECT openings FROM vapi_keys WHERE key = 'key-1'") == 0
    assert len(await world.tools()) == 40


async def test_another_key_works_at_once(world: World) -> None:
    orgs = await saved_orgs(world, 20)
    await world.turn(rules=status(401))
    await work(world, replica(world, refused_seconds=3600))
    await world.turn(rules=[])
    await work(world, replica(world, refused_seconds=3600))
    assert not await all_synced(world, orgs)

    await work(world, replica(world, name="key-2", refused_seconds=3600))

    assert await all_synced(world, orgs)


async def test_a_decision_that_needs_no_call_is_taken_while_the_key_is_paused(world: World) -> None:
    org, assistant = uuid4(), await world.assistant()
    await world.save(org, assistant)
    await world.turn(rules=status(401))
    one = replica(world, refused_seconds=3600)
    await work(world, one)
    asked = len(await calls(world))

    await world.append(org, AssistantRemoved("agent-1", assistant["id"]))
    await work(world, one)

    (outcome,) = await world.outcomes(org)
    assert isinstance(outcome, AssistantSyncFailed)
    assert outcome.code == "TS-402"
    assert len(await calls(world)) == asked


async def test_a_save_is_given_up_after_its_time_without_pauses_and_recovers_at_once_when_the_key_does(
    world: World,
) -> None:
    org, assistant = uuid4(), await world.assistant()
    policy = replace(
        world.context.policy, give_up=timedelta(seconds=1.2), look_again=timedelta(hours=1), retry_seconds_max=0.1
    )
    request = await world.save(org, assistant)
    await world.turn(rules=status(401))
    world.reconciler = replica(world, policy=policy, refused_seconds=1.5)
    await world.sync()
    asked_at = await world.now()
    await world.turn(rules=status(503))

    async def failed() -> list[AssistantSyncFailed]:
        return await world.events(org, AssistantSyncFailed)

    # The breaker is not the subject: it never opens here.
    world.reconciler = replica(world, policy=policy, refused_seconds=1.5, breaker_failures=10**6)
    await world.pool.execute("UPDATE vapi_keys SET half_open = false")
    (outcome,) = await world.until(failed)
    assert await world.now() - asked_at >= timedelta(seconds=2.4), "the pause of 1.5 s is not counted"
    assert [r.request_id for r in outcome.requests] == [request]

    async def put_off() -> bool:
        due = await world.next_due(org)
        return due is not None and due - await world.now() > timedelta(minutes=50)

    await world.until(put_off)

    other = uuid4()
    await world.turn(rules=status(401))
    await world.save(other, assistant, "agent-2")
    await world.sync()
    await world.turn(rules=[])

    async def recovered() -> list[AssistantSynced]:
        return await world.events(org, AssistantSynced)

    (late,) = await world.until(recovered)
    assert (late.requests, late.cause, late.sequence) == ((), "recovered", outcome.sequence + 1)


@pytest.mark.parametrize(("code", "tries"), [(500, 3), (404, 1), (429, 1), (401, 1)])
async def test_a_read_is_tried_three_times_at_most_and_only_where_that_helps(
    world: World, code: int, tries: int
) -> None:
    org, assistant = uuid4(), await world.assistant()
    rule = {"route": "GET /assistant/{id}", "times": 10_000, "action": {"kind": "status", "status": code}}
    await world.turn(rules=[rule])
    await world.save(org, assistant)
    slow = replace(world.context.policy, retry_seconds_base=3600.0, retry_seconds_max=3600.0)

    await work(world, replica(world, policy=slow, refused_seconds=3600))

    assert len(await world.requests("GET", "/assistant/{id}")) == tries
