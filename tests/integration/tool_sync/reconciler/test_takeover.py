"""Processes die, stall, race and lose their leases: whoever comes next finds out what became of the work."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID, uuid4

import pytest

from tool_sync.domain.events import (
    AssistantLinked,
    AssistantLinkStarted,
    AssistantSynced,
    SyncAttemptFailed,
    ToolRegistered,
    ToolRegistrationStarted,
)
from tool_sync.sync.loop import Reconciler

from .world import World


def hang(route: str, *, commit: bool) -> dict[str, Any]:
    return {"route": route, "times": 1, "action": {"kind": "hang", "commit": commit, "hold_ms": 30_000}}


def slow(route: str, latency_ms: int) -> dict[str, Any]:
    return {"route": route, "times": 1, "action": {"kind": "delay", "latency_ms": latency_ms}}


@contextlib.asynccontextmanager
async def running(*reconcilers: Reconciler) -> AsyncIterator[None]:
    """The loops of these processes; at the end they are stopped, and what they were doing is cut off."""
    loops = [asyncio.create_task(reconciler.run_forever()) for reconciler in reconcilers]
    try:
        yield
    finally:
        for reconciler in reconcilers:
            reconciler.stop()
        await asyncio.gather(*loops)


async def arrived(world: World, method: str, path: str) -> None:
    """Wait until a request has reached Vapi."""

    async def there() -> bool:
        return bool(await world.requests(method, path))

    await world.eventually(there)


async def finished(world: World, orgs: list[UUID], requests: set[UUID]) -> list[AssistantSynced]:
    """Wait until every request has an outcome; the good ones."""

    async def all_settled() -> list[AssistantSynced]:
        found = [o for org in orgs for o in await world.outcomes(org)]
        settled = [r.request_id for o in found for r in o.requests]
        return [o for o in found if isinstance(o, AssistantSynced)] if requests <= set(settled) else []

    found: list[AssistantSynced] = await world.eventually(all_settled, within_seconds=30)
    return found


async def dies(world: World, org: UUID, method: str, path: str) -> None:
    """A process sends this request and is gone before the answer comes; then its lease runs out."""
    assert await world.another(deadline_seconds=30).run_once()
    await arrived(world, method, path)
    (run,) = [task for task in asyncio.all_tasks() if task.get_name() == f"sync {org}"]
    run.cancel()
    await asyncio.wait([run])
    await world.expire_leases()


@pytest.mark.parametrize("commit", [False, True], ids=["before Vapi acts", "after Vapi acted"])
async def test_a_process_that_dies_during_a_registration_is_replaced_and_one_tool_is_there(
    world: World, commit: bool
) -> None:
    org, assistant = uuid4(), await world.assistant()
    await world.turn(rules=[hang("POST /tool", commit=commit)])
    request = await world.save(org, assistant)

    await dies(world, org, "POST", "/tool")
    assert await world.events(org, SyncAttemptFailed) == []
    async with running(world.another()):
        (outcome,) = await finished(world, [org], {request})

    (tool,) = await world.tools()
    assert [t.vapi_tool_id for t in outcome.tools] == [tool["id"]]
    (registered,) = await world.events(org, ToolRegistered)
    assert registered.adopted is commit
    assert len(await world.events(org, ToolRegistrationStarted)) == (1 if commit else 2)


@pytest.mark.parametrize("commit", [False, True], ids=["before Vapi acts", "after Vapi acted"])
async def test_a_process_that_dies_during_a_link_is_replaced_and_the_assistant_is_linked(
    world: World, commit: bool
) -> None:
    org, assistant = uuid4(), await world.assistant()
    await world.turn(rules=[hang("PATCH /assistant/{id}", commit=commit)])
    request = await world.save(org, assistant)

    await dies(world, org, "PATCH", "/assistant/{id}")
    async with running(world.another()):
        await finished(world, [org], {request})

    (tool,) = await world.tools()
    assert (await world.at_vapi(assistant["id"]))["model"]["toolIds"] == [tool["id"]]
    assert len(await world.events(org, AssistantLinkStarted)) == (1 if commit else 2)
    assert len(await world.events(org, AssistantLinked)) == 1
    assert len(await world.requests("PATCH", "/assistant/{id}")) == (1 if commit else 2)


async def test_the_next_holder_waits_for_the_settle_time_of_an_attempt_that_it_did_not_make(world: World) -> None:
    org, assistant = uuid4(), await world.assistant()
    await world.turn(rules=[{"route": "POST /tool", "times": 1, "action": {"kind": "late", "delay_ms": 500}}])
    request = await world.save(org, assistant)

    await dies(world, org, "POST", "/tool")
    assert await world.tools() == []  # it lands only after its sender is gone
    async with running(world.another()):
        await finished(world, [org], {request})

    (registered,) = await world.events(org, ToolRegistered)
    assert registered.adopted
    assert [t["id"] for t in await world.tools()] == [registered.vapi_tool_id]


async def test_two_processes_on_one_log_make_one_tool_per_org_and_one_outcome_per_save(world: World) -> None:
    orgs = [uuid4() for _ in range(30)]
    await world.turn(latency_ms=5)
    assistants = {org: await world.assistant() for org in orgs}
    requests = {await world.save(org, assistants[org], str(org)) for org in orgs for _ in range(2)}

    async with running(world.another(claim_batch_max=3), world.another(claim_batch_max=3)):
        outcomes = await finished(world, orgs, requests)

    settled = [r.request_id for o in outcomes for r in o.requests]
    assert (sorted(settled), len(settled)) == (sorted(requests), 60)
    created = await world.requests("POST", "/tool")
    assert len(created) == len(await world.tools()) == 30
    for org in orgs:
        (row,) = await world.org_tools(org)
        linked = (await world.at_vapi(assistants[org]["id"]))["model"]["toolIds"]
        assert linked == [row["vapi_tool_id"]]


async def test_leases_that_run_out_all_the_time_make_no_surplus_tool_and_no_second_outcome(world: World) -> None:
    orgs = [uuid4() for _ in range(30)]
    await world.turn(latency_ms=140)  # two calls and what lies between them take longer than a lease
    assistants = {org: await world.assistant() for org in orgs}
    requests = {await world.save(org, assistants[org], str(org)) for org in orgs}
    short: dict[str, Any] = {"lease_seconds": 0.3, "lease_renew_seconds": 3600, "poll_seconds_max": 0.01}

    async with running(world.another(**short), world.another(**short)):
        await finished(world, orgs, requests)

    settled = [r.request_id for org in orgs for o in await world.outcomes(org) for r in o.requests]
    assert sorted(settled) == sorted(requests)
    for org in orgs:
        (row,) = await world.org_tools(org)
        mine = [t for t in await world.tools() if t["parameters"][0]["value"] == str(org)]
        assert [t["id"] for t in mine] == [row["vapi_tool_id"]]
        assert (await world.at_vapi(assistants[org]["id"]))["model"]["toolIds"] == [row["vapi_tool_id"]]
        sequences = [o.sequence for o in await world.outcomes(org)]
        assert sequences == list(range(1, len(sequences) + 1))


async def test_a_worker_whose_lease_ran_out_during_a_call_records_the_answer_and_sends_nothing_more(
    world: World,
) -> None:
    org, assistant = uuid4(), await world.assistant()
    await world.turn(rules=[slow("POST /tool", 800)])
    await world.save(org, assistant)
    worker = world.another(deadline_seconds=30, lease_seconds=0.4)

    assert await worker.run_once()
    await arrived(world, "POST", "/tool")
    await world.steal_leases()
    await worker.drain()

    (registered,) = await world.events(org, ToolRegistered)
    assert not registered.adopted
    assert await world.requests("PATCH", "/assistant/{id}") == []
    assert await world.outcomes(org) == []
    await still_stolen(world, org)


async def test_a_worker_that_learns_of_a_new_holder_sends_nothing_more(world: World) -> None:
    org, assistant = uuid4(), await world.assistant()
    await world.turn(rules=[slow("POST /tool", 800)])
    await world.save(org, assistant)
    worker = world.another(deadline_seconds=30, lease_seconds=30, lease_renew_seconds=0.05)

    async with running(worker):
        await arrived(world, "POST", "/tool")
        await world.steal_leases()

        async def registered() -> bool:
            return bool(await world.events(org, ToolRegistered)) and worker.in_flight == 0

        await world.eventually(registered)

    assert await world.requests("PATCH", "/assistant/{id}") == []
    assert await world.outcomes(org) == []
    await still_stolen(world, org)


async def still_stolen(world: World, org: UUID) -> None:
    """The new holder's lease was not given back by the old one."""
    held = await world.pool.fetchval(
        "SELECT token IS NOT NULL AND until > clock_timestamp() FROM leases WHERE org_id = $1", org
    )
    assert held


async def test_a_late_answer_after_somebody_else_resolved_the_attempt_changes_nothing(world: World) -> None:
    org, assistant = uuid4(), await world.assistant()
    await world.turn(rules=[hang("POST /tool", commit=True)])
    request = await world.save(org, assistant)
    slow_worker = world.another(deadline_seconds=2, lease_seconds=0.2)

    assert await slow_worker.run_once()
    await arrived(world, "POST", "/tool")
    await world.expire_leases()
    async with running(world.another()):
        await finished(world, [org], {request})
    before = await world.history(org)
    await slow_worker.drain()  # its deadline passes, long after the other one has adopted the tool

    assert await world.history(org) == before
    assert len(await world.tools()) == 1


async def test_a_process_that_slept_between_the_announcement_and_the_call_sends_nothing(world: World) -> None:
    org, assistant = uuid4(), await world.assistant()
    request = await world.save(org, assistant)

    await drain_once(world.another(send_window_seconds=0))

    assert await world.requests("POST", "/tool") == []
    failures = await world.events(org, SyncAttemptFailed)  # more than one where the machine is slower than the back-off
    assert {(failed.end, failed.code) for failed in failures} == {("not_sent", "TS-107")}
    async with running(world.another()):
        await finished(world, [org], {request})
    assert len(await world.tools()) == 1


async def drain_once(reconciler: Reconciler) -> None:
    assert await reconciler.run_once()
    await reconciler.drain()


async def test_a_stopped_process_leaves_its_orgs_to_others_at_once(world: World) -> None:
    org, assistant = uuid4(), await world.assistant()
    await world.turn(rules=[hang("GET /assistant/{id}", commit=True)])
    request = await world.save(org, assistant)

    async with running(world.another(deadline_seconds=30, lease_seconds=3600)):
        await arrived(world, "GET", "/assistant/{id}")
    async with running(world.another()):
        await finished(world, [org], {request})

    assert len(await world.requests("POST", "/tool")) == 1
