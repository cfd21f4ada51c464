"""Tools go: unlinked first, kept for a grace, then deleted if nobody links them; wanted again, they stay."""

import asyncio
import time
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest

from tool_sync.domain.events import (
    AssistantRemoved,
    AssistantSynced,
    AssistantSyncFailed,
    Event,
    OrgClosed,
    OrgRegistered,
    OrgTierChanged,
    SurplusDeleted,
    SweepStarted,
    SyncAttemptFailed,
    ToolDeleted,
    ToolDeleteStarted,
    ToolRegistered,
    ToolReinstated,
    ToolRetired,
    ToolSettingChanged,
)
from tool_sync.sync import write_guard
from tool_sync.sync.asking import Turn, admit
from tool_sync.sync.context import Clock, Context
from tool_sync.sync.loop import Reconciler
from tool_sync.vapi.client import VapiClient
from zerotouch_contracts.tools import BOOK_CLINIC_APPOINTMENT, CANCEL_APPOINTMENT_V2

from .world import World

CANCEL = replace(CANCEL_APPOINTMENT_V2, version=3, tier="professional")
GRACE_SECONDS = 0.5


def worker(world: World, *, grace: float = GRACE_SECONDS, deadline: float | None = None) -> Reconciler:
    """A process that does not keep retired tools for long."""
    one = world.another(deadline_seconds=deadline)
    policy = replace(world.context.policy, tool_grace=timedelta(seconds=grace), sweep_every=timedelta(seconds=0.3))
    return Reconciler(replace(one._context, policy=policy, clock=Clock()))


@pytest.fixture
async def org(world: World) -> UUID:
    """A professional org with two assistants that have both tools, one of which is for its tier and above."""
    await world.order(CANCEL)
    world.reconciler = worker(world)
    org = uuid4()
    await world.append(org, OrgRegistered("professional"))
    for n in range(2):
        await world.save(org, await world.assistant(name=f"Desk {n}"), f"agent-{n}")
    await world.sync()
    assert [len(await linked(world, a)) for a in await assistants(world)] == [2, 2]
    return org


async def assistants(world: World) -> list[str]:
    found = (await world.http.get("/assistant", params={"limit": 1000})).json()
    return sorted((a["id"] for a in found), key=lambda id_: next(a["name"] for a in found if a["id"] == id_))


async def linked(world: World, assistant_id: str) -> list[str]:
    ids: list[str] = (await world.at_vapi(assistant_id))["model"].get("toolIds", [])
    return ids


async def link_by_hand(world: World, assistant_id: str, model: dict[str, Any]) -> None:
    """Somebody changes an assistant in the dashboard."""
    answer = await world.http.patch(f"/assistant/{assistant_id}", json={"model": model})
    assert answer.status_code == 200


async def names(world: World) -> list[str]:
    return sorted(tool["function"]["name"] for tool in await world.tools())


async def deletes(world: World) -> int:
    return len(await world.requests("DELETE", "/tool/{id}"))


async def id_of(world: World, org: UUID, name: str) -> str:
    (row,) = [row for row in await world.org_tools(org) if row["tool_name"] == name]
    return str(row["vapi_tool_id"])


async def until_event(world: World, org: UUID, kind: type[Event], count: int = 1) -> list[Any]:
    async def there() -> list[Any]:
        found = await world.events(org, kind)
        return found if len(found) >= count else []

    found: list[Any] = await world.until(there)
    return found


async def test_a_lower_tier_unlinks_the_tool_retires_it_and_deletes_it_after_the_grace(world: World, org: UUID) -> None:
    gone = await id_of(world, org, CANCEL.name)
    await world.append(org, OrgTierChanged("basic"))
    await world.sync()

    for assistant in await assistants(world):
        assert gone not in await linked(world, assistant)
    (retired,) = await world.events(org, ToolRetired)
    assert (retired.vapi_tool_id, retired.reason) == (gone, "tier")
    rows = {row["tool_name"]: row["enabled"] for row in await world.org_tools(org)}
    assert rows == {BOOK_CLINIC_APPOINTMENT.name: True, CANCEL.name: False}
    told = [o for o in await world.events(org, AssistantSynced) if not o.requests]
    assert [(o.cause, [t.name for t in o.tools]) for o in told] == [("tier", [BOOK_CLINIC_APPOINTMENT.name])] * 2
    assert (await names(world), await deletes(world)) == ([BOOK_CLINIC_APPOINTMENT.name, CANCEL.name], 0)

    (deleted,) = await until_event(world, org, ToolDeleted)
    assert (deleted.vapi_tool_id, await names(world)) == (gone, [BOOK_CLINIC_APPOINTMENT.name])
    history = await world.history(org)
    (started_at,) = [s.recorded_at for s in history if isinstance(s.event, ToolDeleteStarted)]
    assert started_at >= retired.delete_at
    kinds = [type(s.event) for s in history][-3:]
    assert kinds == [SweepStarted, ToolDeleteStarted, ToolDeleted]
    assert await world.next_due(org) is None


async def test_a_setting_takes_a_tool_away_and_gives_it_back_with_the_same_id_within_the_grace(
    world: World, org: UUID
) -> None:
    world.reconciler = worker(world, grace=3600)
    both = await linked(world, (await assistants(world))[0])
    await world.append(org, ToolSettingChanged(BOOK_CLINIC_APPOINTMENT.name, enabled=False))
    await world.sync()
    assert [len(await linked(world, a)) for a in await assistants(world)] == [1, 1]
    (retired,) = await world.events(org, ToolRetired)
    assert retired.reason == "setting"
    assert await world.next_due(org) == retired.delete_at

    await world.append(org, ToolSettingChanged(BOOK_CLINIC_APPOINTMENT.name, enabled=True))
    await world.sync()

    assert [set(await linked(world, a)) for a in await assistants(world)] == [set(both)] * 2
    (reinstated,) = await world.events(org, ToolReinstated)
    assert reinstated.vapi_tool_id in both
    assert (len(await world.requests("POST", "/tool")), await deletes(world)) == (2, 0)
    assert all(row["enabled"] for row in await world.org_tools(org))
    assert {o.cause for o in await world.events(org, AssistantSynced) if not o.requests} == {"setting"}
    assert await world.next_due(org) is None


async def test_an_org_without_assistants_loses_its_tools_and_gets_new_ones_with_the_next_assistant(
    world: World, org: UUID
) -> None:
    for n, assistant in enumerate(await assistants(world)):
        await world.append(org, AssistantRemoved(f"agent-{n}", assistant))
        await world.http.delete(f"/assistant/{assistant}")  # assistant-api does
    reads = len(await world.requests("GET", "/assistant/{id}"))
    await until_event(world, org, ToolDeleted, 2)

    assert await world.tools() == []
    assert len(await world.requests("GET", "/assistant/{id}")) == reads
    assert {e.reason for e in await world.events(org, ToolRetired)} == {"unused"}
    assert len(await world.events(org, SweepStarted)) == 1  # one list of assistants for both tools
    assert await world.next_due(org) is None

    await world.save(org, await world.assistant(), "agent-9")
    await world.sync()
    assert len(await world.events(org, ToolRegistered)) == 4
    assert all(row["enabled"] for row in await world.org_tools(org))


async def test_a_closed_org_loses_its_tools_after_the_grace_and_is_left_alone(world: World, org: UUID) -> None:
    first, _ = await assistants(world)
    for n, assistant in enumerate(await assistants(world)):
        await world.append(org, AssistantRemoved(f"agent-{n}", assistant))
        await world.http.delete(f"/assistant/{assistant}")
    await world.append(org, OrgClosed())
    await until_event(world, org, ToolDeleted, 2)
    assert await world.tools() == []
    assert await world.next_due(org) is None

    calls = len((await world.http.get("/__sandbox/journal", params={"limit": 10_000})).json()["entries"])
    request = await world.save(org, {"id": first, "model": {}}, "agent-0")
    await world.sync()
    outcome = (await world.outcomes(org))[-1]
    assert isinstance(outcome, AssistantSyncFailed)
    assert (outcome.code, [r.request_id for r in outcome.requests]) == ("TS-403", [request])
    after = (await world.http.get("/__sandbox/journal", params={"limit": 10_000})).json()["entries"]
    assert len(after) == calls
    assert await world.next_due(org) is None


@pytest.mark.parametrize("how", ["toolIds", "toolRefs"])
async def test_a_tool_that_any_assistant_still_links_is_kept_until_nobody_does(
    world: World, org: UUID, how: str
) -> None:
    gone = await id_of(world, org, CANCEL.name)
    somebodys = await world.assistant(name="Another clinic's")
    model = dict(somebodys["model"])
    use = [gone] if how == "toolIds" else [{"toolId": gone, "version": "v1"}]
    await link_by_hand(world, somebodys["id"], {**model, how: use})
    await world.append(org, OrgTierChanged("basic"))

    in_use = await until_event(world, org, SyncAttemptFailed)
    assert {(e.subject, e.code) for e in in_use} == {(f"tool:{CANCEL.name}", "TS-306")}
    assert await deletes(world) == 0
    await link_by_hand(world, somebodys["id"], model)
    await until_event(world, org, ToolDeleted)
    assert await names(world) == [BOOK_CLINIC_APPOINTMENT.name]


async def test_a_tool_that_vapi_says_is_pinned_is_kept_and_looked_at_again(world: World, org: UUID) -> None:
    refusal = {"kind": "status", "status": 409, "json": {"error": "tool_pinned", "message": "pinned by a squad"}}
    await world.turn(rules=[{"route": "DELETE /tool/{id}", "times": 1, "action": refusal}])
    await world.append(org, OrgTierChanged("basic"))

    (refused,) = await until_event(world, org, SyncAttemptFailed)
    assert (refused.code, refused.end) == ("TS-306", "refused")
    assert refused.retry_at is not None
    await until_event(world, org, ToolDeleted)
    assert (await deletes(world), len(await world.events(org, SweepStarted))) == (2, 2)


async def test_a_tool_that_somebody_deleted_meanwhile_is_deleted(world: World, org: UUID) -> None:
    gone = await id_of(world, org, CANCEL.name)
    await world.append(org, OrgTierChanged("basic"))
    await world.sync()
    await world.http.delete(f"/tool/{gone}")

    (deleted,) = await until_event(world, org, ToolDeleted)
    assert deleted.vapi_tool_id == gone


async def dies_while_deleting(world: World, org: UUID) -> None:
    """A process announces a deletion, sends it and is gone; its lease runs out."""

    async def asked() -> bool:
        return await deletes(world) > 0

    dying = worker(world, deadline=30)

    async def working() -> bool:
        await dying.run_once()
        return await asked()

    await world.eventually(working)
    (run,) = [task for task in asyncio.all_tasks() if task.get_name() == f"sync {org}"]
    run.cancel()
    await asyncio.wait([run])
    await world.expire_leases()


async def test_a_process_that_dies_after_vapi_deleted_is_replaced_and_nothing_is_deleted_twice(
    world: World, org: UUID
) -> None:
    await world.append(org, OrgTierChanged("basic"))
    await world.sync()
    hang = {"kind": "hang", "commit": True, "hold_ms": 30_000}
    await world.turn(rules=[{"route": "DELETE /tool/{id}", "times": 1, "action": hang}])
    await dies_while_deleting(world, org)

    await until_event(world, org, ToolDeleted)
    assert await deletes(world) == 1
    assert await names(world) == [BOOK_CLINIC_APPOINTMENT.name]


async def test_a_process_that_dies_before_vapi_deleted_is_replaced_and_the_tool_goes_with_the_next_sweep(
    world: World, org: UUID
) -> None:
    await world.append(org, OrgTierChanged("basic"))
    await world.sync()
    hang = {"kind": "hang", "commit": False, "hold_ms": 30_000}
    await world.turn(rules=[{"route": "DELETE /tool/{id}", "times": 1, "action": hang}])
    await dies_while_deleting(world, org)

    await until_event(world, org, ToolDeleted)
    assert (await deletes(world), len(await world.events(org, SweepStarted))) == (2, 2)
    assert await names(world) == [BOOK_CLINIC_APPOINTMENT.name]


async def test_a_tool_whose_deletion_may_still_land_is_never_linked_again(world: World, org: UUID) -> None:
    doomed = await id_of(world, org, CANCEL.name)
    await world.append(org, OrgTierChanged("basic"))
    await world.sync()
    hang = {"kind": "hang", "commit": False, "hold_ms": 30_000}
    await world.turn(rules=[{"route": "DELETE /tool/{id}", "times": 1, "action": hang}])
    await dies_while_deleting(world, org)
    world.reconciler = worker_with_surplus(world, age=0.2)
    await world.append(org, OrgTierChanged("professional"))

    (deleted,) = await until_event(world, org, SurplusDeleted)
    assert deleted.vapi_tool_id == doomed
    fresh = await id_of(world, org, CANCEL.name)
    assert fresh != doomed
    assert await world.events(org, ToolReinstated) == []
    for assistant in await assistants(world):
        assert fresh in await linked(world, assistant)
        assert doomed not in await linked(world, assistant)
    assert await names(world) == [BOOK_CLINIC_APPOINTMENT.name, CANCEL.name]


async def test_a_lost_registration_does_not_adopt_the_tool_whose_deletion_may_still_land(
    world: World, org: UUID
) -> None:
    doomed = await id_of(world, org, CANCEL.name)
    await world.append(org, OrgTierChanged("basic"))
    await world.sync()
    hang = {"kind": "hang", "commit": False, "hold_ms": 30_000}
    lost = {"kind": "reset", "commit": True}
    await world.turn(
        rules=[
            {"route": "DELETE /tool/{id}", "times": 1, "action": hang},
            {"route": "POST /tool", "times": 1, "action": lost},
        ]
    )
    await dies_while_deleting(world, org)
    await world.append(org, OrgTierChanged("professional"))

    registered = (await until_event(world, org, ToolRegistered, 3))[-1]
    assert registered.adopted
    assert registered.vapi_tool_id != doomed
    assert await id_of(world, org, CANCEL.name) == registered.vapi_tool_id


async def test_an_id_that_an_older_model_brought_back_is_taken_out_with_the_next_save(world: World, org: UUID) -> None:
    world.reconciler = worker(world, grace=3600)
    gone = await id_of(world, org, CANCEL.name)
    await world.append(org, OrgTierChanged("basic"))
    await world.sync()
    first, _ = await assistants(world)
    model = (await world.at_vapi(first))["model"]
    await link_by_hand(world, first, {**model, "toolIds": [*model["toolIds"], gone, str(UUID(int=7))]})

    await world.save(org, await world.at_vapi(first), "agent-0")
    await world.sync()
    assert await linked(world, first) == [*model["toolIds"], str(UUID(int=7))]


def worker_with_surplus(world: World, age: float) -> Reconciler:
    """A process that takes a tool for old enough to be surplus after ``age`` seconds."""
    one = worker(world)._context
    return Reconciler(replace(one, policy=replace(one.policy, surplus_age=timedelta(seconds=age)), clock=Clock()))


async def test_a_removal_that_nobody_expected_changes_nothing_and_a_later_save_is_synced(world: World) -> None:
    org, assistant = uuid4(), await world.assistant()
    for _ in range(2):
        await world.append(org, AssistantRemoved("agent-1", None))
    await world.sync()
    assert await world.outcomes(org) == []
    assert await world.next_due(org) is None

    await world.save(org, assistant)  # another assistant of that agent than the one that was removed
    await world.sync()
    (outcome,) = await world.outcomes(org)
    assert isinstance(outcome, AssistantSynced)


async def test_a_save_that_comes_after_its_assistants_removal_makes_no_tool(world: World) -> None:
    org, assistant = uuid4(), await world.assistant()
    await world.append(org, AssistantRemoved("agent-1", assistant["id"]))
    request = await world.save(org, assistant)
    await world.sync()

    (outcome,) = await world.outcomes(org)
    assert isinstance(outcome, AssistantSyncFailed)
    assert (outcome.code, [r.request_id for r in outcome.requests]) == ("TS-402", [request])
    assert await world.tools() == []
    assert await world.next_due(org) is None


async def test_what_is_delivered_again_after_an_assistants_removal_changes_nothing(world: World, org: UUID) -> None:
    for n, assistant in enumerate(await assistants(world)):
        await world.append(org, AssistantRemoved(f"agent-{n}", assistant))
        await world.http.delete(f"/assistant/{assistant}")
    await until_event(world, org, ToolDeleted, 2)
    before = await world.history(org)

    await world.redeliver(org)
    await world.sync()
    assert await world.history(org) == before


async def test_a_tool_that_an_assistant_is_made_with_while_the_others_are_listed_is_kept(
    world: World, org: UUID, monkeypatch: pytest.MonkeyPatch
) -> None:
    gone = await id_of(world, org, CANCEL.name)
    lists = VapiClient.assistants
    made: list[str] = []

    async def listed(client: VapiClient, *arguments: Any) -> AsyncIterator[object]:
        async for assistant in lists(client, *arguments):
            yield assistant
        if not made:  # its creation was sent long ago, and lands behind the list's back
            model = {"provider": "openai", "model": "gpt-4o", "toolIds": [gone]}
            made.append((await world.assistant(name="Late", model=model))["id"])

    monkeypatch.setattr(VapiClient, "assistants", listed)
    await world.append(org, OrgTierChanged("basic"))

    (kept, *_) = await until_event(world, org, SyncAttemptFailed)
    assert (kept.subject, kept.code) == (f"tool:{CANCEL.name}", "TS-306")
    assert (await deletes(world), await linked(world, made[0])) == (0, [gone])
    await world.http.delete(f"/assistant/{made[0]}")
    await until_event(world, org, ToolDeleted)


async def test_the_second_look_reads_only_what_was_made_since_shortly_before_the_list(world: World, org: UUID) -> None:
    await world.append(org, OrgTierChanged("basic"))
    await until_event(world, org, ToolDeleted)
    whole, since = [entry["query"] for entry in await world.requests("GET", "/assistant")][-2:]
    assert "createdAtGe" not in whole
    assert "createdAtGe" in since


async def test_a_deletion_that_has_to_wait_after_it_was_looked_who_links_the_tool_is_not_sent(
    world: World, org: UUID, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.reconciler = worker(world)
    ahead, waits = [0.0], [True]

    async def late(context: Context, turn: Turn) -> None:
        await admit(context, turn)
        if waits and await world.events(org, SweepStarted):
            ahead[0] += 5.0
            waits.clear()

    monkeypatch.setattr(write_guard, "admit", late)
    clock = world.reconciler._context.clock
    monkeypatch.setattr(clock, "monotonic", lambda: time.monotonic() + ahead[0])
    await world.append(org, OrgTierChanged("basic"))

    (missed,) = await until_event(world, org, SyncAttemptFailed)
    assert (missed.code, missed.end, await deletes(world)) == ("TS-107", "not_sent", 0)
    await until_event(world, org, ToolDeleted)
    assert await deletes(world) == 1
