"""`tool-sync doctor`: each thing that can stand in the way is named, with what to do, and nothing else is."""

from typing import Any
from uuid import uuid4

import asyncpg
import pytest

from devstack.databases import DatabaseUrls, TestDatabases
from devstack.fixtures import TestKafka
from devstack.sandbox import Sandbox
from tool_sync.settings import Settings

from ..pooler import pooled
from .command import command, envelope
from .test_service import running, until_ready
from .test_workers import environment

NAMES = {
    "settings", "database", "migrations", "installation", "processes", "clock", "key's pauses", "dead letters",
    "lost records", "kafka", "vapi", "keys of tokens",
}  # fmt: skip


@pytest.fixture(autouse=True)
async def topics_of_the_contract(kafka: TestKafka) -> None:
    await kafka.create_contract_topics()


async def doctor(told: dict[str, str]) -> tuple[int | None, dict[str, Any]]:
    """Exit status, and what is not as it should be: what to do by name, None where it was not looked at."""
    status, out, _ = await command("doctor", "--json", database_url=told["DATABASE_URL"], **without_database(told))
    document = envelope(out)
    assert {found["name"] for found in document["result"]} == NAMES
    assert document["not_looked_at"] == [f["name"] for f in document["result"] if not f["is_looked_at"]]
    return status, {f["name"]: f["what_to_do"] for f in document["result"] if f["what_to_do"] or not f["is_looked_at"]}


def without_database(told: dict[str, str]) -> dict[str, str]:
    return {name: value for name, value in told.items() if name not in {"DATABASE_URL", "PATH"}}


async def test_where_all_is_well_it_says_so(settings: Settings, sandbox: Sandbox) -> None:
    told = environment(settings, sandbox)
    async with running(settings) as client:
        await until_ready(client)
        assert await doctor(told) == (0, {})
        status, out, err = await command("doctor", database_url=told["DATABASE_URL"], **without_database(told))
    assert (status, err) == (0, "")
    assert len([line for line in out.splitlines() if line.startswith("ok ")]) == len(NAMES)


async def test_each_obstacle_is_named_with_what_to_do(settings: Settings, sandbox: Sandbox) -> None:
    good = environment(settings, sandbox)
    connection = await asyncpg.connect(settings.database_url)
    await connection.execute("INSERT INTO installation (installation_id) VALUES ($1)", uuid4())
    await connection.execute("INSERT INTO dead_letters (topic, partition, \"offset\", headers, reason)"
                             " VALUES ('t', 0, 0, '{}', 'unreadable')")  # fmt: skip
    await connection.execute("INSERT INTO lost_records (topic, partition, first_offset, end_offset, cause)"
                             " VALUES ('t', 0, 1, 2, 'gone')")  # fmt: skip
    await connection.close()
    status, found = await doctor(good | {"VAPI_API_KEY": "another", "HEADS_TOPIC": "nowhere", "LOGFILE": "x"})
    assert status == 1
    assert set(found) == {"settings", "installation", "processes", "dead letters", "lost records", "kafka", "vapi"}
    assert "tool-sync run" in found["processes"]


@pytest.mark.parametrize("away", ["DATABASE_URL", "KAFKA_BOOTSTRAP_SERVERS", "VAPI_BASE_URL"])
async def test_what_is_away_is_named_and_the_rest_is_looked_at(settings: Settings, sandbox: Sandbox, away: str) -> None:
    nowhere = {
        "DATABASE_URL": "postgresql://nobody:hunter2@127.0.0.1:1/tool_sync",
        "KAFKA_BOOTSTRAP_SERVERS": "127.0.0.1:1",
        "VAPI_BASE_URL": "http://127.0.0.1:1",
    }
    async with running(settings) as client:
        await until_ready(client)
        status, found = await doctor(environment(settings, sandbox) | {away: nowhere[away]})
    behind = {"migrations", "installation", "processes", "clock", "key's pauses", "dead letters", "lost records"}
    of = {"DATABASE_URL": {"database"} | behind, "KAFKA_BOOTSTRAP_SERVERS": {"kafka"}, "VAPI_BASE_URL": {"vapi"}}
    assert (status, set(found)) == (1, of[away])
    assert "hunter2" not in str(found)
    assert {name for name, what in found.items() if what is None} == (behind if away == "DATABASE_URL" else set())


async def test_a_database_without_the_schema_is_told_what_it_lacks(
    settings: Settings, sandbox: Sandbox, postgres: TestDatabases
) -> None:
    empty = await postgres.create_empty_database("tool_sync")
    try:
        status, found = await doctor(environment(settings, sandbox) | {"DATABASE_URL": empty.owner})
    finally:
        await postgres.drop(empty)
    assert status == 1
    assert "tool-sync migrate" in found["migrations"]


async def test_a_pooler_without_sessions_is_found(
    settings: Settings, sandbox: Sandbox, tool_sync_db: DatabaseUrls
) -> None:
    async with pooled(tool_sync_db.service, by_transaction=True, drops_settings=True) as url:
        status, found = await doctor(environment(settings, sandbox) | {"DATABASE_URL": url})
    assert (status, "session mode" in found["database"]) == (1, True)


async def test_a_setting_that_is_missing_is_all_that_is_said(settings: Settings, sandbox: Sandbox) -> None:
    told = without_database(environment(settings, sandbox))
    del told["JWT_ISSUER"]
    status, out, err = await command("doctor", database_url=settings.database_url, **told)
    assert (status, out) == (2, "")
    assert "JWT_ISSUER = (missing): is required" in err
