"""`tool-sync check` says what a caller would meet: what the log knows, and with `--live` what Vapi says now."""

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest

from devstack.databases import DatabaseUrls
from tool_sync.admin.live_all import read_all
from tool_sync.cli.looking import At, looking
from tool_sync.db import claim_installation
from tool_sync.domain.events import (
    AssistantRemoved,
    AssistantSyncFailed,
    OrgRegistered,
    SyncRequested,
    ToolSettingChanged,
)
from tool_sync.queries.audit.looked import LiveRead
from vapi_sandbox import DEFAULT_KEY, SandboxSettings, create_app
from zerotouch_contracts.errors import CATALOGUE, ErrorCode
from zerotouch_contracts.tools import BOOK_CLINIC_APPOINTMENT, DEFINITIONS
from zerotouch_platform.server import HttpServer, bind

from ..command import command, envelope
from .test_reach import MODEL, clinics_tool, foreign_tool, inline
from .world import INSTALLATION, World, world_over

BOOK = BOOK_CLINIC_APPOINTMENT.name
ALL = [definition.name for definition in DEFINITIONS if definition.tier == "basic"]


@dataclass
class Desk:
    """A world whose Vapi also listens on a port, and the command beside it."""

    world: World
    database_url: str
    vapi_url: str

    async def synced(self, org: UUID, agent: str = "agent-1", **fields: Any) -> dict[str, Any]:
        """An assistant that tool-sync has synced, as it was made."""
        made = await self.world.assistant(**fields)
        await self.world.save(org, made, agent)
        await self.world.sync()
        return made

    async def check(self, target: object, *options: str, key: str = DEFAULT_KEY) -> tuple[int | None, str, str]:
        """Exit status, stdout and stderr."""
        return await command(
            "check", str(target), *options,
            database_url=self.database_url, VAPI_BASE_URL=self.vapi_url, VAPI_API_KEY=key,
        )  # fmt: skip

    async def live(self, target: object, *options: str) -> tuple[int | None, dict[str, Any]]:
        """Exit status and document of ``check --live --json``."""
        status, stdout, stderr = await self.check(target, "--live", "--json", *options)
        assert stdout, stderr
        said = envelope(stdout)
        return status, {**said["result"], "not_looked_at": said["not_looked_at"]}

    async def only(self, target: object) -> tuple[int | None, dict[str, Any]]:
        """Exit status, and the one assistant that was read."""
        status, found = await self.live(target)
        ((met,),) = [clinic["assistants"] for clinic in found["clinics"]]
        return status, met


@pytest.fixture
async def desk(tool_sync_db: DatabaseUrls) -> AsyncIterator[Desk]:
    """A reconciler and a sandbox of its own on a port."""
    app = create_app(SandboxSettings())
    server = HttpServer(app, bind("127.0.0.1", 0))  # any ASGI app
    serving = asyncio.create_task(server.run_forever())
    async with world_over(tool_sync_db, httpx.ASGITransport(app)) as world:
        async with world.pool.acquire() as connection:
            await claim_installation(connection, INSTALLATION)
        yield Desk(world, tool_sync_db.service, f"http://127.0.0.1:{server.port}")
    server.stop()
    await serving


async def test_a_caller_reaches_every_tool_and_the_answer_names_what_was_not_looked_at(desk: Desk) -> None:
    org = uuid4()
    made = await desk.synced(org)
    tools = {row["tool_name"]: row for row in await desk.world.org_tools(org)}
    for target in (org, made["id"], "agent-1"):
        status, stdout, stderr = await desk.check(target, "--live")
        assert (status, stderr) == (0, ""), stdout
        assert f"reaches {BOOK}\n    tool id {tools[BOOK]['vapi_tool_id']}, version" in stdout
        assert "1 of 1 assistants that should can book" in stdout
        assert "not looked at: whether the tool server answers" in stdout
        assert all(len(line) <= 80 for line in stdout.splitlines())
    writes = await desk.world.writes()
    assert not [write for write in writes[-3:] if write[0] == "DELETE"]


async def test_a_tool_is_read_once_for_all_assistants(desk: Desk) -> None:
    org = uuid4()
    foreign = await foreign_tool(desk.world, "lookUp")
    for number in range(3):
        await desk.synced(org, f"agent-{number}", model={**MODEL, "toolIds": [foreign]})
    before = len(await desk.world.requests("GET", "/tool/{id}"))
    status, found = await desk.live(org)
    assert (status, found["can_book"], found["should_book"]) == (0, 3, 3)
    assert len(await desk.world.requests("GET", "/tool/{id}")) - before == len(ALL) + 1


async def shadow(world: World, assistant_id: str) -> None:
    document = await world.at_vapi(assistant_id)
    await patch_model(world, document, tools=[inline()])


async def shadow_saved(world: World, assistant_id: str) -> None:
    document = await world.at_vapi(assistant_id)
    await patch_model(world, document, toolIds=[*document["model"]["toolIds"], await foreign_tool(world)])


async def another_clinics(world: World, assistant_id: str) -> None:
    document = await world.at_vapi(assistant_id)
    await patch_model(world, document, toolIds=[*document["model"]["toolIds"], await clinics_tool(world, uuid4())])


async def unsent(world: World, assistant_id: str) -> None:
    await world.http.patch(f"/assistant/{assistant_id}", json={"serverMessages": ["transcript"]})


async def own_deleted(world: World, assistant_id: str) -> None:
    (own, *_) = (await world.at_vapi(assistant_id))["model"]["toolIds"]
    await world.http.delete(f"/tool/{own}")


async def assistant_deleted(world: World, assistant_id: str) -> None:
    await world.http.delete(f"/assistant/{assistant_id}")


async def given_away(world: World, assistant_id: str) -> None:
    mark = {"zerotouch_installation": str(INSTALLATION), "organization_id": str(uuid4())}
    await world.http.patch(f"/assistant/{assistant_id}", json={"metadata": mark})


async def patch_model(world: World, document: dict[str, Any], **changes: Any) -> None:
    answer = await world.http.patch(f"/assistant/{document['id']}", json={"model": {**document["model"], **changes}})
    assert answer.status_code == 200, answer.text


CODES = {
    "TS-307": shadow,
    "TS-307 saved": shadow_saved,
    "TS-308": own_deleted,
    "TS-309": unsent,
    "TS-303": assistant_deleted,
    "TS-312": given_away,
    "TS-313": another_clinics,
}


@pytest.mark.parametrize("case", CODES)
async def test_what_changed_at_vapi_since_the_sync_is_told_with_code_and_who_acts(desk: Desk, case: str) -> None:
    org, code = uuid4(), case[:6]
    made = await desk.synced(org)
    await CODES[case](desk.world, made["id"])
    known, stdout, _ = await desk.check(org)
    assert known == 0, "the log cannot know it yet"
    assert "not looked at: Vapi itself; --live reads it now" in stdout
    status, met = await desk.only(org)
    assert status == 1
    assert not met["can_book"]
    (trouble,) = [one for one in met["trouble"] if BOOK in one["tools"]]
    entry = CATALOGUE[ErrorCode(code)]
    assert (trouble["code"], trouble["who_acts"]) == (code, entry.who_acts)
    assert trouble["what_to_do"] == entry.what_to_do
    assert BOOK not in [tool["name"] for tool in met["reaches"]]
    _, text, _ = await desk.check(org, "--live")
    assert f"{entry.who_acts}: " in text
    assert all(len(line) <= 80 for line in text.splitlines())


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"server": {"url": "https://elsewhere.example.test"}}, "server"),
        ({"parameters": []}, "parameters"),
    ],
)
async def test_a_tool_of_ours_that_somebody_changed_is_told_by_the_names_of_its_fields(
    desk: Desk, change: dict[str, Any], named: str
) -> None:
    org = uuid4()
    await desk.synced(org)
    (row,) = [row for row in await desk.world.org_tools(org) if row["tool_name"] == BOOK]
    await desk.world.http.patch(f"/tool/{row['vapi_tool_id']}", json=change)
    status, met = await desk.only(org)
    assert status == 1
    (trouble,) = met["trouble"]
    assert trouble["tools"] == [BOOK]
    assert f"somebody changed it at Vapi: {named}" in trouble["what"]
    assert "elsewhere" not in json.dumps(met)


async def test_an_unlinked_tool_and_one_that_nobody_has_yet_are_told(desk: Desk) -> None:
    org = uuid4()
    made = await desk.synced(org)
    await patch_model(desk.world, await desk.world.at_vapi(made["id"]), toolIds=[])
    status, met = await desk.only(org)
    assert status == 1
    assert {one["what"] for one in met["trouble"]} == {"the assistant does not name it"}

    new = uuid4()
    assistant = await desk.world.assistant()
    await desk.world.save(new, assistant, "agent-new")
    status, stdout, _ = await desk.check(new)
    assert status == 1
    assert "it was saved, and no sync of it has ended yet" in " ".join(stdout.split())
    status, met = await desk.only(new)
    assert status == 1
    assert {one["what"] for one in met["trouble"]} == {"it is wanted, but this clinic does not have it at Vapi yet"}


async def test_what_the_log_knows_to_have_failed_is_told_without_a_call(desk: Desk) -> None:
    org = uuid4()
    await desk.synced(org, model={**MODEL, "tools": [inline()]})
    assert isinstance((await desk.world.outcomes(org))[-1], AssistantSyncFailed)
    calls = len(await desk.world.requests("GET", "/assistant/{id}"))
    status, stdout, _ = await desk.check(org)
    assert status == 1
    assert "TS-307 linked, not usable: another tool of the same name" in " ".join(stdout.split())
    assert len(await desk.world.requests("GET", "/assistant/{id}")) == calls


async def test_a_clinic_that_wants_no_tool_says_why_and_counts_nobody(desk: Desk) -> None:
    org = uuid4()
    await desk.world.append(org, OrgRegistered("basic"))
    for name in ALL:
        await desk.world.append(org, ToolSettingChanged(name, enabled=False))
    await desk.synced(org)
    status, found = await desk.live(org)
    assert (status, found["should_book"], found["calls"]) == (0, 0, 0)
    assert found["clinics"][0]["none_wanted"]["code"] == "TS-501"


async def test_the_calls_are_limited_and_what_is_left_is_no_all_clear(desk: Desk) -> None:
    org = uuid4()
    for number in range(3):
        await desk.synced(org, f"agent-{number}")
    status, found = await desk.live(org, "--calls", str(2 + len(ALL)))
    assert status == 1
    assert (found["can_book"], found["should_book"], found["calls"]) == (1, 3, 2 + len(ALL))
    assert any(limit.startswith("2 assistants: ") for limit in found["not_looked_at"])


async def test_no_key_and_a_wrong_one_are_the_callers_environment(desk: Desk) -> None:
    org = uuid4()
    await desk.synced(org)
    status, _, stderr = await command("check", str(org), "--live", database_url=desk.database_url)
    assert (status, stderr.strip()) == (2, "tool-sync: --live needs VAPI_BASE_URL and VAPI_API_KEY")
    status, stdout, _ = await desk.check(org, "--live", key="wrong")
    assert status == 2
    assert "Vapi refuses the key: TS-201" in stdout.replace("\n  ", " ")
    assert await desk.world.pool.fetchval("SELECT count(*) FROM vapi_keys") == 0, "the service's key is not paused"


async def test_an_unknown_name_is_an_error(desk: Desk) -> None:
    for target in (uuid4(), "nobody"):
        status, stdout, stderr = await desk.check(target)
        assert (status, stdout) == (2, "")
        assert f"there is no organization and no assistant {target}" in stderr


async def test_a_save_that_nobody_can_find_at_vapi_is_told_beside_its_neighbours(desk: Desk) -> None:
    org = uuid4()
    await desk.synced(org)
    await desk.world.append(org, SyncRequested(uuid4(), "agent-2", "gone", 1, "a" * 64, "save", None))
    await desk.world.sync()
    status, found = await desk.live(org)
    assert (status, found["can_book"], found["should_book"]) == (1, 1, 2)


async def test_an_agent_made_anew_under_its_id_is_not_judged_by_its_life_before(desk: Desk) -> None:
    org = uuid4()
    made = await desk.synced(org)
    await desk.world.append(org, AssistantRemoved("agent-1", made["id"], 1))
    status, stdout, _ = await desk.check(org)
    assert (status, "has no assistant" in stdout) == (0, True)
    await desk.world.save(org, await desk.world.assistant(), revision=2)
    status, stdout, _ = await desk.check(org)
    assert status == 1
    assert "it was saved, and no sync of it has ended yet" in " ".join(stdout.split())


async def audited(desk: Desk, calls_max: int = 1000, key: str = DEFAULT_KEY) -> LiveRead:
    """What a read of all assistants finds."""
    async with looking(desk.world.pool, At(desk.vapi_url, key, "platform", calls_max)) as look:
        return await read_all(desk.world.pool, look)


async def test_all_assistants_are_read_and_those_that_no_caller_reaches_are_named(desk: Desk) -> None:
    clinics = [uuid4(), uuid4(), uuid4()]
    made = [await desk.synced(org) for org in clinics]
    good = await audited(desk)
    assert (good.assistants, good.known, good.unreached, good.not_read) == (3, 0, (), ())

    await patch_model(desk.world, await desk.world.at_vapi(made[0]["id"]), toolIds=[])
    await unsent(desk.world, made[1]["id"])
    found = await audited(desk)

    assert (found.assistants, found.not_read) == (3, ())
    assert {(one.org_id, one.assistant_id) for one in found.unreached} == {
        (clinics[0], made[0]["id"]),
        (clinics[1], made[1]["id"]),
    }
    assert all(one.agent_id == "agent-1" and BOOK in one.what for one in found.unreached)


async def test_what_the_log_knows_already_is_not_read_again(desk: Desk) -> None:
    org, other = uuid4(), uuid4()
    await desk.synced(org)
    gone = await desk.synced(other)
    await assistant_deleted(desk.world, gone["id"])
    await desk.world.save(other, gone, "agent-1")
    await desk.world.sync()

    found = await audited(desk)

    assert (found.assistants, found.known, found.unreached, found.not_read) == (1, 1, (), ())


async def test_an_audit_that_may_make_no_more_calls_says_what_it_did_not_read(desk: Desk) -> None:
    for org in (uuid4(), uuid4()):
        await desk.synced(org)

    found = await audited(desk, calls_max=4)

    assert (found.assistants, found.calls) == (1, 4)
    (why,) = found.not_read
    assert why.startswith("everything after the first 1 assistants: 4 calls to Vapi were made")


async def test_with_a_refused_key_nothing_is_called_reached(desk: Desk) -> None:
    await desk.synced(uuid4())

    found = await audited(desk, key="wrong")

    assert (found.assistants, found.unreached) == (0, ())
    assert "Vapi refuses the key" in found.not_read[0]


async def test_what_the_log_came_to_know_during_the_read_is_no_finding(desk: Desk) -> None:
    """An agent was deleted between the rows and the read: its assistant lacks the tool, and that is as it should be."""
    org = uuid4()
    made = await desk.synced(org)
    async with looking(desk.world.pool, At(desk.vapi_url, DEFAULT_KEY, "platform", 100)) as look:
        asked = look.vapi.get_assistant

        async def released(assistant_id: str) -> dict[str, Any]:
            await patch_model(desk.world, await desk.world.at_vapi(assistant_id), toolIds=[])
            await desk.world.append(org, AssistantRemoved("agent-1", made["id"], 1))
            return await asked(assistant_id)

        look.vapi.get_assistant = released  # type: ignore[method-assign]
        found = await read_all(desk.world.pool, look)

    assert (found.assistants, found.unreached, found.not_read) == (0, (), ())
