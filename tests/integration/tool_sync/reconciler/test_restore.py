"""A log that was set back and forked makes nothing at Vapi a second time, and leaves no second tool on an assistant."""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import replace
from typing import Any
from uuid import UUID, uuid4

import pytest

from devstack.databases import DatabaseUrls
from devstack.fixtures import FreshDatabase
from tool_sync import db
from tool_sync.admin.lost_tools import find_lost_tools
from tool_sync.domain.events import (
    AssistantRemoved,
    AssistantSynced,
    OrgClosed,
    OrgRegistered,
    SurplusFound,
    ToolRegistered,
    ToolSettingChanged,
    ToolUpdated,
)
from tool_sync.log.fork import fork
from tool_sync.log.head import newest_event_at
from tool_sync.sync.blueprint import seed
from tool_sync.sync.store import PostgresStore
from zerotouch_contracts.tools import BOOK_CLINIC_APPOINTMENT, BOOK_CLINIC_APPOINTMENT_V2

from .test_auto_sync import auto_sync_of
from .test_faults import rule
from .test_reach import clinics_tool
from .test_surplus import ids, twin, worker
from .world import INSTALLATION, World, world_over

BOOK = BOOK_CLINIC_APPOINTMENT.name
NEWER = replace(BOOK_CLINIC_APPOINTMENT_V2, version=3, description="Books, only better.")
Restored = Callable[[], AbstractAsyncContextManager[World]]


async def forked(world: World, urls: DatabaseUrls) -> None:
    """What `tool-sync log fork` does, over the world's own way to Vapi."""
    owner = await db.SESSIONS.connect(urls.owner, application_name="zerotouch cli")
    try:
        lost = await find_lost_tools(world.context.vapi, INSTALLATION, await newest_event_at(owner))
        await fork(owner, lost)
    finally:
        await owner.close()


@pytest.fixture
async def restored(world: World, fresh_tool_sync_db: FreshDatabase) -> Restored:
    """The world after a restore from before its first event: the same Vapi, an empty log, forked."""

    @asynccontextmanager
    async def begin() -> AsyncIterator[World]:
        urls = await fresh_tool_sync_db()
        transport = world.http._transport
        closing, transport.aclose = transport.aclose, _nothing  # type: ignore[method-assign]
        try:
            async with world_over(urls, transport, seeded=False) as second:
                await forked(second, urls)
                await seed(second.log, second.context.blueprint, "test")
                yield second
        finally:
            transport.aclose = closing  # type: ignore[method-assign]

    return begin


async def _nothing() -> None:
    return


async def synced(world: World, org: UUID) -> AssistantSynced:
    """The newest outcome, which is a success."""
    outcome = (await world.outcomes(org))[-1]
    assert isinstance(outcome, AssistantSynced), outcome
    return outcome


async def links(world: World, assistant: dict[str, Any]) -> list[str]:
    model = (await world.at_vapi(assistant["id"]))["model"]
    return list(model.get("toolIds") or [])


async def saved_again(world: World, org: UUID, assistant: dict[str, Any]) -> None:
    """The save is taken in once more, as from `assistants.v1`."""
    await world.save(org, await world.at_vapi(assistant["id"]))
    await world.sync()


async def test_a_clinic_that_registered_since_the_backup_keeps_its_tool(world: World, restored: Restored) -> None:
    org, assistant = uuid4(), await world.assistant()
    await world.save(org, assistant)
    await world.sync()
    (tool,) = await ids(world)
    async with restored() as after:
        await saved_again(after, org, assistant)
        (registered,) = await after.events(org, ToolRegistered)
        assert (registered.vapi_tool_id, registered.adopted) == (tool, True)
        assert await ids(after) == {tool}
        assert await links(after, assistant) == [tool]
        assert [ref.vapi_tool_id for ref in (await synced(after, org)).tools] == [tool]
        assert len(await after.requests("POST", "/tool")) == 1, "the one before the backup"


async def test_many_clinics_share_one_list(world: World, restored: Restored) -> None:
    clinics = [(uuid4(), await world.assistant()) for _ in range(12)]
    for number, (org, assistant) in enumerate(clinics):
        await world.save(org, assistant, f"agent-{number}")
    await world.sync()
    before = await ids(world)
    async with restored() as after:
        for number, (org, assistant) in enumerate(clinics):
            await after.save(org, await after.at_vapi(assistant["id"]), f"agent-{number}")
        await after.sync()
        assert await ids(after) == before
        assert len(await after.requests("GET", "/tool")) <= 4, "the list of the fork, and those of this test"


async def test_a_tool_of_an_order_that_is_lost_is_adopted_and_then_updated(world: World, restored: Restored) -> None:
    org, assistant = uuid4(), await world.assistant()
    await world.order(NEWER, server_url="https://hooks-of-a-lost-order.example.test")
    await world.save(org, assistant)
    await world.sync()
    (tool,) = await ids(world)
    async with restored() as after:
        await saved_again(after, org, assistant)
        (updated,) = await after.events(org, ToolUpdated)
        assert updated.vapi_tool_id == tool
        assert await ids(after) == {tool}
        (at_vapi,) = await after.tools()
        assert at_vapi["server"]["url"].startswith("https://hooks.example.test")
        await synced(after, org)


async def test_a_tool_of_an_older_version_is_not_taken_for_the_ordered_one(world: World, restored: Restored) -> None:
    """It is adopted under its own version, its update is refused, and then the older version is ordered again."""
    org, assistant = uuid4(), await world.assistant()
    await world.save(org, assistant)
    await world.sync()
    (tool,) = await ids(world)
    async with restored() as after:
        await after.order(NEWER)
        await after.turn(rules=[rule("PATCH /tool/{id}", {"kind": "status", "status": 400})])
        await saved_again(after, org, assistant)
        (registered,) = await after.events(org, ToolRegistered)
        assert (registered.vapi_tool_id, registered.definition_version) == (tool, NEWER.version - 1)
        await after.order(BOOK_CLINIC_APPOINTMENT_V2)
        await saved_again(after, org, assistant)
        assert (await synced(after, org)).tools[0].definition_version == NEWER.version - 1
        (updated,) = await after.events(org, ToolUpdated)
        assert updated.definition_hash != registered.definition_hash


async def test_of_two_the_oldest_is_adopted_and_the_other_is_unlinked_and_swept(
    world: World, restored: Restored
) -> None:
    org, assistant = uuid4(), await world.assistant()
    await world.save(org, assistant)
    await world.sync()
    (first,) = await ids(world)
    second = await twin(world, org)
    model = {**assistant["model"], "toolIds": [first, second]}
    assert (await world.http.patch(f"/assistant/{assistant['id']}", json={"model": model})).status_code == 200
    async with restored() as after:
        after.reconciler = worker(after, age=0.1)
        await saved_again(after, org, assistant)
        assert await links(after, assistant) == [first]
        (surplus,) = await after.events(org, SurplusFound)
        assert surplus.vapi_tool_id == second

        async def swept() -> bool:
            return await ids(after) == {first}

        await after.until(swept)


async def test_a_tool_that_is_gone_by_now_is_made_anew(world: World, restored: Restored) -> None:
    org, assistant = uuid4(), await world.assistant()
    await world.save(org, assistant)
    await world.sync()
    (tool,) = await ids(world)
    async with restored() as after:
        assert (await after.http.delete(f"/tool/{tool}")).status_code == 200
        await saved_again(after, org, assistant)
        (registered,) = await after.events(org, ToolRegistered)
        assert (registered.adopted, registered.vapi_tool_id != tool) == (False, True)
        assert await links(after, assistant) == [registered.vapi_tool_id]


async def test_a_vapi_that_does_not_answer_makes_no_second_tool(world: World, restored: Restored) -> None:
    org, assistant = uuid4(), await world.assistant()
    await world.save(org, assistant)
    await world.sync()
    (tool,) = await ids(world)
    async with restored() as after:
        await after.turn(rules=[{"route": "GET /tool/{id}", "times": 20, "action": {"kind": "status", "status": 503}}])
        await after.save(org, await after.at_vapi(assistant["id"]))

        async def is_synced() -> bool:
            return any(isinstance(outcome, AssistantSynced) and outcome.tools for outcome in await after.outcomes(org))

        await after.until(is_synced, within_seconds=20)
        assert await ids(after) == {tool}
        assert await links(after, assistant) == [tool]


async def test_tools_of_other_installations_and_clinics_are_nobodys_here(world: World, restored: Restored) -> None:
    org, assistant = uuid4(), await world.assistant()
    foreign = await clinics_tool(world, org, uuid4())
    others = await clinics_tool(world, uuid4())
    async with restored() as after:
        await saved_again(after, org, assistant)
        (registered,) = await after.events(org, ToolRegistered)
        assert not registered.adopted
        assert await ids(after) == {foreign, others, registered.vapi_tool_id}


async def test_a_clinic_that_left_since_the_backup_is_closed_again(world: World, restored: Restored) -> None:
    org, assistant = uuid4(), await world.assistant()
    await world.append(org, OrgRegistered("basic"))
    await world.save(org, assistant)
    await world.sync()
    async with restored() as after:
        after.reconciler = worker(after, age=0.1)
        await after.append(org, OrgRegistered("basic"))
        await after.save(org, await after.at_vapi(assistant["id"]))
        await after.append(org, OrgClosed())
        assert (await after.http.delete(f"/assistant/{assistant['id']}")).status_code == 200
        await after.sync()
        assert await after.events(org, ToolRegistered) == []
        assert len(await after.requests("POST", "/tool")) == 1, "the one before the backup"
        await after.until(lambda: nothing_is_left(after))


async def test_the_tool_of_a_clinic_whose_only_agent_left_since_the_backup_is_swept(
    world: World, restored: Restored
) -> None:
    org, assistant = uuid4(), await world.assistant()
    await world.save(org, assistant)
    await world.sync()
    async with restored() as after:
        after.reconciler = worker(after, age=0.1)
        await after.save(org, await after.at_vapi(assistant["id"]))
        assert (await after.http.delete(f"/assistant/{assistant['id']}")).status_code == 200
        await after.append(org, AssistantRemoved("agent-1", assistant["id"]))
        await after.sync()
        assert await after.events(org, ToolRegistered) == []
        await after.until(lambda: nothing_is_left(after))


async def test_a_tool_that_was_switched_off_and_unlinked_since_the_backup_is_swept(
    world: World, restored: Restored
) -> None:
    org, assistant = uuid4(), await world.assistant()
    await world.save(org, assistant)
    await world.sync()
    await world.append(org, ToolSettingChanged(BOOK, enabled=False))
    await world.sync()
    assert await links(world, assistant) == []
    assert len(await ids(world)) == 1, "kept for its grace"
    async with restored() as after:
        after.reconciler = worker(after, age=0.1)
        await after.append(org, ToolSettingChanged(BOOK, enabled=False))
        await saved_again(after, org, assistant)
        await after.until(lambda: nothing_is_left(after))


async def nothing_is_left(world: World) -> bool:
    return await ids(world) == set()


async def test_a_tool_that_is_not_wanted_any_more_and_that_the_log_lost_is_unlinked_and_swept(
    world: World, restored: Restored
) -> None:
    """Seen on the assistant first: it was switched off before anything of it was known."""
    org, assistant = uuid4(), await world.assistant()
    await world.save(org, assistant)
    await world.sync()
    (tool,) = await ids(world)
    async with restored() as after:
        after.reconciler = worker(after, age=0.1)
        await after.append(org, ToolSettingChanged(BOOK, enabled=False))
        await saved_again(after, org, assistant)
        assert await links(after, assistant) == []
        (surplus,) = await after.events(org, SurplusFound)
        assert surplus.vapi_tool_id == tool

        async def swept() -> bool:
            return await ids(after) == set()

        await after.until(swept)


@pytest.mark.parametrize("is_linked", [False, True])
async def test_what_nothing_asks_for_is_looked_for_once_the_topic_had_its_time(world: World, is_linked: bool) -> None:
    """Nobody saves, nothing is ordered: the order that it was made for is lost, and that of its link with it."""
    org, assistant = uuid4(), await world.assistant()
    await world.append(org, ToolSettingChanged(BOOK, enabled=False))
    await world.save(org, assistant)
    await world.sync()
    lost = await twin(world, org)
    if is_linked:
        now = await world.at_vapi(assistant["id"])
        metadata = {"zerotouch_installation": str(INSTALLATION), "organization_id": str(org), "agent_id": "agent-1"}
        body = {"model": {**now["model"], "toolIds": [lost]}, "metadata": metadata}
        assert (await world.http.patch(f"/assistant/{assistant['id']}", json=body)).status_code == 200
    owner = await db.SESSIONS.connect(world.admin_url, application_name="zerotouch cli")
    try:
        await fork(owner, await find_lost_tools(world.context.vapi, INSTALLATION, None))
    finally:
        await owner.close()
    assert isinstance(world.context.store, PostgresStore)
    # A process that was started after the fork.
    world.context = replace(world.context, store=PostgresStore(world.context.store.pool))
    world.reconciler = worker(world, age=0.5)
    await world.reconciler.run_once()
    assert await world.events(org, SurplusFound) == [], "a tier or a setting may be on its way again"

    async def swept() -> bool:
        return lost not in await ids(world)

    await world.until(swept)
    assert await links(world, assistant) == []
    assert [found.vapi_tool_id for found in await world.events(org, SurplusFound)] == [lost]


async def test_two_forks_keep_what_the_first_one_found(
    world: World, restored: Restored, fresh_tool_sync_db: FreshDatabase
) -> None:
    org, assistant = uuid4(), await world.assistant()
    await world.save(org, assistant)
    await world.sync()
    (tool,) = await ids(world)
    async with restored() as after:
        await after.append(uuid4(), OrgRegistered("basic"))  # the log goes on, and is restored to here once more
        owner = await db.SESSIONS.connect(after.admin_url, application_name="zerotouch cli")
        try:
            await fork(owner, [])
        finally:
            await owner.close()
        await saved_again(after, org, assistant)
        assert await ids(after) == {tool}


async def test_what_a_lost_order_wrote_into_a_tool_is_put_right_soon_and_not_within_a_day(world: World) -> None:
    """The order and its answers are lost with the log; the tool is one that the log knows, and still says it."""
    org, assistant = uuid4(), await world.assistant()
    await world.save(org, assistant)
    await world.sync()
    (tool,) = await ids(world)
    await auto_sync_of(world).run_once()  # the first walk is over: the next pages come hours later
    said = (await world.http.get(f"/tool/{tool}")).json()["function"]
    lost = {"function": {**said, "description": "What a lost order said."}}
    assert (await world.http.patch(f"/tool/{tool}", json=lost)).status_code == 200
    owner = await db.SESSIONS.connect(world.admin_url, application_name="zerotouch cli")
    try:
        await fork(owner, [])
    finally:
        await owner.close()
    sync = auto_sync_of(world)

    async def is_as_before() -> bool:
        await sync.run_once()
        await world.sync()
        return bool((await world.http.get(f"/tool/{tool}")).json()["function"] == said)

    await world.until(is_as_before)


async def test_what_a_lost_order_took_back_is_made_anew_soon_and_not_within_a_day(world: World) -> None:
    """The tool was deleted, and its deletion is lost with the log: no list shows what is gone."""
    org, other = uuid4(), uuid4()
    assistants = {org: await world.assistant(), other: await world.assistant()}
    for number, (clinic, assistant) in enumerate(assistants.items()):
        await world.save(clinic, assistant, f"agent-{number}")
    await world.sync()
    await auto_sync_of(world).run_once()
    (lost,) = [row["vapi_tool_id"] for row in await world.org_tools(org)]
    now = await world.at_vapi(assistants[org]["id"])
    body = {"model": {**now["model"], "toolIds": []}}
    assert (await world.http.patch(f"/assistant/{now['id']}", json=body)).status_code == 200
    assert (await world.http.delete(f"/tool/{lost}")).status_code == 200
    owner = await db.SESSIONS.connect(world.admin_url, application_name="zerotouch cli")
    try:
        await fork(owner, [])
    finally:
        await owner.close()
    sync = auto_sync_of(world)

    async def can_book() -> bool:
        await sync.run_once()
        await world.sync()
        (row,) = await world.org_tools(org)
        return row["vapi_tool_id"] != lost and await links(world, now) == [row["vapi_tool_id"]]

    await world.until(can_book)
    assert await links(world, assistants[other]) == [(await world.org_tools(other))[0]["vapi_tool_id"]]
