"""Two releases as processes on one log, each with another server URL: they never write a tool back and forth."""

import asyncio
import os
import sys
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest
from tests.support.eventually import eventually

from devstack.ports import free_port
from devstack.sandbox import Sandbox
from tool_sync import db
from tool_sync.settings import Settings
from zerotouch_contracts.canonical import model_hash
from zerotouch_contracts.events import AssistantSaved, OrganizationSaved

from ..topics import Topics

OLD, NEW = "https://old.example.test/hook", "https://new.example.test/hook"
CLINICS = 6
BOOKING = "bookClinicAppointment"
SHIPPED = f'name = "{BOOKING}"\ncontract = 2\ndescription = "Says that it looks."\n'
PUBLISHED = "SELECT count(*) FROM events WHERE type = 'BlueprintPublished' AND data->>'name' = $1"
UNSETTLED = """
SELECT count(*) FROM fleet_turns t WHERE t.settled < (
  SELECT max(position) FROM events WHERE org_id IS NULL AND type <> 'RolloutPlanned'
     AND coalesce(data->>'tool', data->>'name') = t.tool)
"""
SETTLED = """
SELECT count(*) FROM events, jsonb_array_elements(data->'requests') WHERE type = 'AssistantSynced'
"""
PENDING = "SELECT count(*) FROM pending_syncs WHERE requested > settled"
TOOLS = "SELECT vapi_tool_id FROM org_tools WHERE tool_name = $1 AND enabled"


@asynccontextmanager
async def release(settings: Settings, sandbox: Sandbox, url: str) -> AsyncIterator[None]:
    """A process of tool-sync that would publish its tools with this server URL; ready, and stopped at the end."""
    port = free_port()
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tool_sync", "run", env=environment(settings, sandbox, url) | {"PORT": str(port)},
        stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.DEVNULL,
    )  # fmt: skip
    try:
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}") as client:

            async def ready() -> bool:
                assert process.returncode is None, f"it ended with {process.returncode}"
                try:
                    return (await client.get("/readyz")).status_code == 200
                except httpx.TransportError:
                    return False

            await eventually(ready, within_seconds=30)
        yield
    finally:
        process.terminate()
        await process.wait()


def environment(settings: Settings, sandbox: Sandbox, url: str) -> dict[str, str]:
    """The settings of a process, or of a command."""
    document = settings.model_dump(mode="json", exclude={"vapi_api_key", "port"})
    given = {name.upper(): str(value) for name, value in document.items() if value is not None}
    vapi = {"VAPI_API_KEY": sandbox.api_key, "VAPI_BASE_URL": sandbox.url, "TOOL_SERVER_URL": url}
    return {"PATH": os.environ["PATH"], **given, **vapi}


async def save_all(topics: Topics, vapi: httpx.AsyncClient, assistants: dict[UUID, dict[str, Any]]) -> None:
    """Save each clinic's assistant as it is at Vapi now."""
    for org_id, made in assistants.items():
        made["revision"] += 1
        model = (await vapi.get(f"/assistant/{made['id']}")).json()["model"]
        saved = AssistantSaved(
            org_id=org_id, request_id=uuid4(), agent_id="agent-1", assistant_id=made["id"],
            revision=made["revision"], model_hash=model_hash(model), cause="save",
        )  # fmt: skip
        await topics.send([topics.record(saved, message_id=saved.request_id)])


@pytest.mark.timeout(300)  # ten processes start, two at a time
async def test_two_releases_with_other_seeds_write_no_tool_back_and_forth(
    settings: Settings, sandbox: Sandbox, topics: Topics, pool: db.Pool, tmp_path: Any
) -> None:
    async with httpx.AsyncClient(base_url=sandbox.url, headers={"authorization": f"Bearer {sandbox.api_key}"}) as vapi:
        body = {"name": "a", "model": {"provider": "openai", "model": "gpt-4o"}}
        assistants: dict[UUID, dict[str, Any]] = {}
        for _ in range(CLINICS):
            made = (await vapi.post("/assistant", json=body)).raise_for_status().json()
            assistants[uuid4()] = {"id": made["id"], "revision": 0}
        organizations = [OrganizationSaved(org_id=org_id, revision=1, name="Clinic") for org_id in assistants]

        async def at_rest() -> bool:
            tools, saved = await pool.fetch(TOOLS, BOOKING), sum(made["revision"] for made in assistants.values())
            if len(tools) != CLINICS or await pool.fetchval(SETTLED) != saved:
                return False
            return not (await pool.fetchval(PENDING) or await pool.fetchval(UNSETTLED))

        async def updates() -> Counter[str]:
            entries = (await vapi.get("/__sandbox/journal", params={"method": "PATCH", "limit": 10_000})).json()
            ours = {f"/tool/{row['vapi_tool_id']}" for row in await pool.fetch(TOOLS, BOOKING)}
            return Counter(entry["path"] for entry in entries["entries"] if entry["path"] in ours)

        async with release(settings, sandbox, OLD), release(settings, sandbox, NEW):
            await topics.send([topics.record(one, message_id=uuid4()) for one in organizations])
            await save_all(topics, vapi, assistants)
            await eventually(at_rest, within_seconds=30)
        for first, second in ((NEW, OLD), (OLD, NEW)):  # whoever starts last says no more than the other
            async with release(settings, sandbox, first), release(settings, sandbox, second):
                await save_all(topics, vapi, assistants)
                await eventually(at_rest, within_seconds=30)
        assert await pool.fetchval(PUBLISHED, BOOKING) == 1
        assert await updates() == {}

        file = tmp_path / "tool.toml"
        file.write_text(SHIPPED)
        async with release(settings, sandbox, OLD), release(settings, sandbox, NEW):
            shipping = await asyncio.create_subprocess_exec(
                sys.executable, "-m", "tool_sync", "ship", str(file), "--reason", "a text", "--yes",
                env=environment(settings, sandbox, NEW), stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.STDOUT,
            )  # fmt: skip
            said, _ = await asyncio.wait_for(shipping.communicate(), 60)
            assert shipping.returncode == 0, said.decode()
            await save_all(topics, vapi, assistants)
            await eventually(at_rest, within_seconds=30)
        found = await updates()
        assert (len(found), set(found.values())) == (CLINICS, {1}), "each tool is updated once, and never back"
