"""Services that are started wrongly, or before what they stand on: they say why, and create nothing on the way."""

import re
from pathlib import Path
from urllib.parse import urlsplit
from uuid import uuid4

import pytest

from devstack import topics
from devstack.databases import SERVICES, Service, TestDatabases
from devstack.ports import HOST, free_port

from .programs import forwarding, run_to_its_end, started
from .world import World

NOBODY = "127.0.0.1:1"
DEAD_DATABASE = f"postgresql://somebody:a-password@{NOBODY}/nothing"

REQUIRED = {
    "DATABASE_URL", "KAFKA_BOOTSTRAP_SERVERS", "VAPI_BASE_URL", "VAPI_API_KEY", "INSTALLATION_ID",
    "JWT_PUBLIC_KEY", "JWT_ISSUER", "JWT_AUDIENCE",
}  # fmt: skip
ALSO_REQUIRED: dict[Service, set[str]] = {"assistant_api": set(), "tool_sync": {"TOOL_SERVER_URL"}}


@pytest.mark.parametrize("service", SERVICES)
async def test_all_missing_settings_are_listed_at_once(service: Service) -> None:
    status, output = await run_to_its_end(service, "run", {})
    assert status == 2
    assert set(re.findall(r"^\s+([A-Z_]+)\b", output, re.MULTILINE)) == REQUIRED | ALSO_REQUIRED[service]
    assert "Traceback" not in output


@pytest.mark.parametrize("service", SERVICES)
async def test_wrong_and_missing_settings_are_listed_together_and_secrets_are_masked(service: Service) -> None:
    wrong = {
        "DATABASE_URL": "mysql://clinic:s3cret-1@db.example/x",
        "VAPI_BASE_URL": "not a url",
        "INSTALLATION_ID": "not a uuid",
        "JWT_PUBLIC_KEY": "s3cret-2",
        "JWT_ISSUER": "https://issuer.example",
        "PORT": "70000",
    }
    status, output = await run_to_its_end(service, "run", wrong)
    assert status == 2
    for name in ("DATABASE_URL", "VAPI_BASE_URL", "INSTALLATION_ID", "PORT"):
        assert name in output
    for name in {"KAFKA_BOOTSTRAP_SERVERS", "VAPI_API_KEY", "JWT_AUDIENCE"} | ALSO_REQUIRED[service]:
        assert re.search(rf"{name}\b.*(missing|required)", output), output
    assert "JWT_ISSUER" not in output
    assert "s3cret" not in output
    assert "Traceback" not in output


@pytest.mark.parametrize("service", SERVICES)
async def test_neither_postgresql_nor_kafka_is_there(world: World, service: Service, tmp_path: Path) -> None:
    async with started(world, service, tmp_path, DEAD_DATABASE, KAFKA_BOOTSTRAP_SERVERS=NOBODY) as running:
        await running.not_ready_because("refused")
        reasons = str(await running.ready_reasons())
        assert re.search("postgresql|database", reasons, re.IGNORECASE), f"what refuses is not said: {reasons}"
        assert "a-password" not in reasons
        await running.ends_on_sigterm()
    assert "a-password" not in running.child.log.read_text()


@pytest.mark.parametrize("service", SERVICES)
async def test_kafka_is_not_there(world: World, service: Service, tmp_path: Path) -> None:
    databases = TestDatabases(world.stack.database_admin_url)
    database = await databases.create_database(service)
    try:
        async with started(world, service, tmp_path, database, KAFKA_BOOTSTRAP_SERVERS=NOBODY) as running:
            await running.not_ready_because("Kafka", NOBODY, nor="database")
            await running.ends_on_sigterm()
    finally:
        await databases.close()


@pytest.mark.parametrize("service", SERVICES)
async def test_a_topic_that_does_not_exist_is_named_and_not_created(
    world: World, service: Service, tmp_path: Path
) -> None:
    databases = TestDatabases(world.stack.database_admin_url)
    database = await databases.create_database(service)
    topics = {name: f"{name.lower()}.{uuid4()}" for name in ("ASSISTANTS_TOPIC", "OUTCOMES_TOPIC")}
    before = await world.kafka.list_topics()
    try:
        async with started(world, service, tmp_path, database, CONSUMER_GROUP=f"g-{uuid4()}", **topics) as running:
            await running.not_ready_because(*topics.values())
            await running.ends_on_sigterm()
    finally:
        await databases.close()
    assert sorted(await world.kafka.list_topics()) == sorted(before)


@pytest.mark.parametrize("service", SERVICES)
async def test_a_service_that_was_there_first_gets_ready_by_itself(
    world: World, service: Service, tmp_path: Path
) -> None:
    bootstrap = world.stack.bootstrap_servers
    # It ends names and accounts that its rows do not have.
    variables = ("ASSISTANTS_TOPIC", "OUTCOMES_TOPIC", "DISPLAY_NAMES_TOPIC", "VAPI_ACCOUNTS_TOPIC")
    names = {name: f"{name.lower()}.{uuid4()}" for name in variables}
    await topics.create(bootstrap, [topics.TopicSpec(name, 2) for name in names.values()])
    databases = TestDatabases(world.stack.database_admin_url)
    database = await databases.create_database(service)
    database_port, kafka_port = free_port(), free_port()
    address = urlsplit(database.service)
    later = address._replace(netloc=address.netloc.replace(f":{address.port}", f":{database_port}")).geturl()
    env = {"KAFKA_BOOTSTRAP_SERVERS": f"{HOST}:{kafka_port}", "CONSUMER_GROUP": f"g-{uuid4()}", **names}
    try:
        async with started(world, service, tmp_path, later, **env) as running:
            await running.not_ready_because("refused")
            assert address.port is not None
            async with forwarding(database_port, address.port):
                await running.not_ready_because("Kafka", str(kafka_port))
                async with forwarding(kafka_port, int(bootstrap.rpartition(":")[2])):
                    await running.gets_ready()
                    await running.ends_on_sigterm()
    finally:
        await databases.close()
        await topics.delete(bootstrap, names.values())
