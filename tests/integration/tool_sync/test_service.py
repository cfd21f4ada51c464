"""The whole process: it starts without its surroundings, says what it waits for, works when they come, and stops."""

import asyncio
import json
import os
import signal
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

import asyncpg
import httpx
import pytest
from tests.support.eventually import eventually
from tests.support.pieces import PIECE_SECONDS_MAX, longest_piece

from devstack.databases import DatabaseUrls, TestDatabases
from devstack.ports import free_port
from devstack.sandbox import Sandbox
from devstack.tokens import Signer
from tool_sync import db
from tool_sync.app import serve
from tool_sync.settings import Settings
from zerotouch_contracts.canonical import model_hash
from zerotouch_contracts.envelope import from_record
from zerotouch_contracts.events import AssistantSaved, OrganizationSaved, ToolsSynced
from zerotouch_platform.postgres.installation import ForeignInstallation

from ..pooler import pooled
from .topics import Topics

STOP_SECONDS_MAX = 5.0


@asynccontextmanager
async def running(settings: Settings) -> AsyncIterator[httpx.AsyncClient]:
    """The service in this process's loop; stopped at the end, which must not take longer than 5 s."""
    stopping = asyncio.Event()
    port: asyncio.Future[int] = asyncio.get_running_loop().create_future()
    task = asyncio.create_task(serve(settings, stopping, on_listening=port.set_result))
    try:
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{await port}", timeout=10) as client:
            yield client
    finally:
        asked = time.monotonic()
        stopping.set()
        await task
        assert time.monotonic() - asked < STOP_SECONDS_MAX


async def problems(client: httpx.AsyncClient) -> dict[str, str]:
    answer: dict[str, dict[str, str]] = (await client.get("/readyz")).json()
    return answer["problems"]


async def until_ready(client: httpx.AsyncClient) -> None:
    async def ready() -> bool:
        return (await client.get("/readyz")).status_code == 200

    await eventually(ready)


async def test_what_is_written_into_system_tools_is_taken_by_a_running_service(settings: Settings) -> None:
    own = (uuid4(),)
    async with running(Settings(**{**settings.model_dump(), "own_orgs": own})) as client:
        await until_ready(client)
        connection = await asyncpg.connect(settings.database_url)
        try:
            await connection.execute("UPDATE system_tools SET tier = 'professional' WHERE name = 'cancelAppointment'")

            async def published() -> bool:
                return bool(await connection.fetchval("SELECT version FROM tool_requests WHERE state = 'published'"))

            await eventually(published)
            await connection.execute("UPDATE system_tools SET enabled = true WHERE name = 'cancelAppointment'")

            async def refused() -> list[str]:
                return list(
                    await connection.fetchval("SELECT problems FROM tool_requests WHERE state = 'refused'") or ()
                )

            assert await eventually(refused) == ["no stage holds any clinic: nobody would get it"]
            tier = await connection.fetchval("SELECT tier FROM system_tools WHERE name = 'cancelAppointment'")
            assert tier == "professional"
        finally:
            await connection.close()


async def test_a_saved_assistant_gets_its_tools_and_its_outcome(
    settings: Settings, sandbox: Sandbox, topics: Topics
) -> None:
    async with httpx.AsyncClient(base_url=sandbox.url, headers={"Authorization": f"Bearer {sandbox.api_key}"}) as vapi:
        made = await vapi.post("/assistant", json={"name": "a", "model": {"provider": "openai", "model": "gpt-4o"}})
        assistant = made.raise_for_status().json()
        org, request = uuid4(), uuid4()
        saved = AssistantSaved(
            org_id=org,
            request_id=request,
            agent_id="agent-1",
            assistant_id=assistant["id"],
            revision=1,
            model_hash=model_hash(assistant["model"]),
            cause="save",
        )
        with_sandbox = settings.model_copy(update={"vapi_base_url": sandbox.url})
        with_key = Settings(**{**with_sandbox.model_dump(), "vapi_api_key": sandbox.api_key})

        async def outcomes() -> list[Any]:
            return await topics.outcomes()

        async with running(with_key) as client:
            await until_ready(client)
            await topics.send(
                [
                    topics.record(OrganizationSaved(org_id=org, revision=1, name="Clinic"), message_id=uuid4()),
                    topics.record(saved, message_id=request),
                ]
            )
            (record,) = await eventually(outcomes)
        message, _ = from_record(record.key, record.value, record.headers)
        assert isinstance(message, ToolsSynced)
        assert [r.request_id for r in message.requests] == [request]
        (tool,) = message.tools
        linked = (await vapi.get(f"/assistant/{assistant['id']}")).json()
        assert linked["model"]["toolIds"] == [tool.vapi_tool_id]


async def test_without_postgresql_it_is_live_and_says_what_it_waits_for(settings: Settings, signer: Signer) -> None:
    url = f"postgresql://tool_sync:secret@127.0.0.1:{free_port()}/tool_sync"
    async with running(Settings(**{**settings.model_dump(), "database_url": url})) as client:

        async def says_so() -> bool:
            return "refused" in (await problems(client)).get("start", "").lower()

        await eventually(says_so)
        assert "secret" not in (await client.get("/readyz")).text
        assert (await client.get("/livez")).status_code == 200
        answer = await client.get("/v1/tools", headers={"Authorization": f"Bearer {signer.platform_token()}"})
        assert answer.status_code == 503, "whether the token was taken back is not known, and its holder did no wrong"


async def test_a_pooler_in_transaction_mode_is_refused_with_the_reason(settings: Settings) -> None:
    async with (
        pooled(settings.database_url, by_transaction=True, drops_settings=True) as url,
        running(settings.model_copy(update={"database_url": url})) as client,
    ):

        async def says_so() -> bool:
            return "pooler without sessions" in (await problems(client)).get("start", "")

        await eventually(says_so)


async def test_without_migrations_it_says_which_are_missing(settings: Settings, postgres: TestDatabases) -> None:
    empty = await postgres.create_empty_database("tool_sync")
    try:
        async with running(Settings(**{**settings.model_dump(), "database_url": empty.service})) as client:

            async def says_so() -> bool:
                return "migrations are missing" in (await problems(client)).get("start", "")

            await eventually(says_so)
    finally:
        await postgres.drop(empty)


async def test_without_kafka_it_waits_and_works_on_its_own_database(settings: Settings) -> None:
    nobody = f"127.0.0.1:{free_port()}"
    async with running(settings.model_copy(update={"kafka_bootstrap_servers": nobody})) as client:

        async def says_so() -> bool:
            found = await problems(client)
            return set(found) == {"kafka", "intake", "relay"} and all(nobody in reason for reason in found.values())

        await eventually(says_so)
        assert (await client.get("/livez")).status_code == 200


async def test_a_missing_topic_is_named(settings: Settings) -> None:
    missing = f"missing-{uuid4()}"
    async with running(settings.model_copy(update={"assistants_topic": missing})) as client:

        async def says_so() -> bool:
            found = await problems(client)
            return set(found) == {"kafka", "intake"} and all(missing in reason for reason in found.values())

        await eventually(says_so)


async def test_another_installations_database_is_refused(settings: Settings, pool: db.Pool) -> None:
    async with pool.acquire() as connection:
        await db.claim_installation(connection, uuid4())
    with pytest.raises(ForeignInstallation, match=str(settings.installation_id)):
        await serve(settings, asyncio.Event())


async def test_a_port_in_use_is_said_at_once(settings: Settings) -> None:
    async with running(settings) as client:
        taken = client.base_url.port
        with pytest.raises(OSError, match=f"127.0.0.1:{taken}"):
            await serve(settings.model_copy(update={"port": taken}), asyncio.Event())


async def test_the_process_stops_on_sigterm_and_logs_json_lines(
    settings: Settings, tool_sync_db: DatabaseUrls, tmp_path: Path
) -> None:
    port, log_file = free_port(), tmp_path / "logs" / "app.log"
    environment = {
        name.upper(): str(value)
        for name, value in settings.model_dump(mode="json").items()
        if value is not None and name != "vapi_api_key"
    }
    environment |= {"VAPI_API_KEY": "key", "PORT": str(port), "LOG_FILE": str(log_file)}
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tool_sync", "run",
        env={"PATH": os.environ["PATH"], **environment},
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    try:
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}") as client:

            async def ready() -> bool:
                try:
                    return (await client.get("/readyz")).status_code == 200
                except httpx.TransportError:
                    return False

            await eventually(ready)
        asked = time.monotonic()
        process.send_signal(signal.SIGTERM)
        stdout, stderr = await asyncio.wait_for(process.communicate(), 10)
        assert time.monotonic() - asked < STOP_SECONDS_MAX
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    assert (process.returncode, stderr.decode()) == (0, "")
    lines = [json.loads(line) for line in log_file.read_text().splitlines()]
    assert lines == [json.loads(line) for line in stdout.decode().splitlines()]
    names = [line["event"] for line in lines]
    assert names[0] == "tool-sync starts"
    assert names[-1] == "tool-sync has stopped"
    assert all({"event", "level", "service", "time"} <= set(line) for line in lines)


async def test_the_first_request_finds_everything_prepared(settings: Settings) -> None:
    async with running(settings) as client:
        await until_ready(client)
        assert await longest_piece(lambda: client.get("/openapi.json"), tries=1) < 2 * PIECE_SECONDS_MAX
