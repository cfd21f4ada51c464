"""The command as an operator starts it: a process of its own, told by its environment, ended by a signal."""

import asyncio
import json
import os
import signal
import time
from pathlib import Path

import asyncpg
import httpx
from tests.support.eventually import eventually

from devstack.databases import DatabaseUrls, TestDatabases
from devstack.ports import free_port
from devstack.sandbox import Sandbox

from ..pooler import pooled
from .harness import NOBODY_LISTENS, Vapi, token
from .processes import environment_of, running_process, start


async def _end(process: asyncio.subprocess.Process, within_seconds: float = 30) -> str:
    """What a process printed, once it has ended by itself."""
    async with asyncio.timeout(within_seconds):
        output, _ = await process.communicate()
    return output.decode()


async def _organization(http: httpx.AsyncClient, headers: dict[str, str]) -> str:
    """The id of a new organization, as soon as the process can make one."""

    async def made() -> httpx.Response | None:
        answer = await http.post("/api/organizations", content=b'{"name": "Clinic"}', headers=headers)
        return answer if answer.status_code == 201 else None

    org_id: str = (await eventually(made)).json()["id"]
    return org_id


async def test_missing_and_wrong_settings_are_all_listed_and_secrets_are_masked() -> None:
    secret = "postgres-password-4711"
    environment = {
        "PATH": os.environ["PATH"],
        "DATABASE_URL": f"mysql://u:{secret}@h/d",
        "PORT": "high",
        "VAPI_API_KEY": secret,
    }

    process = await start(environment, "run")
    output = await _end(process)

    assert process.returncode == 2
    for name in (
        "DATABASE_URL",
        "KAFKA_BOOTSTRAP_SERVERS",
        "INSTALLATION_ID",
        "VAPI_BASE_URL",
        "JWT_PUBLIC_KEY",
        "JWT_ISSUER",
        "JWT_AUDIENCE",
        "PORT",
    ):
        assert f"\n  {name}: " in output
    assert "'high'" in output
    assert secret not in output
    assert "Traceback" not in output


async def test_sigterm_ends_the_process_within_five_seconds_and_its_log_is_json(
    assistant_api_db: DatabaseUrls, sandbox: Sandbox, tmp_path: Path
) -> None:
    log_file = tmp_path / "logs" / "app.log"
    environment = environment_of(assistant_api_db, sandbox, LOG_FILE=str(log_file))
    async with running_process(environment) as (process, http):
        headers = {"Authorization": f"Bearer {token()}"}
        org_id = await _organization(http, headers)
        saved = await http.post("/api/agents", json={"name": "A", "id": "a", "orgId": org_id}, headers=headers)
        assert saved.status_code == 200
        reasons = (await http.get("/readyz")).json()["reasons"]
        assert NOBODY_LISTENS in reasons["kafka"]

        started = time.monotonic()
        process.send_signal(signal.SIGTERM)
        await _end(process, within_seconds=8)

        assert time.monotonic() - started < 5
        assert process.returncode == 0
    events = [json.loads(line) for line in log_file.read_text().splitlines()]
    [arrival] = [event for event in events if event["event"] == "Auto-syncing tools for assistant"]
    assert (arrival["agent_id"], arrival["org_id"], arrival["trace_id"]) == ("a", org_id, saved.json()["traceId"])
    assert arrival["request_id"] == saved.json()["requestId"]
    assert sandbox.api_key not in log_file.read_text()


async def test_a_save_that_waits_for_vapi_is_answered_at_sigterm(
    assistant_api_db: DatabaseUrls, sandbox: Sandbox, vapi: Vapi
) -> None:
    await vapi.break_route("POST /assistant", {"kind": "hang", "hold_ms": 30_000})
    environment = environment_of(assistant_api_db, sandbox, ANSWER_WAIT_SECONDS="20")
    async with running_process(environment) as (process, http):
        headers = {"Authorization": f"Bearer {token()}"}

        async def asked() -> bool:
            return bool(await vapi.requests("POST"))

        org_id = await _organization(http, headers)
        body = {"name": "A", "id": "a", "orgId": org_id}
        saving = asyncio.create_task(http.post("/api/agents", json=body, headers=headers, timeout=30))
        await eventually(asked)
        process.send_signal(signal.SIGTERM)

        saved = await saving
        assert (saved.status_code, saved.json()["state"]) == (202, "provisioning")
        assert "Traceback" not in await _end(process, within_seconds=8)
        assert process.returncode == 0


async def test_it_refuses_a_pooler_in_transaction_mode_and_says_why(
    assistant_api_db: DatabaseUrls, sandbox: Sandbox
) -> None:
    async with (
        pooled(assistant_api_db.service, by_transaction=True, drops_settings=True) as url,
        running_process(environment_of(assistant_api_db, sandbox, DATABASE_URL=url)) as (_, http),
    ):

        async def refused() -> bool:
            return "pooler without sessions" in (await http.get("/readyz")).json()["reasons"]["database"]

        await eventually(refused)


async def test_it_waits_for_a_database_and_says_so(assistant_api_db: DatabaseUrls, sandbox: Sandbox) -> None:
    environment = environment_of(
        assistant_api_db, sandbox, DATABASE_URL=f"postgresql://u:hidden-password@127.0.0.1:{free_port()}/d"
    )
    async with running_process(environment) as (_, http):

        async def reason() -> str | None:
            reasons: dict[str, str] = (await http.get("/readyz")).json()["reasons"]
            return reasons["database"] if "refused" in reasons["database"].lower() else None

        assert "hidden-password" not in await eventually(reason)
        answer = await http.post(
            "/api/organizations", json={"name": "A"}, headers={"Authorization": f"Bearer {token()}"}
        )
        assert (answer.status_code, answer.json()["code"]) == (503, "TS-910")
        listed = {"Authorization": f"Bearer {token(jti='one-that-may-be-taken-back')}"}
        answer = await http.get("/api/agents", headers=listed)
        assert (answer.status_code, answer.json()["code"]) == (503, "TS-910"), "its holder did nothing wrong"


async def test_a_database_of_another_installation_is_refused(assistant_api_db: DatabaseUrls, sandbox: Sandbox) -> None:
    owner = await asyncpg.connect(assistant_api_db.owner)
    await owner.execute("INSERT INTO installation (installation_id) VALUES (gen_random_uuid())")
    await owner.close()

    process = await start(environment_of(assistant_api_db, sandbox), "run")
    output = await _end(process)

    assert process.returncode == 3
    assert "belongs to installation" in output


async def test_migrating_twice_and_two_databases_at_once_is_safe(postgres: TestDatabases) -> None:
    databases = [await postgres.create_empty_database("assistant_api") for _ in range(2)]

    async def migrate(url: str) -> tuple[int | None, str]:
        process = await start({"PATH": os.environ["PATH"], "MIGRATE_DATABASE_URL": url}, "migrate")
        return process.returncode, await _end(process)

    results = await asyncio.gather(*(migrate(database.owner) for database in databases * 2))

    connections = [await asyncpg.connect(database.service) for database in databases]
    assert [await connection.fetchval("SELECT count(*) FROM agents") for connection in connections] == [0, 0], results
    for connection in connections:
        await connection.close()
    for database in databases:
        await postgres.drop(database)


async def test_a_database_made_before_the_first_release_is_refused_by_name(postgres: TestDatabases) -> None:
    database = await postgres.create_empty_database("assistant_api")
    connection = await asyncpg.connect(database.owner)
    await connection.execute("CREATE TABLE schema_migrations (version varchar PRIMARY KEY)")
    await connection.execute("INSERT INTO schema_migrations VALUES ('20261124000001'), ('20261201000001')")
    process = await start({"PATH": os.environ["PATH"], "MIGRATE_DATABASE_URL": database.owner}, "migrate")
    output = await _end(process)

    assert process.returncode == 2
    assert "made before the first release" in output
    assert await connection.fetchval("SELECT to_regclass('agents')") is None
    await connection.close()
    await postgres.drop(database)


async def test_a_database_ahead_of_this_release_is_left_as_it_is(postgres: TestDatabases) -> None:
    database = await postgres.create_database("assistant_api")
    connection = await asyncpg.connect(database.owner)
    await connection.execute("INSERT INTO schema_migrations VALUES ('20991231000000')")
    process = await start({"PATH": os.environ["PATH"], "MIGRATE_DATABASE_URL": database.owner}, "migrate")
    output = await _end(process)

    assert process.returncode == 0, output
    assert "the database is up to date" in output
    await connection.close()
    await postgres.drop(database)


async def test_a_migration_that_cannot_connect_says_so(assistant_api_db: DatabaseUrls) -> None:
    url = f"postgresql://u:hidden-password@127.0.0.1:{free_port()}/d"
    process = await start({"PATH": os.environ["PATH"], "MIGRATE_DATABASE_URL": url}, "migrate")
    output = await _end(process)

    assert process.returncode == 2
    assert "the migration failed" in output
    assert "hidden-password" not in output
