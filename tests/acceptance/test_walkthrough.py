"""What the README promises: its commands work as typed, and the demo runs from the start to a clean end."""

import asyncio
import fcntl
import json
import os
import sys
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from uuid import UUID

import psutil  # type: ignore[import-untyped]
import pytest
from tests.support.eventually import eventually

from devstack import ports
from devstack.one_fix import CLINICS
from devstack.options import DEMO_PORTS

from .world import PATIENCE_SECONDS, TOOL, World

CURL = {"content-type": "application/x-www-form-urlencoded"}
"""What curl says about the body of `-d`, unless told otherwise."""
DEMO_SECONDS_MAX = 90.0
PORTS_SECONDS_MAX = 60.0


async def test_the_walk_through_works_as_typed_with_curls_content_type(world: World) -> None:
    made = await world.http.post("/api/organizations", content='{"name": "Test Clinic"}', headers=CURL)
    assert made.status_code == 201, made.text
    agent_id = (await world.synced_agent(UUID(made.json()["id"]), "test-agent-id"))["agentId"]
    synced = await world.http.post("/api/assistants/sync", content='{"agentId": "test-agent-id"}', headers=CURL)
    assert synced.status_code == 200, synced.text
    body = synced.json()
    assert {**body, "traceId": None, "requestId": None} == {
        "success": True,
        "agentId": agent_id,
        "orgId": made.json()["id"],
        "assistantId": body["assistantId"],
        "requestId": None,
        "traceId": None,
        "state": "provisioned",
    }

    async def lines() -> list[dict[str, Any]]:
        return world.log_lines(
            lambda line: line["event"] == "Tools synced successfully" and line["trace_id"] == body["traceId"]
        )

    [line] = await eventually(lines, within_seconds=PATIENCE_SECONDS)
    assert (line["agent_id"], line["tools"]) == (agent_id, [TOOL])


@pytest.mark.parametrize("service", ["assistant_api", "tool_sync"])
async def test_each_service_shows_its_api(world: World, service: str) -> None:
    # The addresses in the demo's table.
    client, page = (world.http, "/api/docs") if service == "assistant_api" else (world.tool_sync, "/docs")
    answer = await client.get(page)
    assert answer.status_code == 200, f"GET {page}: {answer.status_code}"
    assert "openapi.json" in answer.text


@pytest.mark.timeout(240)
async def test_the_demo_runs_once_and_leaves_only_its_last_line(tmp_path: Path) -> None:
    async with alone_on_the_demos_ports():
        demo = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "devstack",
            "demo",
            "--once",
            cwd=tmp_path,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        try:
            async with asyncio.timeout(DEMO_SECONDS_MAX):
                output, _ = await demo.communicate()
        finally:
            if demo.returncode is None:
                demo.terminate()
                await demo.wait()
        text = output.decode()
        assert demo.returncode == 0, text
        for port in DEMO_PORTS.values():
            assert not await ports.listening(port)

    summary = json.loads(text.splitlines()[-1])
    assert {"org_id", "assistant_id", "tools", "outcome", "seconds_to_outcome", "trace_id"} <= summary.keys()
    assert (summary["tools"], summary["outcome"]) == ([TOOL], "ToolsSynced")
    assert UUID(summary["org_id"])
    assert int(summary["trace_id"], 16)
    assert 0 < summary["seconds_to_outcome"] < DEMO_SECONDS_MAX
    assert summary["console"].startswith(f"http://127.0.0.1:{DEMO_PORTS['tool-sync']}/console/enter/")
    assert summary["console"] in text
    assert "it ends with the demo" in text
    for told in ("ToolsSynced", "SyncRequested", "AssistantSynced", "assistant-api", "tool-sync", summary["trace_id"]):
        assert told in text

    # One fix for every clinic that has an assistant, and back: what a caller hears while the tool works.
    clinics = CLINICS + 1
    rollout = summary["rollout"]
    assert (rollout["orgs"], rollout["calls"]) == (clinics, clinics)
    assert 0 < rollout["seconds"] < DEMO_SECONDS_MAX
    assert "$ tool-sync ship one_fix.toml" in text
    assert "hears first: One moment, I am looking for a free time." in text
    assert "hears first: nothing" in text

    # What a caller hears with each version of the booking tool (ADR 4).
    assert "the model hears: Booked for " in text
    assert "the model hears: Not booked: this time is taken." in text
    assert "the model hears: Success." in text
    assert "What it was answered, and never heard: Not booked: this time is taken." in text

    events = [json.loads(line)["event"] for line in (tmp_path / "logs/app.log").read_text().splitlines()]
    assert "Auto-syncing tools for assistant" in events
    assert "Tools synced successfully" in events

    async def nobody_left() -> bool:
        return not processes_in(tmp_path)

    # The guard of the children notices a moment later that it has nothing left to guard.
    await eventually(nobody_left, within_seconds=PATIENCE_SECONDS)


def processes_in(folder: Path) -> list[str]:
    """The processes that were started in a folder, or below it."""
    found = []
    for process in psutil.process_iter():
        try:
            if Path(process.cwd()).is_relative_to(folder) and process.status() != psutil.STATUS_ZOMBIE:
                found.append(f"{process.pid} {' '.join(process.cmdline())}")
        except (psutil.NoSuchProcess, psutil.AccessDenied):
            continue
    return found


@asynccontextmanager
async def alone_on_the_demos_ports() -> AsyncIterator[None]:
    """Keeps two runs of this test on one machine from each other's fixed ports, and waits for a demo to end."""

    async def all_free() -> bool:
        return not any([await ports.listening(port) for port in DEMO_PORTS.values()])

    lock = os.open(Path(tempfile.gettempdir(), "zerotouch-demo-ports.lock"), os.O_WRONLY | os.O_CREAT, 0o600)
    try:
        await asyncio.to_thread(fcntl.flock, lock, fcntl.LOCK_EX)
        # Somebody's own demo does not know of the lock.
        await eventually(all_free, within_seconds=PORTS_SECONDS_MAX)
        yield
    finally:
        os.close(lock)
