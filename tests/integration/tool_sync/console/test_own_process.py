"""``tool-sync console``: the pages as a process of their own, beside a ``run`` that leaves them to it."""

import asyncio
import base64
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from uuid import uuid4

import httpx
import pytest
from tests.support.eventually import eventually

from devstack.ports import free_port
from devstack.tokens import Signer
from tool_sync import db
from tool_sync.admin.support_bundle import figures_of
from tool_sync.domain import events as e
from tool_sync.log import EventLog
from tool_sync.settings import Settings

from ..command import command
from .conftest import KEY, Browser, said
from .oncall import TOOL, World

CONSOLE_KEY = base64.b64encode(KEY).decode()
NOWHERE = "127.0.0.1:9"


def told(settings: Settings, **changes: str) -> dict[str, str]:
    """The environment of a process: the same for both kinds."""
    values = settings.model_dump(mode="json", exclude={"vapi_api_key", "port"})
    environment = {name.upper(): str(value) for name, value in values.items() if value is not None}
    return environment | {"PATH": os.environ["PATH"], "VAPI_API_KEY": "key", "CONSOLE_KEY": CONSOLE_KEY, **changes}


@asynccontextmanager
async def process(kind: str, port: int, environment: dict[str, str]) -> AsyncIterator[httpx.AsyncClient]:
    """One that is ready; stopped by SIGTERM afterwards."""
    running = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tool_sync", kind, env=environment, stdout=asyncio.subprocess.DEVNULL
    )
    try:
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}") as client:

            async def ready() -> bool:
                assert running.returncode is None, running.returncode
                try:
                    return (await client.get("/readyz")).status_code == 200
                except httpx.TransportError:
                    return False

            await eventually(ready, within_seconds=40)
            yield client
        running.send_signal(signal.SIGTERM)
        assert await asyncio.wait_for(running.wait(), 10) == 0
    finally:
        if running.returncode is None:
            running.kill()
            await running.wait()


@pytest.fixture
async def world(event_log: EventLog, pool: db.Pool) -> World:
    """A log in which the tool is ordered."""
    world = World(event_log, pool)
    await world.order()
    return world


async def test_it_serves_pages_and_actions_without_kafka_or_vapi(
    settings: Settings, world: World, signer: Signer
) -> None:
    org = await world.clinic("Praxis Adler")
    await world.failed(org)
    port = free_port()
    environment = told(settings, CONSOLE_PORT=str(port), KAFKA_BOOTSTRAP_SERVERS=NOWHERE)
    async with process("console", port, environment) as client:
        browser = Browser(client)
        assert (await client.get("/livez")).json() == {"ok": True, "problems": {}}
        assert (await client.get("/console/")).status_code == 303, "nobody is signed in"
        assert (await browser.sign_in(signer.platform_token())).status_code == 200
        for path in ("/", "/failures", "/waiting", "/live", f"/orgs/{org}", f"/orgs/{org}/agents/agent-1", "/tools",
                     f"/tools/{TOOL}", "/rollouts", "/publish", "/system", "/log", "/search?q=Adler"):  # fmt: skip
            assert (await browser.get(path)).status_code == 200, path
        assert "it serves the console alone" in await browser.text("/system")
        assert (await client.get("/v1/orgs", params={"name": "Adler"})).status_code == 404, "that is run's"

        switched = await browser.send(
            f"/orgs/{org}/tools/{TOOL}/settings", f"/orgs/{org}", to="off", seen="0", reason="double bookings"
        )
        assert switched.status_code == 200, said(switched.text)
        halted = await browser.send(f"/tools/{TOOL}/halt", f"/tools/{TOOL}", reason="callers hear nonsense")
        assert "it is halted" in said(halted.text)
        retried = await browser.send("/failures/retry", "/failures?code=TS-301", code="TS-301", reason="try")
        assert "Trying again" in said(retried.text)

        async with client.stream("GET", f"/console/live/stream?after={await world.head()}") as stream:
            await world.synced(org)
            async with asyncio.timeout(20):
                async for line in stream.aiter_lines():
                    if line.startswith("data:"):
                        assert "synced" in line
                        break
    events = await world.pool.fetch("SELECT type, data ->> 'reason' AS reason FROM events ORDER BY position")
    kept = {(row["type"], row["reason"]) for row in events}
    assert {("ToolSettingChanged", "double bookings"), ("ToolHalted", "callers hear nonsense")} <= kept


async def test_run_leaves_it_alone_where_it_is_told_to(settings: Settings, world: World, signer: Signer) -> None:
    port, console_port = free_port(), free_port()
    environment = told(settings, PORT=str(port), CONSOLE_PORT=str(console_port), CONSOLE_IN_RUN="false")
    headers = {"Authorization": f"Bearer {signer.platform_token()}"}
    async with process("run", port, environment) as client:
        for path in ("/console", "/console/", "/console/login", "/console/static/console.css"):
            assert (await client.get(path)).status_code == 404, path
        assert (await client.get("/v1/orgs", params={"name": "x"}, headers=headers)).status_code == 200
        figures = (await client.get("/metrics")).text.splitlines()
        ours = [line for line in figures if "zerotouch_" in line and not line.startswith("# HELP")]
        assert ours, "and a support bundle has each of them"
        assert list(figures_of("\n".join(figures))) == ours
        link = (await client.post("/v1/console/links", headers=headers)).json()["url"]
        assert link.startswith(f"http://127.0.0.1:{console_port}/console/enter/"), "links lead to where it is"

        async with process("console", console_port, environment) as console:
            browser = Browser(console)
            path = link.split("/console", 1)[1]
            page = await console.post(f"/console{path}", follow_redirects=True)
            assert "Tonight" in said(page.text)
            org = uuid4()
            await world.append(org, e.OrgRegistered("basic"))
            switched = await browser.send(
                f"/orgs/{org}/tools/{TOOL}/settings", f"/orgs/{org}", to="off", seen="0", reason="double bookings"
            )
            assert switched.status_code == 200

            async def carried_out() -> bool:
                row = await world.pool.fetchrow("SELECT settled >= requested AS done FROM pending_syncs")
                return row is not None and bool(row["done"])

            await eventually(carried_out)  # by run, which the console told nothing


async def test_it_waits_for_the_database_and_says_so(settings: Settings) -> None:
    port = free_port()
    environment = told(settings, CONSOLE_PORT=str(port), DATABASE_URL="postgresql://x:y@127.0.0.1:1/tool_sync")
    running = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tool_sync", "console", env=environment, stdout=asyncio.subprocess.DEVNULL
    )
    try:
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}") as client:

            async def waits() -> bool:
                try:
                    found = await client.get("/readyz")
                except httpx.TransportError:
                    return False
                return found.status_code == 503 and "127.0.0.1:1" in found.text

            await eventually(waits)
            assert (await client.get("/livez")).status_code == 200
            running.send_signal(signal.SIGTERM)
            assert await asyncio.wait_for(running.wait(), 10) == 0
    finally:
        if running.returncode is None:
            running.kill()
            await running.wait()


async def test_without_a_key_it_does_not_start(settings: Settings) -> None:
    environment = told(settings)
    del environment["CONSOLE_KEY"], environment["DATABASE_URL"], environment["PATH"]
    status, stdout, stderr = await command("console", database_url=settings.database_url, **environment)
    assert (status, stdout) == (2, "")
    assert "CONSOLE_KEY is not set" in stderr
