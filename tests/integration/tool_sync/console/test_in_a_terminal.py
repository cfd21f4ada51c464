"""What the console's pages say, in a terminal: the sentence of an assistant, a thing on one page, what waits."""

import re
from datetime import UTC, datetime
from html import unescape
from uuid import uuid4

import pytest

from devstack.databases import DatabaseUrls
from tool_sync import db
from tool_sync.domain import events as e
from tool_sync.log import EventLog

from ..command import command, result
from ..ordering import start
from .conftest import Browser
from .oncall import TOOL, World


@pytest.fixture
async def world(event_log: EventLog, pool: db.Pool) -> World:
    """A log in which the tool is ordered."""
    world = World(event_log, pool)
    await world.order()
    return world


async def ran(url: str, *arguments: str, **env: str) -> tuple[int | None, str]:
    """Exit status and stdout, on one line."""
    status, stdout, stderr = await command(*arguments, database_url=url, **env)
    assert stderr == "", stderr
    return status, " ".join(stdout.split())


async def test_the_terminal_says_of_an_assistant_what_the_console_says(
    world: World, tool_sync_db: DatabaseUrls, operator: Browser
) -> None:
    url = tool_sync_db.service
    org = await world.clinic("Praxis Adler", agents=("agent-1", "agent-2", "agent-3"))
    await world.failed(org, "TS-309")
    await world.synced(org, "agent-2")
    page = await operator.text(f"/orgs/{org}/agents/agent-1")
    (_, told) = await ran(url, "explain", "agent-1", "--json")
    _, stdout, _ = await command("explain", "agent-1", "--json", database_url=url)
    sentence = result(stdout)[0]["standing"]["sentence"]
    assert sentence in page
    assert sentence in told

    for arguments in (("explain", "agent-1"), ("why", str(org), TOOL), ("coverage", str(org)), ("describe", "agent-1")):
        _, text = await ran(url, *arguments)
        assert sentence in text, arguments
    _, text = await ran(url, "coverage", str(org))
    clinic = await operator.text(f"/orgs/{org}")
    _, stdout, _ = await command("coverage", str(org), "--json", database_url=url)
    sentences = {one["agent_id"]: one["sentence"] for one in result(stdout)["assistants_told"]}
    assert set(sentences) == {"agent-1", "agent-2", "agent-3"}
    ages = re.compile(r"\d+ s")
    for one in sentences.values():
        assert ages.sub("", one) in ages.sub("", text)
        assert ages.sub("", one).lower() in ages.sub("", unescape(clinic)).lower()
    assert text.index("agent-1 cannot") < text.index("agent-2 can"), "who needs somebody comes first"


async def test_a_clinic_on_one_page(world: World, tool_sync_db: DatabaseUrls) -> None:
    org = await world.clinic("Praxis Adler", agents=("agent-1", "agent-2"))
    await world.failed(org)
    await world.synced(org, "agent-2")
    await world.append(org, e.ToolSettingChanged(TOOL, True, reason="they asked again"))
    status, text = await ran(tool_sync_db.service, "describe", str(org), CONSOLE_URL="https://tools.example.com/")
    assert status == 1
    parts = ["CLINIC Praxis Adler", "what it is", "what is wrong", "what happens next", "what was changed last",
             "where to look further"]  # fmt: skip
    places = [text.index(part) for part in parts]
    assert places == sorted(places)
    assert "1 of 2 assistants that should book can" in text
    assert "agent-1 cannot book since" in text[places[2] : places[3]]
    assert "agent-2" not in text[places[2] : places[3]]
    assert "was switched on by" in text[places[4] : places[5]]
    assert "they asked again" in text[places[4] : places[5]]
    assert f"https://tools.example.com/console/orgs/{org}" in text[places[5] :]


async def test_a_clinic_that_is_well_is_said_to_be_with_what_was_not_looked_at(
    world: World, tool_sync_db: DatabaseUrls
) -> None:
    org = await world.clinic("Praxis Adler")
    await world.synced(org)
    status, text = await ran(tool_sync_db.service, "describe", str(org))
    assert status == 0
    assert "nothing that is known; not looked at: Vapi itself" in text


async def test_an_assistant_as_of_a_time(world: World, tool_sync_db: DatabaseUrls) -> None:
    url = tool_sync_db.service
    org = await world.clinic("Praxis Adler")
    await world.failed(org)
    failed_at = datetime.now(UTC)
    await world.synced(org)
    status, text = await ran(url, "describe", "agent-1")
    assert (status, "it can book since" in text) == (0, True)
    status, text = await ran(url, "describe", "agent-1", "--at", failed_at.isoformat())
    assert status == 1
    assert "it cannot book since" in text
    status, _, stderr = await command("describe", str(org), "--at", "1h", database_url=url)
    assert (status, "--at is for an assistant" in stderr) == (2, True)


async def test_a_tool_and_its_rollout(world: World, tool_sync_db: DatabaseUrls, operator: Browser) -> None:
    url = tool_sync_db.service
    await world.synced(await world.clinic("Praxis Adler"))
    rollout = await start(world.log, TOOL, None)
    status, text = await ran(url, "describe", TOOL)
    assert status == 0
    assert "TOOL bookClinicAppointment" in text
    assert "version 1: 1 clinic has it" in text
    assert f"rollout {rollout} of the tool for booking was started: a test's, by an operator" in text
    said = next(line for line in (await operator.text(f"/tools/{TOOL}")).split(". ") if "Everybody is to have" in line)
    assert "Everybody is to have version 1" in said
    assert "Everybody is to have version 1. Meanwhile the tool is taken away" in text

    for word in (rollout, rollout[:5]):
        status, text = await ran(url, "describe", word)
        assert status == 0
        assert f"ROLLOUT {rollout}" in text
        assert "gives clinics no version of bookClinicAppointment" in text
        assert "stage 1 of 1" in text
        assert "a test's" in text

    await ran(url, "blueprint", "halt", TOOL, "--reason", "callers hear nonsense")
    status, text = await ran(url, "describe", TOOL)
    assert status == 1
    assert "it is halted: no caller has it. Why: callers hear nonsense" in text


async def test_what_nobody_knows_is_said(world: World, tool_sync_db: DatabaseUrls) -> None:
    for word in (str(uuid4()), "nothing-of-this-name"):
        status, stdout, stderr = await command("describe", word, database_url=tool_sync_db.service)
        assert (status, stdout) == (2, "")
        assert f"nothing is called {word}" in stderr


async def test_saves_that_wait_are_listed_with_what_they_wait_for(
    world: World, tool_sync_db: DatabaseUrls, operator: Browser
) -> None:
    url = tool_sync_db.service
    assert await ran(url, "failures", "list", "--waiting") == (0, "no save waits: each has its outcome")
    first, second = await world.clinic("Praxis Adler", agents=("agent-1", "agent-2")), await world.clinic("Praxis Bär")
    page = await operator.text("/waiting")
    assert "tool-sync failures list --waiting" in page
    status, text = await ran(url, "failures", "list", "--waiting")
    assert status == 0
    assert text.index("agent-1 of Praxis Adler") < text.index("agent-2 of Praxis Adler") < text.index("Praxis Bär")
    assert "waits for: a free worker" in text
    assert "a free worker" in page
    _, text = await ran(url, "failures", "list", "--waiting", "--org", str(second))
    assert str(first) not in text
    assert str(second) in text
    await world.pause_key()
    _, stdout, _ = await command("failures", "list", "--waiting", "--limit", "1", "--json", database_url=url)
    (one,) = result(stdout)
    assert (one["org_id"], one["agent_id"]) == (str(first), "agent-1")
    assert one["waits_for"].startswith("the Vapi key, which is paused: TS-201")
    status, _, stderr = await command("failures", "list", "--waiting", "--code", "TS-301", database_url=url)
    assert (status, "--code and --since choose failures" in stderr) == (2, True)
