"""A state that was read anew in the middle of a run leaves nobody behind."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

import pytest
import structlog

from tool_sync.domain.commands import SettleSynced
from tool_sync.domain.events import (
    AssistantSynced,
    AssistantSyncFailed,
    DriftDetected,
    OrgSettled,
    SyncAttemptFailed,
    ToolRetired,
)
from tool_sync.domain.evolve import attempts
from tool_sync.domain.toolset import Assistant
from tool_sync.log import Appended, AppendRequest, AppendResult, Duplicate, EventLog
from tool_sync.sync.knowledge import PAGE_AGENTS, Knowledge
from tool_sync.sync.leases import Claim
from tool_sync.sync.load import LoadedOrg, load_one
from tool_sync.sync.loop import Reconciler
from tool_sync.sync.run import TIMES_MAX
from tool_sync.sync.store import Store
from tool_sync.sync.traces import RunTraces
from tool_sync.sync.writer import Writer

from .world import World


class LostCommit:
    """The log, but for one append whose answer says that it was stored before; a save arrives while it is under way."""

    def __init__(
        self, log: EventLog, world: World, org_id: UUID, after: int, again: tuple[dict[str, Any], str]
    ) -> None:
        self._log, self._world, self._org_id, self._again = log, world, org_id, again
        self._left = after
        self.request: UUID | None = None

    def __getattr__(self, name: str) -> Any:
        return getattr(self._log, name)

    async def append(self, request: AppendRequest) -> AppendResult:
        answer = await self._log.append(request)
        settled = sum(isinstance(new.event, AssistantSynced) for new in request.events)
        self._left -= settled
        if settled and self._left <= 0 and self.request is None and isinstance(answer, Appended):
            self.request = await self._world.save(self._org_id, *self._again)
            return Duplicate(answer.first_position, answer.version, answer.recorded_at)
        return answer


class LateSave:
    """The store, but that a save arrives after the states were loaded and before the rows of assistants are read."""

    def __init__(self, store: Store, save: Callable[[], Awaitable[UUID]]) -> None:
        self._store, self._save = store, save
        self.request: UUID | None = None

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    async def assistants(self, agents: Sequence[tuple[UUID, str]]) -> dict[UUID, dict[str, Assistant]]:
        if self.request is None and agents:
            self.request = await self._save()
        return await self._store.assistants(agents)


async def test_a_row_that_is_ahead_of_the_state_is_read_again_with_it(world: World) -> None:
    """An agent got another assistant, which is gone at Vapi, between the two reads: its 404 is told once."""
    org, first, second = uuid4(), await world.assistant(), await world.assistant()
    earlier = await world.save(org, first)
    await world.http.delete(f"/assistant/{second['id']}")
    store = LateSave(world.context.store, lambda: world.save(org, second))
    world.reconciler = Reconciler(replace(world.context, store=store))

    await world.sync()

    [outcome] = await world.events(org, AssistantSyncFailed)
    assert (outcome.assistant_id, outcome.revision, outcome.code) == (second["id"], 2, "TS-303")
    assert [r.request_id for r in outcome.requests] == [earlier, store.request]
    assert len(await world.events(org, SyncAttemptFailed)) == 1


async def test_a_run_that_makes_no_headway_ends_with_an_alarm(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """A fault of ours, here a failure that the state does not keep, must not fill the log."""
    org, assistant = uuid4(), await world.assistant()
    await world.http.delete(f"/assistant/{assistant['id']}")
    await world.save(org, assistant)
    monkeypatch.setattr(attempts, "failed", lambda *_: {})

    with structlog.testing.capture_logs() as lines:
        await world.sync()

    assert len(await world.events(org, SyncAttemptFailed)) == TIMES_MAX
    assert [line for line in lines if line.get("alarm") and line["event"] == "Sync failed for a fault of ours"]


async def test_a_save_that_a_reload_brings_in_is_settled_though_its_page_was_turned_long_ago(world: World) -> None:
    org = uuid4()
    assistants = [await world.assistant() for _ in range(PAGE_AGENTS + 8)]
    for n, assistant in enumerate(assistants):
        await world.save(org, assistant, f"agent-{n:02}")
    log = LostCommit(world.log, world, org, PAGE_AGENTS + 1, (assistants[0], "agent-00"))
    world.reconciler = Reconciler(replace(world.context, log=log))

    await world.sync()

    assert log.request is not None
    settled = [r.request_id for o in await world.events(org, AssistantSynced) for r in o.requests]
    assert settled.count(log.request) == 1
    assert len(settled) == len(assistants) + 1


async def test_after_a_conflict_what_was_seen_is_told_and_what_was_concluded_is_not(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A worker that slept before it wrote that a tool is unwanted: meanwhile somebody may want it again."""
    org, assistant = uuid4(), await world.assistant()
    await world.save(org, assistant)
    await world.sync()
    loaded = await load_one(world.context, org)
    (tool,) = loaded.state.tools.values()
    knowledge, traces = Knowledge(world.context, org, loaded), RunTraces(world.context, org, loaded.state)
    sleeper = Writer(world.context, Claim(org, uuid4()), knowledge, traces)
    reloads: list[LoadedOrg] = []
    reloaded = knowledge.reloaded

    def noted(again: LoadedOrg) -> None:
        reloads.append(again)
        reloaded(again)

    monkeypatch.setattr(knowledge, "reloaded", noted)
    await world.save(org, assistant)
    await world.sync()  # another worker writes its outcome
    before = len(await world.events(org))
    retired = ToolRetired("platform", *tool.fields, "setting", datetime.now(UTC))
    settled = SettleSynced("agent-1", assistant["id"], 1, "platform", (), loaded.state.position, True, "setting")

    assert await sleeper.write((retired, settled, OrgSettled(loaded.state.position))) == ()
    assert len(reloads) == 1
    assert len(await world.events(org)) == before
    loaded_again = knowledge.state
    await world.save(org, assistant)
    await world.sync()
    before = len(await world.events(org))
    (drift,) = await sleeper.write((DriftDetected("agent-1", assistant["id"], "f" * 64), retired))
    assert isinstance(drift, DriftDetected)
    assert (await world.events(org))[before:] == [drift]
    assert knowledge.state.version > loaded_again.version
