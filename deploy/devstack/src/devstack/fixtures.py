"""pytest fixtures: real PostgreSQL, real Kafka and the Vapi sandbox, once per session.

Given addresses win (`TEST_DATABASE_URL`, a superuser's; `TEST_KAFKA_BOOTSTRAP_SERVERS`), then a Docker engine that
answers and has the image, else the embedded servers. What cannot be started is an error, never a skipped test.

    pytest_plugins = ("devstack.fixtures",)          # in the topmost conftest.py

    async def test_it(tool_sync_db: DatabaseUrls, kafka: TestKafka) -> None: ...
"""

import os
import sys
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
import pytest_asyncio

from devstack import containers, topics
from devstack import kafka as embedded_kafka
from devstack import postgres as embedded_postgres
from devstack import sandbox as sandbox_process
from devstack.databases import DatabaseUrls, Service, TestDatabases
from devstack.sandbox import Sandbox
from devstack.topics import TopicSpec

FreshDatabase = Callable[[], Awaitable[DatabaseUrls]]


@dataclass(frozen=True, slots=True)
class TestKafka:
    """A broker for tests; topics have names of their own, so that tests do not see each other's records."""

    __test__ = False

    bootstrap_servers: str

    async def create_topic(self, name: str = "test", *, partitions: int = 3, **configs: str) -> str:
        """Creates a topic and returns its name, `name` with a random part; configs as `retention_ms="1000"`."""
        unique = f"{name}.{uuid.uuid4().hex[:10]}"
        settings = {key.replace("_", "."): value for key, value in configs.items()}
        await topics.create(self.bootstrap_servers, [TopicSpec(unique, partitions, settings)])
        return unique

    async def create_contract_topics(self, *, partitions: int | None = None) -> None:
        """Creates the contract's topics under their own names, where they do not exist."""
        await topics.create_contract_topics(self.bootstrap_servers, partitions=partitions)


def _say(text: str) -> None:
    print(f"devstack: {text}", file=sys.stderr, flush=True)


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def postgres() -> AsyncIterator[TestDatabases]:
    """A PostgreSQL 18 server: `admin_url`, `create_database(service)`, `create_empty_database(service)`, `drop`."""
    given = os.environ.get("TEST_DATABASE_URL")
    if given:
        databases = TestDatabases(given)
        yield databases
        await databases.close()
    elif (reason := containers.unusable(containers.POSTGRES_IMAGE)) is None:
        async with containers.postgres_server() as url:
            yield TestDatabases(url)
    else:
        _say(f"PostgreSQL: embedded; {reason}")
        # Not below pytest's own folder: each pytest that starts closes that to others, and where we are root the server
        # runs as somebody else.
        with TemporaryDirectory(prefix="zerotouch-test-", ignore_cleanup_errors=True) as folder:
            server = await embedded_postgres.start(Path(folder) / "data", fsync=False)
            yield TestDatabases(server.admin_url)
            await server.stop()


@pytest_asyncio.fixture(loop_scope="session")
async def fresh_tool_sync_db(postgres: TestDatabases) -> AsyncIterator[FreshDatabase]:
    """Makes migrated databases of tool-sync: `urls = await fresh_tool_sync_db()`; they are dropped after the test."""
    async for fresh in _fresh(postgres, "tool_sync"):
        yield fresh


@pytest_asyncio.fixture(loop_scope="session")
async def fresh_assistant_api_db(postgres: TestDatabases) -> AsyncIterator[FreshDatabase]:
    """Makes migrated databases of assistant-api; they are dropped after the test."""
    async for fresh in _fresh(postgres, "assistant_api"):
        yield fresh


@pytest_asyncio.fixture(loop_scope="session")
async def tool_sync_db(fresh_tool_sync_db: FreshDatabase) -> DatabaseUrls:
    """One migrated database of tool-sync, dropped after the test."""
    return await fresh_tool_sync_db()


@pytest_asyncio.fixture(loop_scope="session")
async def assistant_api_db(fresh_assistant_api_db: FreshDatabase) -> DatabaseUrls:
    """One migrated database of assistant-api, dropped after the test."""
    return await fresh_assistant_api_db()


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def kafka(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[TestKafka]:
    """A Kafka 4 broker: `bootstrap_servers`, `create_topic()`, `create_contract_topics()`."""
    given = os.environ.get("TEST_KAFKA_BOOTSTRAP_SERVERS")
    if given:
        reason = await topics.not_answering(given)
        assert reason is None, f"TEST_KAFKA_BOOTSTRAP_SERVERS={given}: {reason}"
        yield TestKafka(given)
    elif (reason := containers.unusable(containers.KAFKA_IMAGE)) is None:
        async with containers.kafka_broker() as servers:
            yield TestKafka(servers)
    else:
        _say(f"Kafka: embedded; {reason}")
        broker = await embedded_kafka.start(tmp_path_factory.mktemp("kafka") / "data", say=_say)
        yield TestKafka(broker.bootstrap_servers)
        await broker.stop()


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def sandbox(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Sandbox]:
    """The Vapi sandbox as a process: `url`, `api_key`; dials and journal under `/__sandbox`, shared by all tests."""
    log: Path = tmp_path_factory.mktemp("sandbox") / "sandbox.log"
    server = await sandbox_process.start(log=log)
    yield server
    await server.stop()


async def _fresh(databases: TestDatabases, service: Service) -> AsyncIterator[FreshDatabase]:
    made: list[DatabaseUrls] = []

    async def fresh() -> DatabaseUrls:
        made.append(await databases.create_database(service))
        return made[-1]

    yield fresh
    for database in made:
        await databases.drop(database)
