"""Clients that strangers' generators make of both OpenAPI documents: whole, typed, and understood by the service."""

import asyncio
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import pytest
from tests.leaks.conftest import Open
from tests.leaks.world import World
from tests.support.own_environment import python_with

from .serving import served

PACKAGE: Final = "generated_client"
IMPORT_ALL: Final = """
import importlib, pkgutil, sys
sys.path.insert(0, ".")
import generated_client
names = [one.name for one in pkgutil.walk_packages(generated_client.__path__, "generated_client.")]
for name in names:
    importlib.import_module(name)
print(len(names))
"""
ASKS: Final[Mapping[str, str]] = {
    "assistant_api": """
from generated_client.api.agents import agents_page, agents_read
from generated_client.api.assistants import assistants_sync
from generated_client.models import Agent, AgentsPage, Problem, Saved, SyncRequest

page = agents_page.sync(client=client)
assert isinstance(page, AgentsPage) and isinstance(page.items[0], Agent), page
agent = page.items[0].id
saved = assistants_sync.sync(client=client, body=SyncRequest(agent_id=agent))
assert isinstance(saved, Saved) and saved.agent_id == agent, saved
unknown = agents_read.sync_detailed(client=client, agent_id="nobody")
assert unknown.status_code == 404 and isinstance(unknown.parsed, Problem) and unknown.parsed.code == "TS-904", unknown
""",
    "tool_sync": """
from generated_client.api.assistants import assistants_get_assistants
from generated_client.api.events import events_get_events
from generated_client.api.tools import tools_list_tools
from generated_client.models import AssistantPage, EventPage, Problem

page = assistants_get_assistants.sync(client=client)
assert isinstance(page, AssistantPage) and page.assistants[0].tools, page
events = events_get_events.sync(client=client)
assert isinstance(events, EventPage) and events.events[0].orgid == page.assistants[0].org_id, events
refused = tools_list_tools.sync_detailed(client=client)
assert refused.status_code == 403 and isinstance(refused.parsed, Problem) and refused.parsed.code == "TS-903", refused
""",
}
"""What a program of a clinic asks its service with its client."""
CLIENT: Final = """
import sys
sys.path.insert(0, ".")
from generated_client import AuthenticatedClient
client = AuthenticatedClient(base_url=sys.argv[1], token=sys.argv[2])
"""


def done(command: list[str], folder: Path) -> str:
    """What a command said; it has to succeed."""
    made = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=100, check=False)
    assert made.returncode == 0, f"{made.stdout}{made.stderr}"[-6_000:]
    return made.stdout


@pytest.fixture(params=["assistant_api", "tool_sync"])
def opened(request: pytest.FixtureRequest) -> Open:
    found: Open = request.getfixturevalue(request.param)
    return found


def generate(document: Mapping[str, Any], folder: Path) -> str:
    """Make the client, without a single warning; the interpreter that can import it."""
    python = str(python_with("openapi"))
    (folder / "document.json").write_text(json.dumps(document))
    (folder / "generator.yaml").write_text("post_hooks: []\n")
    done(
        [python, "-m", "openapi_python_client", "generate", "--path", "document.json", "--config", "generator.yaml",
         "--meta", "none", "--output-path", PACKAGE, "--fail-on-warning"],
        folder,
    )  # fmt: skip
    return python


def operations_of(document: Mapping[str, Any]) -> int:
    """How many there are."""
    return sum(len(methods) for methods in document["paths"].values())


async def ask(world: World, python: str, folder: Path) -> None:
    """Be a program of a clinic that has the client."""
    token = world.token("org", world.clinics.own.org_id)
    assert token is not None
    async with served(world.app) as url:
        program = CLIENT + ASKS[world.service]
        await asyncio.to_thread(done, [python, "-c", program, url, token], folder)


@pytest.mark.timeout(180)
async def test_a_python_client_is_generated_typed_and_understood(opened: Open, tmp_path: Path) -> None:
    async with opened() as world:
        python = await asyncio.to_thread(generate, world.document, tmp_path)
        modules = int(await asyncio.to_thread(done, [python, "-c", IMPORT_ALL], tmp_path))
        assert modules > operations_of(world.document)
        mypy = [
            sys.executable,
            "-m",
            "mypy",
            "--strict",
            "--no-warn-redundant-casts",
            "--python-executable",
            python,
            "--ignore-missing-imports",
        ]
        await asyncio.to_thread(done, [*mypy, "--cache-dir", str(tmp_path / "mypy"), "-p", PACKAGE], tmp_path)
        await ask(world, python, tmp_path)


@pytest.mark.timeout(180)
def test_a_document_that_contradicts_itself_gives_no_client(tmp_path: Path) -> None:
    body = {"schema": {"title": "Bad", "enum": ["a"], "type": "string", "default": "b"}}
    operation = {"operationId": "bad", "requestBody": {"content": {"application/json": body}}, "responses": {}}
    document = {
        "openapi": "3.1.0",
        "info": {"title": "x", "version": "1"},
        "paths": {"/x": {"post": operation}},
    }
    with pytest.raises(AssertionError, match="not valid for enum"):
        generate(document, tmp_path)


@pytest.mark.timeout(300)
@pytest.mark.skipif(os.environ.get("SCHEMATHESIS") != "deep", reason="NOT RUN: `make nightly` fetches it with npx")
async def test_typescript_types_are_generated_and_compile(opened: Open, tmp_path: Path) -> None:
    if shutil.which("npx") is None:
        pytest.skip("NOT RUN: there is no npx (node) on this machine")
    async with opened() as world:
        (tmp_path / "document.json").write_text(json.dumps(world.document))
    tools = ["npx", "--yes", "--package", "openapi-typescript@7", "--package", "typescript@5", "--"]
    await asyncio.to_thread(done, [*tools, "openapi-typescript", "document.json", "--output", "api.ts"], tmp_path)
    await asyncio.to_thread(done, [*tools, "tsc", "--noEmit", "--strict", "api.ts"], tmp_path)
    assert (tmp_path / "api.ts").read_text().count("application/problem+json") > 100
