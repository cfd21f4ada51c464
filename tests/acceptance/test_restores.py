"""Both runbooks of a restore, run as they are typed, against a whole system: nothing is made twice at Vapi."""

import asyncio
import os
import re
import sys
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

import asyncpg
import httpx
import pytest
import pytest_asyncio
from tests.support.eventually import eventually
from tests.support.unfolded import unfolded

from devstack import postgres, process, services
from devstack.databases import Service
from devstack.stack import Stack
from devstack.walkthrough import call

from .collector import collecting
from .opening import opened
from .world import TOOL, World

ROOT = Path(__file__).parents[2]
RUNBOOKS: dict[Service, Path] = {
    "tool_sync": ROOT / "docs/runbooks/restore.md",
    "assistant_api": ROOT / "docs/runbooks/restore-assistant-api.md",
}
SETTLE_SECONDS = "11.5"
"""Above a call's deadline and the send window, so that the services take it too."""
PATIENCE_SECONDS = 90.0

pytestmark = pytest.mark.timeout(300)


def typed(service: Service, heading: str) -> list[list[str]]:
    """The commands below a heading, block by block."""
    text = RUNBOOKS[service].read_text()
    section = text.split(f"\n## {heading}\n", 1)[1].split("\n## ", 1)[0]
    blocks = re.findall(r"(?:^ {4,}\S.*\n)+", _only_code(section), re.MULTILINE)
    return [[line.strip() for line in block.splitlines()] for block in blocks]


def _only_code(section: str) -> str:
    """Lines that are indented as code: by four columns, or by seven in a step."""
    steps = re.search(r"^\d\. ", section, re.MULTILINE) is not None
    indent = " " * (7 if steps else 4)
    lines = [line if line.startswith(indent) and line.strip() else "" for line in section.splitlines()]
    return "\n".join(lines) + "\n"


@dataclass
class Operator:
    """Somebody with a shell, in a folder of its own, with one service's variables."""

    world: World
    service: Service
    folder: Path
    started: process.Child | None = None

    @property
    def environment(self) -> dict[str, str]:
        """What the service is told, and who administers the server."""
        stack, admin = self.world.stack, urlsplit(self.world.stack.database_admin_url)
        port = stack.ports[services.TITLES[self.service]]
        places = (str(Path(sys.executable).parent), str(postgres._binaries()), os.environ["PATH"])
        return {
            **stack.surroundings.env(self.service, stack.database(self.service), port),
            "PATH": os.pathsep.join(places),
            "PGHOST": str(admin.hostname),
            "PGPORT": str(admin.port),
            "PGUSER": str(admin.username),
            "PGPASSWORD": str(admin.password),
            "PGSSLMODE": "disable",
            "SETTLE_SECONDS": SETTLE_SECONDS,
            "ASSISTANT_API_URL": stack.assistant_api_url,
            "PLATFORM_TOKEN": stack.signer.platform_token(),
        }

    async def types(self, lines: Sequence[str], statuses: Sequence[int] = ()) -> str:
        """Run a block, line by line; what it printed, in one line. A line that runs the service is left running."""
        said = ""
        for number, line in enumerate(lines):
            if line.endswith(f"{services.TITLES[self.service]} run"):
                await self._starts(line)
                continue
            shell = await asyncio.create_subprocess_exec(
                "bash", "-euo", "pipefail", "-c", line,
                cwd=self.folder, env=self.environment, stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
            )  # fmt: skip
            async with asyncio.timeout(PATIENCE_SECONDS):
                output = (await shell.communicate())[0].decode()
            wanted = statuses[number] if statuses else 0
            assert shell.returncode == wanted, f"{line}: {shell.returncode}\n{output}"
            said += output
        return unfolded(said)

    async def _starts(self, line: str) -> None:
        stack, title = self.world.stack, services.TITLES[self.service]
        child = process.start(
            title, ["bash", "-c", f"exec env {line}"], log=self.folder / f"{title}.log", env=self.environment
        )
        stack.children[title] = self.started = child
        await child.ready(lambda: services.not_ready(stack.service_url(self.service)), PATIENCE_SECONDS)

    async def stops_the_service(self) -> None:
        """Step 1."""
        await self.world.stack.children.pop(services.TITLES[self.service]).stop()


@pytest_asyncio.fixture(loop_scope="session")
async def restorable(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[World]:
    """A whole system of this test's own; its databases are renamed and restored."""
    async with AsyncExitStack() as exits:
        collector = exits.enter_context(collecting())
        yield await opened(exits, tmp_path_factory.mktemp("restore"), collector, collector.endpoint)


def operator(world: World, service: Service) -> Operator:
    """The test's files are in the stack's folder."""
    folder = world.stack.options.state_dir.resolve() / "operator"
    folder.mkdir()
    return Operator(world, service, folder)


async def links_of(world: World, saved: dict[str, Any]) -> list[str]:
    return list((await world.vapi.assistant(saved["assistantId"]))["model"].get("toolIds") or [])


async def synced(world: World, org_id: UUID, agent_id: str) -> dict[str, Any]:
    """The agent's status, once it says that its callers can book."""

    async def status() -> dict[str, Any] | None:
        answer = await world.http.get(f"/api/assistants/{agent_id}/status", params={"orgId": str(org_id)})
        body: dict[str, Any] = answer.json()
        return body if body.get("state") == "synced" else None

    found: dict[str, Any] = await eventually(status, within_seconds=PATIENCE_SECONDS)
    return found


PATIENT = {"patientName": "Ottilie Wunderlich", "patientPhone": "+49 30 77411177", "appointmentTime": "10:00"}
OTHER = {"patientName": "Ignatius Sauerbier", "patientPhone": "+49 30 77421177", "appointmentTime": "11:00"}


async def books(world: World, saved: dict[str, Any], patient: dict[str, str]) -> None:
    """A caller of the assistant books."""
    day = (datetime.now(UTC) + timedelta(days=14)).date().isoformat()
    wish = {**patient, "service": "Check-up", "appointmentDate": day}
    assert (await call(world.stack, saved["assistantId"], TOOL, wish)).answered.startswith("Booked")


async def erases(world: World, org_id: UUID, phone: str) -> dict[str, Any]:
    """The clinic erases a patient; the receipt, once the list outside the database has it."""
    answer = await world.http.post("/api/erasures", json={"phone": phone}, headers=world.bearer(org_id))
    assert answer.status_code == 201, answer.text

    async def listed() -> dict[str, Any] | None:
        path = f"/api/erasures/{answer.json()['id']}"
        receipt: dict[str, Any] = (await world.http.get(path, headers=world.bearer(org_id))).json()
        return receipt if receipt["listedAt"] else None

    found: dict[str, Any] = await eventually(listed, within_seconds=PATIENCE_SECONDS)
    assert found["appointments"] == 1
    return found


async def reasons(stack: Stack, service: Service) -> str:
    async with httpx.AsyncClient(base_url=stack.service_url(service)) as http:
        try:
            return (await http.get("/readyz")).text
        except httpx.TransportError:
            return ""


async def writes_suspended(it: Operator) -> None:
    """Started by mistake before the step that begins again, the service says so, and is stopped again."""
    title = services.TITLES[it.service]
    child = process.start(
        title, [sys.executable, "-m", it.service, "run"], log=it.folder / "early.log", env=it.environment
    )
    try:

        async def says_so() -> bool:
            return RUNBOOKS[it.service].name in await reasons(it.world.stack, it.service)

        await eventually(says_so, within_seconds=PATIENCE_SECONDS)
    finally:
        await child.stop()


async def test_tool_sync_is_restored_as_the_runbook_says(restorable: World) -> None:
    world = restorable
    known, org, gone = await world.organization("Known"), await world.organization("New"), await world.organization()
    old = await world.synced_agent(known, "old")
    left = await world.synced_agent(gone, "left")
    await world.quiet()
    it = operator(world, "tool_sync")
    (backup,) = typed("tool_sync", "The backup")
    await it.types(backup)

    since = [await world.synced_agent(org, f"since-{number}") for number in range(3)]
    later = await world.synced_agent(known, "later")
    (await world.http.delete(f"/api/organizations/{gone}")).raise_for_status()
    await world.quiet()
    made = await world.vapi.creations()
    tools = {clinic: {tool["id"] for tool in await world.vapi.tools_of(clinic)} for clinic in (known, org)}

    await world.log_db.close()
    await it.stops_the_service()
    during = await world.save(org, "during")
    restoring, looking, forking, starting, again = typed("tool_sync", "Steps")
    await it.types(restoring)
    migrated, verified, projections = looking
    await it.types([migrated])
    assert "AHEAD" in await it.types([verified], [1])
    await it.types([projections])
    await writes_suspended(it)
    assert await world.vapi.creations() == made
    said = await it.types(forking)
    assert re.search(r"[1-9]\d* tool\(s\) at Vapi may be newer", said), said
    await it.types(starting)

    for clinic, saved in [(known, old), (known, later), (org, during), *((org, one) for one in since)]:
        answer = await world.http.post("/api/assistants/sync", json={"agentId": saved["agentId"]})
        assert answer.status_code == 200, answer.text
        status = await synced(world, clinic, saved["agentId"])
        assert status["revision"] >= 2
        assert await links_of(world, saved) == list(tools[clinic])
    assert await world.vapi.creations() == made, "not one tool more than before the restore"
    assert left["assistantId"] not in {assistant["id"] for assistant in (await world.vapi.state())[1]}
    await it.types(again)

    log_db = await asyncpg.connect(world.stack.database("tool_sync").admin)
    try:
        assert await log_db.fetchval("SELECT closed FROM organizations WHERE id = $1", gone), "closed again"
        assert await log_db.fetchval("SELECT count(*) FROM lost_records") == 0, "another group has lost nothing"
    finally:
        await log_db.close()


async def test_assistant_api_is_restored_as_the_runbook_says(restorable: World) -> None:
    world = restorable
    org = await world.organization()
    old = await world.synced_agent(org, "old")
    await world.quiet()
    await books(world, old, PATIENT)
    await books(world, old, OTHER)
    it = operator(world, "assistant_api")
    (backup,) = typed("assistant_api", "The backup")
    await it.types(backup)
    erased = await erases(world, org, PATIENT["patientPhone"])

    since = await world.synced_agent(org, "since")
    for _ in range(4):
        await world.sync("old")
    hand_made = await world.vapi.create_assistant(
        {"name": "Hand-made", "model": {"provider": "openai", "model": "gpt-4o"}}
    )
    adopted = await world.synced_agent(org, "adopted", vapiAssistantId=hand_made["id"])
    deleted = await world.synced_agent(org, "deleted")
    await world.quiet()
    assistants = {assistant["id"] for assistant in (await world.vapi.state())[1]}

    await world.assistants_db.close()
    await it.stops_the_service()
    restoring, migrating, beginning, starting, comparing, looking = typed("assistant_api", "Steps")
    await it.types(restoring)
    await it.types(migrating)
    assert f"erasure {erased['id']}" in await it.types(comparing, [1]), "the backup has the patient"
    await writes_suspended(it)
    said = await it.types(beginning)
    for lost in (since, adopted, deleted):
        assert f"agent {lost['agentId']} assistant {lost['assistantId']}" in said
    await it.types(starting)
    patients = (await world.http.get("/api/appointments", headers=world.bearer(org))).json()["items"]
    assert [one["patientName"] for one in patients] == [OTHER["patientName"]], "who was erased is not there again"
    assert "nothing of them is there" in await it.types(comparing)

    published = (await synced(world, org, "old"))["revision"]
    assert published > time.time() - 3600, "above whatever was published"
    again = [await world.save(org, "since"), await world.save(org, "adopted")]
    assert [one["assistantId"] for one in again] == [since["assistantId"], hand_made["id"]]
    for agent in ("old", "since", "adopted"):
        await synced(world, org, agent)
    assert (await world.sync("old"))["assistantId"] == old["assistantId"]
    await synced(world, org, "old")
    assert {assistant["id"] for assistant in (await world.vapi.state())[1]} == assistants, "not one assistant more"
    assert len(await world.vapi.tools_of(org)) == 1

    tool_sync = Operator(world, "tool_sync", it.folder)
    await tool_sync.types(looking)


def test_what_is_typed_is_found() -> None:
    """A runbook whose blocks were not recognized would be a test of nothing."""
    assert [len(block) for block in typed("tool_sync", "Steps")] == [2, 3, 1, 1, 2]
    assert [len(block) for block in typed("assistant_api", "Steps")] == [2, 1, 1, 1, 1, 1]
    assert [len(block) for service in RUNBOOKS for block in typed(service, "The backup")] == [2, 2]
