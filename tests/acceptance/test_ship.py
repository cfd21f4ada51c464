"""One fix reaches every clinic, and goes back: the real commands over the real processes, judged by Vapi's journal."""

import asyncio
import json
from collections import Counter
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
import pytest_asyncio
from tests.support.eventually import eventually

from devstack.one_fix import rollout_of, tool_sync

from .test_killed import HASTE
from .world import PATIENCE_SECONDS, TOOL, World

CLINICS = 12
UPDATE = "PATCH /tool/{id}"
MESSAGE = "One moment, I am looking for a free time."
ONE_STAGE = '[[stage]]\nname = "all"\npercent = 100\n'


@dataclass(frozen=True, slots=True)
class Clinics:
    """Clinics with an assistant each: by organization its tool, and by assistant the tools that it links."""

    tools: Mapping[UUID, str]
    links: Mapping[str, list[str]]


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def clinics(own_world: World) -> Clinics:
    """All that the system has: every assistant links its clinic's one tool."""
    org_ids = [await own_world.organization(f"Clinic {number}") for number in range(CLINICS)]
    await asyncio.gather(*(own_world.save(org_id) for org_id in org_ids))
    await own_world.quiet()
    tools = {}
    for org_id in org_ids:
        [tool] = await own_world.vapi.tools_of(org_id)
        tools[org_id] = tool["id"]
    links = await links_of(own_world)
    assert sorted(links.values()) == sorted([tool_id] for tool_id in tools.values())
    return Clinics(tools, links)


async def links_of(world: World) -> dict[str, list[str]]:
    """By assistant, the ids of the tools that it links."""
    _, assistants = await world.vapi.state()
    return {it["id"]: it["model"].get("toolIds", []) for it in assistants}


async def registered(world: World, clinics: Clinics) -> list[dict[str, Any]]:
    """The clinics' tools as Vapi has them."""
    tools, _ = await world.vapi.state()
    return [tool for tool in tools if tool["id"] in clinics.tools.values()]


async def updates(world: World, after: int) -> Counter[str]:
    """How often each tool was updated since then, whether or not anybody heard the answer."""
    done = [it for it in await world.vapi.journal(after) if it["route"] == UPDATE and it["executed"]]
    return Counter(it["path"].removeprefix("/tool/") for it in done)


async def looks_at_assistants(world: World, after: int) -> list[str]:
    """Every request about assistants since then."""
    return [f"{it['method']} {it['path']}" for it in await world.vapi.journal(after) if "/assistant" in it["path"]]


def tool_file(folder: Path, description: str, message: str | None = None) -> str:
    """A version of the booking tool, as a file."""
    lines = [f'name = "{TOOL}"', "contract = 2", f'description = "{description}"']
    if message is not None:
        lines += ["[[messages]]", 'type = "request-start"', f'content = "{message}"']
    file = folder / "tool.toml"
    file.write_text("\n".join(lines))
    return str(file)


async def apply_to_all(world: World, folder: Path, description: str) -> str:
    """Publish a version and start its rollout to everybody at once, without following it; the rollout's id."""
    file, stages = tool_file(folder, description), folder / "stages.toml"
    stages.write_text(ONE_STAGE)
    version = (
        (await tool_sync(world.stack, "blueprint", "publish", file, "--reason", "a test"))
        .split("rollout plan ")[1]
        .strip()
    )
    planned = await tool_sync(world.stack, "rollout", "plan", version, "--stages", str(stages), "--json")
    planned_id = json.loads(planned)["result"]["rollout_id"]
    return rollout_of(await tool_sync(world.stack, "rollout", "apply", planned_id, "--reason", "a better description"))


async def test_one_fix_and_its_rollback_take_each_clinic_one_call_and_no_look_at_an_assistant(
    own_world: World, clinics: Clinics, tmp_path: Path
) -> None:
    before = await registered(own_world, clinics)
    end = await own_world.vapi.journal_end()
    file = tool_file(tmp_path, "Books an appointment, and says so.", MESSAGE)
    said = await tool_sync(own_world.stack, "ship", file, "--reason", "callers hear nothing", "--yes")

    once = Counter(dict.fromkeys(clinics.tools.values(), 1))
    assert await updates(own_world, end) == once
    for tool in await registered(own_world, clinics):
        assert tool["function"]["description"] == "Books an appointment, and says so."
        assert [message["content"] for message in tool["messages"]] == [MESSAGE]

    rollout = rollout_of(said)
    shipped = await own_world.vapi.journal_end()
    await tool_sync(own_world.stack, "rollout", "rollback", rollout, "--reason", "not yet", "--follow")

    assert await updates(own_world, shipped) == once
    assert content(await registered(own_world, clinics)) == content(before)
    assert await looks_at_assistants(own_world, end) == []
    assert await links_of(own_world) == clinics.links


def content(tools: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """By id, what calls get of each tool: neither its version nor its time; no messages are none."""
    written = ("updatedAt", "latestVersion")
    return {
        tool["id"]: {"messages": [], **{key: value for key, value in tool.items() if key not in written}}
        for tool in tools
    }


@pytest_asyncio.fixture(loop_scope="session")
async def unhurried(own_world: World) -> AsyncIterator[None]:
    """Whatever the test does to tool-sync and Vapi, the next test finds both as they were delivered."""
    yield
    await own_world.vapi.dial([])
    await own_world.stack.children["tool-sync"].stop()
    await own_world.stack.start_service("tool_sync")


async def test_a_rollout_goes_on_after_the_death_of_tool_sync_and_does_nothing_twice(
    own_world: World, clinics: Clinics, unhurried: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    landed, lost = list(clinics.tools)[:2]
    await own_world.vapi.dial(
        [
            {
                "route": UPDATE,
                "match": {"organization_id": str(org_id)},
                "times": 1,
                "action": {"kind": "hang", "commit": org_id == landed, "hold_ms": 120_000},
            }
            for org_id in (landed, lost)
        ]
    )
    end = await own_world.vapi.journal_end()
    rollout = await apply_to_all(own_world, tmp_path, "Books an appointment, whatever happens.")

    async def both_hang() -> bool:
        calls = [it for it in await own_world.vapi.journal(end) if it["route"] == UPDATE]
        return len([it for it in calls if not it["finished"]]) == 2

    await eventually(both_hang, within_seconds=PATIENCE_SECONDS)
    await own_world.stack.children["tool-sync"].kill()
    assert "state: running" in await tool_sync(own_world.stack, "rollout", "status", rollout)

    await own_world.vapi.dial([])
    for name, value in HASTE.items():
        monkeypatch.setenv(name, value)
    await own_world.stack.start_service("tool_sync")
    assert f"rollout {rollout} is completed" in await tool_sync(own_world.stack, "rollout", "watch", rollout)

    assert await updates(own_world, end) == dict.fromkeys(clinics.tools.values(), 1)
    descriptions = {tool["function"]["description"] for tool in await registered(own_world, clinics)}
    assert descriptions == {"Books an appointment, whatever happens."}
    rows = await own_world.log_db.fetch(
        "SELECT org_id, count(*) FROM events WHERE type = 'ToolUpdated' AND data ->> 'order' = $1 GROUP BY 1", rollout
    )
    assert {row["org_id"]: row["count"] for row in rows} == dict.fromkeys(clinics.tools, 1)
    assert await links_of(own_world) == clinics.links


async def test_a_halted_tool_is_on_no_assistant_and_is_back_under_its_id_when_it_is_resumed(
    own_world: World, clinics: Clinics
) -> None:
    await tool_sync(own_world.stack, "blueprint", "halt", TOOL, "--reason", "it books at the wrong clinic")

    async def none_is_linked() -> bool:
        return not any((await links_of(own_world)).values())

    await eventually(none_is_linked, within_seconds=PATIENCE_SECONDS)
    assert len(await registered(own_world, clinics)) == CLINICS, "they are deleted a day later, not now"

    await tool_sync(own_world.stack, "blueprint", "resume", TOOL, "--reason", "it does not any more")

    async def all_are_linked_again() -> bool:
        return await links_of(own_world) == clinics.links

    await eventually(all_are_linked_again, within_seconds=PATIENCE_SECONDS)
