"""Everything of ours is looked at again within a period: by lists, which only acquit, and else by its id."""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import pytest
from opentelemetry.sdk.metrics.export import InMemoryMetricReader

from devstack.databases import DatabaseUrls
from tool_sync.app.metrics import metrics
from tool_sync.domain.events import (
    AssistantDriftSeen,
    AssistantSynced,
    AssistantSyncFailed,
    DriftDetected,
    ToolDriftSeen,
    ToolVanished,
)
from tool_sync.sync.auto_sync import AutoSync
from tool_sync.sync.auto_sync.assistants import LookVerdict
from tool_sync.sync.object_looks import late_look
from zerotouch_contracts.canonical import model_hash
from zerotouch_platform.meters import Meters

from ..command import command, result
from ..test_metrics import seen_by
from .world import World

PERIOD = timedelta(hours=24)


def auto_sync_of(world: World) -> AutoSync:
    return AutoSync(world.context, world.pool, period=PERIOD, per_second=10_000, poll_seconds=0.01)


async def time_passes(world: World, hours: float) -> None:
    """So long after everything that was done or looked at so far; pages are due."""
    back = timedelta(hours=hours)
    await world.pool.execute(
        "UPDATE object_looks SET looked_at = looked_at - $1::interval, suspected_at = suspected_at - $1::interval,"
        " tried_at = tried_at - $1::interval",
        back,
    )
    await world.pool.execute("UPDATE vapi_walks SET next_at = next_at - $1::interval", back)
    admin = await asyncpg.connect(world.admin_url)
    try:
        await admin.execute("UPDATE org_tools SET updated_at = updated_at - $1::interval", back)
    finally:
        await admin.close()


async def day_passes(world: World) -> None:
    await time_passes(world, 24)


async def period(world: World, sync: AutoSync, rounds: int = 24) -> int:
    """A whole period of the loop, an hour a round, beside the orgs' own runs; how many drifts were told."""
    told = 0
    for _ in range(rounds):
        await time_passes(world, 1)
        told += await sync.run_once()
        await world.sync()
    return told


async def day_without_runs(world: World, sync: AutoSync) -> int:
    """A period of the loop, ten minutes a round; how many drifts were told, and nobody acts on them."""
    told = 0
    for _ in range(144):
        await time_passes(world, 1 / 6)
        told += await sync.run_once()
    return told


async def synced(world: World, org: UUID, agent: str = "agent-1", **fields: Any) -> dict[str, Any]:
    assistant = await world.assistant(**fields)
    await world.save(org, assistant, agent)
    await world.sync()
    assert isinstance((await world.outcomes(org))[-1], AssistantSynced)
    return await world.at_vapi(assistant["id"])


async def edit(world: World, assistant: dict[str, Any], **model: Any) -> None:
    """Somebody changes it at Vapi."""
    answer = await world.http.patch(f"/assistant/{assistant['id']}", json={"model": {**assistant["model"], **model}})
    assert answer.status_code == 200, answer.text


async def reads_by_id(world: World) -> int:
    return sum([len(await world.requests("GET", f"/{kind}/{{id}}")) for kind in ("tool", "assistant")])


async def lists(world: World) -> int:
    return sum([len(await world.requests("GET", f"/{kind}")) for kind in ("tool", "assistant")])


async def log_length(world: World) -> int:
    return int(await world.pool.fetchval("SELECT count(*) FROM events"))


async def test_an_unlinked_tool_is_found_within_a_period_and_linked_again(world: World) -> None:
    sync, org = auto_sync_of(world), uuid4()
    assistant = await synced(world, org)
    linked = assistant["model"]["toolIds"]
    assert await period(world, sync) == 0
    await edit(world, assistant, toolIds=[])
    assert await period(world, sync) == 1
    assert (await world.at_vapi(assistant["id"]))["model"]["toolIds"] == linked
    assert [e.gone for e in await world.events(org, AssistantDriftSeen)] == [False]
    assert len([o for o in await world.outcomes(org) if o.sequence is not None]) == 1  # nothing changed for readers


@pytest.mark.parametrize(
    ("obstacle", "code"),
    [
        ({"serverMessages": ["end-of-call-report"]}, "TS-309"),
        ({"tools": [{"type": "function", "function": {"name": "bookClinicAppointment"}}]}, "TS-307"),
        ({"dangling": True}, "TS-308"),
    ],
)
async def test_what_stands_in_the_way_is_told_though_the_tool_is_linked(
    world: World, obstacle: dict[str, Any], code: str
) -> None:
    sync, org = auto_sync_of(world), uuid4()
    assistant = await synced(world, org)
    await period(world, sync, 2)
    if "serverMessages" in obstacle:
        await world.http.patch(f"/assistant/{assistant['id']}", json=obstacle)
    elif "dangling" in obstacle:
        await edit(world, assistant, toolIds=[*assistant["model"]["toolIds"], str(uuid4())])
    else:
        await edit(world, assistant, **obstacle)
    assert await period(world, sync) == 1
    outcome = (await world.outcomes(org))[-1]
    assert isinstance(outcome, AssistantSyncFailed)
    assert (outcome.code, outcome.cause) == (code, "drift")


async def test_an_edit_that_leaves_the_tools_alone_is_noted_once(world: World) -> None:
    sync, org = auto_sync_of(world), uuid4()
    assistant = await synced(world, org)
    await edit(world, assistant, temperature=0.9)
    assert await period(world, sync) == 1
    assert len(await world.events(org, DriftDetected)) == 1
    before = await log_length(world)
    assert await period(world, sync, 48) == 0
    assert await log_length(world) == before


async def test_an_assistant_that_somebody_deleted_is_told_once_and_not_before_an_hour(world: World) -> None:
    sync, org, other = auto_sync_of(world), uuid4(), uuid4()
    assistant = await synced(world, org)
    await synced(world, other, "agent-2")
    await period(world, sync, 2)
    await world.http.delete(f"/assistant/{assistant['id']}")
    await day_passes(world)
    assert await sync.run_once() == 0  # its removal may be on its way
    assert await world.events(org, AssistantDriftSeen) == []
    await time_passes(world, 1.1)
    assert await sync.run_once() == 1
    await world.sync()
    outcome = (await world.outcomes(org))[-1]
    assert isinstance(outcome, AssistantSyncFailed)
    assert (outcome.code, outcome.cause, outcome.requests) == ("TS-303", "drift", ())
    assert await period(world, sync, 48) == 0
    assert len(await world.events(org, AssistantDriftSeen)) == 1


@pytest.mark.parametrize("kind", ["tool", "assistant"])
async def test_what_is_gone_with_everything_else_of_ours_is_not_taken_for_deleted(world: World, kind: str) -> None:
    sync, orgs = auto_sync_of(world), [uuid4() for _ in range(6)]
    for number, org in enumerate(orgs):
        await synced(world, org, f"agent-{number}")
    await period(world, sync, 2)
    for one in (await world.http.get(f"/{kind}", params={"limit": 1000})).json():
        await world.http.delete(f"/{kind}/{one['id']}")
    before = await log_length(world)
    assert await period(world, sync, 30) == 0
    assert await log_length(world) == before


@pytest.mark.parametrize(
    "change",
    [
        {"server": {"url": "https://elsewhere.example.test"}},
        {"parameters": []},
        {"function": {"name": "bookClinicAppointment"}},
        {"async": True},
    ],
)
async def test_a_tool_that_somebody_changed_is_set_right_once(world: World, change: dict[str, Any]) -> None:
    sync, org = auto_sync_of(world), uuid4()
    await synced(world, org)
    await period(world, sync, 2)
    (tool,) = await world.tools()
    await world.http.patch(f"/tool/{tool['id']}", json=change)
    assert await period(world, sync) == 1
    (mended,) = await world.tools()
    for key in ("server", "parameters", "function", "async"):
        assert mended[key] == tool[key]
    assert [event.gone for event in await world.events(org, ToolDriftSeen)] == [False]
    patches = len(await world.requests("PATCH", "/tool/{id}"))
    assert await period(world, sync) == 0
    assert len(await world.requests("PATCH", "/tool/{id}")) == patches


async def test_a_tool_that_somebody_deleted_is_made_anew(world: World) -> None:
    sync, org = auto_sync_of(world), uuid4()
    assistant = await synced(world, org)
    await synced(world, uuid4(), "agent-2")
    await period(world, sync, 2)
    tool_id = (await world.org_tools(org))[0]["vapi_tool_id"]
    await world.http.delete(f"/tool/{tool_id}")
    await day_passes(world)
    assert await sync.run_once() == 1  # nobody of us deletes a tool that the log still has
    await world.sync()
    (made,) = await world.org_tools(org)
    assert made["vapi_tool_id"] != tool_id
    assert (await world.at_vapi(assistant["id"]))["model"]["toolIds"] == [made["vapi_tool_id"]]
    assert len(await world.events(org, ToolVanished)) == 1


async def trusts_the_list(*_: object) -> LookVerdict:
    """A walk that takes a list's word and reads nothing by its id."""
    return LookVerdict.DIFFERS


@pytest.mark.parametrize("mutated", [False, True], ids=["as it is", "a walk that trusts the list"])
async def test_a_list_that_lags_behind_our_own_write_convicts_nobody(
    world: World, monkeypatch: pytest.MonkeyPatch, mutated: bool
) -> None:
    """The list shows the assistant as it was before it was linked; read by its id it is as told."""
    sync, org = auto_sync_of(world), uuid4()
    assistant = await world.assistant()
    lagging = [await world.at_vapi(assistant["id"])]

    async def page_of(subject: str, *_: object) -> list[object]:
        return list(lagging) if subject == "assistant" else []

    await world.save(org, assistant)
    await world.sync()
    monkeypatch.setattr(world.context.vapi, "page_of", page_of)
    if mutated:
        monkeypatch.setattr("tool_sync.sync.auto_sync.loop.verdict_of", trusts_the_list)
    read = len(await world.requests("GET", "/assistant/{id}"))
    await sync.run_once()
    assert bool(await world.events(org, AssistantDriftSeen)) is mutated
    assert len(await world.requests("GET", "/assistant/{id}")) == read + (not mutated)


async def test_a_save_between_the_read_and_the_judgement_acquits(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    sync, org = auto_sync_of(world), uuid4()
    assistant = await synced(world, org)
    await period(world, sync, 2)
    await edit(world, assistant, toolIds=[])
    read = world.context.vapi.get_assistant

    async def slow(assistant_id: str) -> dict[str, Any]:
        document = await read(assistant_id)
        monkeypatch.undo()
        edited = await world.at_vapi(assistant_id)
        await world.save(org, {**edited, "model": {**edited["model"], "temperature": 0.1}})
        return document

    await day_passes(world)
    monkeypatch.setattr(world.context.vapi, "get_assistant", slow)
    assert await sync.run_once() == 0
    assert await world.events(org, AssistantDriftSeen) == []


async def test_tools_of_others_that_an_assistant_names_cost_no_single_reads(world: World) -> None:
    sync, org = auto_sync_of(world), uuid4()
    foreign = (await world.http.post("/tool", json={"type": "endCall"})).json()
    model = {"provider": "openai", "model": "gpt-4o", "toolIds": [foreign["id"]]}
    await synced(world, org, model=model)
    await world.pool.execute("DELETE FROM named_tools")
    before = await reads_by_id(world)
    assert await period(world, sync, 30) == 0
    assert await reads_by_id(world) == before


async def test_two_processes_read_each_page_once(world: World) -> None:
    one, two = auto_sync_of(world), auto_sync_of(world)
    await synced(world, uuid4())
    before = await lists(world)
    for _ in range(3):
        await one.run_once()
        await two.run_once()
    assert await lists(world) == before + 2


async def test_a_page_whose_reader_died_is_read_by_the_next(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    sync, org = auto_sync_of(world), uuid4()
    assistant = await synced(world, org)
    await period(world, sync, 2)
    await edit(world, assistant, toolIds=[])
    await world.pool.execute("UPDATE vapi_walks SET token = gen_random_uuid(), next_at = now() + interval '2 min'")
    assert await sync.run_once() == 0
    await time_passes(world, 0.1)
    assert await sync.run_once() == 1


@pytest.mark.parametrize("drift", [0, 3])
async def test_a_period_costs_at_most_two_lists_for_a_thousand_and_a_read_for_each_that_differs(
    world: World, monkeypatch: pytest.MonkeyPatch, drift: int
) -> None:
    """Pages of 25 stand for those of 1,000: three hundred objects of each kind are twelve pages."""
    await world.pool.execute("INSERT INTO vapi_walks (account, kind, page_limit) VALUES"
                             " ('platform', 'tool', 25), ('platform', 'assistant', 25)")  # fmt: skip
    orgs, made = [uuid4() for _ in range(300)], []
    for number, org in enumerate(orgs):
        assistant = await world.assistant()
        made.append(assistant)
        await world.save(org, assistant, f"agent-{number}")
    await world.sync()
    sync = auto_sync_of(world)
    assert await day_without_runs(world, sync) == 0  # the first walk cuts the lists into pages
    for assistant in made[:drift]:
        await edit(world, await world.at_vapi(assistant["id"]), toolIds=[])
    listed, read = await lists(world), await reads_by_id(world)
    runs = len(await world.requests("PATCH", "/assistant/{id}"))
    assert await day_without_runs(world, sync) == drift
    assert await reads_by_id(world) - read == drift
    assert len(await world.requests("PATCH", "/assistant/{id}")) == runs
    assert await lists(world) - listed <= 2 * 2 * 300 / 25
    oldest = await world.pool.fetchval("SELECT min(looked_at) FROM object_looks")
    assert await world.now() - oldest < PERIOD


async def test_the_oldest_look_is_told_and_alarms_when_it_is_late(
    world: World, tool_sync_db: DatabaseUrls, capsys: pytest.CaptureFixture[str]
) -> None:
    org = uuid4()
    await synced(world, org)
    await auto_sync_of(world).run_once()
    status, stdout, _ = await command("coverage", "--json", database_url=tool_sync_db.service)
    assert status == 0
    oldest = datetime.fromisoformat(result(stdout)["oldest_look"])
    assert oldest == await world.pool.fetchval("SELECT min(looked_at) FROM object_looks")
    _, stdout, _ = await command("coverage", database_url=tool_sync_db.service)
    assert "oldest look at Vapi" in stdout

    reader = InMemoryMetricReader()
    gauges = metrics(world.pool, Meters({"service.name": "tool-sync"}, readers=[reader]))
    await gauges.run_once()
    assert 0 <= seen_by(reader)["zerotouch.looks.oldest"] < 60
    await time_passes(world, 37)
    await world.turn(rules=[{"route": "GET /tool", "action": {"kind": "status", "status": 500}},
                            {"route": "GET /assistant", "action": {"kind": "status", "status": 500}}])  # fmt: skip
    await gauges.run_once()
    assert seen_by(reader)["zerotouch.looks.oldest"] > 36 * 3600
    async with world.pool.acquire() as connection:
        assert await late_look(connection, PERIOD) is not None
        assert await late_look(connection, 2 * PERIOD) is None
    capsys.readouterr()
    await auto_sync_of(world).run_once()
    assert "Auto-sync is late" in capsys.readouterr().out


async def test_nothing_is_asked_while_the_log_may_have_been_set_back(world: World) -> None:
    await synced(world, uuid4())
    before = await lists(world)
    suspended = AutoSync(
        replace(world.context, writes_suspended=lambda: True), world.pool, period=PERIOD, per_second=1, poll_seconds=1
    )
    assert await suspended.run_once() == 0
    assert await lists(world) == before


async def test_an_overwritten_save_is_asked_for_again(world: World) -> None:
    sync, org = auto_sync_of(world), uuid4()
    assistant = await synced(world, org)
    older = assistant["model"]
    newer = {**older, "temperature": 0.7}
    await world.http.patch(f"/assistant/{assistant['id']}", json={"model": newer})
    await world.save(org, {**assistant, "model": newer})
    await world.sync()
    await world.http.patch(f"/assistant/{assistant['id']}", json={"model": older})
    assert model_hash(older) != model_hash(newer)
    assert await period(world, sync) >= 1
    names = {type(event).__name__ for event in await world.events(org)}
    assert "AssistantDriftSeen" in names
