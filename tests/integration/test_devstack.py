"""devstack starts real servers, says why when one does not start, and leaves nothing behind."""

import subprocess
import sys
from pathlib import Path

import asyncpg
import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.errors import UnknownTopicOrPartitionError

from devstack import topics
from devstack.databases import SERVICES, DatabaseUrls, MigrationFailed, Service, TestDatabases, migrate
from devstack.errors import NotPossible
from devstack.fixtures import TestKafka
from devstack.sandbox import Sandbox, not_answering


async def test_a_service_may_use_its_database_and_not_the_other_ones(postgres: TestDatabases) -> None:
    own = await postgres.create_empty_database("tool_sync")
    other = await postgres.create_empty_database("assistant_api")
    try:
        connection = await asyncpg.connect(own.service)
        try:
            assert await connection.fetchval("SELECT current_user") == "tool_sync"
            assert await connection.fetchval("SELECT current_setting('server_version_num')::int / 10000") == 18
        finally:
            await connection.close()
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await asyncpg.connect(other.service.replace("assistant_api:", "tool_sync:"))
    finally:
        await postgres.drop(own)
        await postgres.drop(other)


async def test_an_owner_may_create_a_group_role_and_grant_it_to_its_service(postgres: TestDatabases) -> None:
    database = await postgres.create_empty_database("tool_sync")
    try:
        connection = await asyncpg.connect(database.owner)
        try:
            await connection.execute("CREATE ROLE devstack_test_group; GRANT devstack_test_group TO tool_sync")
            member = await connection.fetchval("SELECT pg_has_role('tool_sync', 'devstack_test_group', 'MEMBER')")
            await connection.execute("DROP ROLE devstack_test_group")
        finally:
            await connection.close()
        assert member
    finally:
        await postgres.drop(database)


async def test_a_record_goes_through_a_topic_with_the_wanted_partitions(kafka: TestKafka) -> None:
    topic = await kafka.create_topic("devstack", partitions=5, retention_ms="-1")
    producer = AIOKafkaProducer(bootstrap_servers=kafka.bootstrap_servers, acks="all", enable_idempotence=True)
    await producer.start()
    try:
        await producer.send_and_wait(topic, b"value", key=b"key")
    finally:
        await producer.stop()
    consumer = AIOKafkaConsumer(
        topic, bootstrap_servers=kafka.bootstrap_servers, group_id=topic, auto_offset_reset="earliest"
    )
    await consumer.start()
    try:
        record = await consumer.getone()
        assert (record.key, record.value) == (b"key", b"value")
        assert len(consumer.partitions_for_topic(topic) or ()) == 5
    finally:
        await consumer.stop()


async def test_the_contract_topics_are_created_once_and_keep_their_partitions(kafka: TestKafka) -> None:
    await kafka.create_contract_topics(partitions=12)
    await kafka.create_contract_topics(partitions=12)
    with pytest.raises(NotPossible, match="expected 3 partitions, found 12"):
        await kafka.create_contract_topics(partitions=3)


async def test_a_topic_that_nobody_created_is_an_error(kafka: TestKafka) -> None:
    async with topics.admin(kafka.bootstrap_servers) as client:
        found = await client.describe_topics(["devstack.never-created"])
    assert [topic["error_code"] for topic in found] == [UnknownTopicOrPartitionError.errno]


@pytest.mark.parametrize("service", SERVICES)
async def test_a_copy_of_the_template_is_migrated_and_independent(postgres: TestDatabases, service: Service) -> None:
    first, second = await postgres.create_database(service), await postgres.create_database(service)
    try:
        assert await _tables(first) == await _tables(second) != set()
        connection = await asyncpg.connect(first.owner)
        try:
            await connection.execute("CREATE TABLE only_here ()")
        finally:
            await connection.close()
        assert await _tables(first) - await _tables(second) == {"only_here"}
    finally:
        await postgres.drop(first)
        await postgres.drop(second)
    with pytest.raises(asyncpg.InvalidCatalogNameError):
        await asyncpg.connect(first.owner)


@pytest.mark.parametrize("service", SERVICES)
async def test_migrations_run_where_the_server_speaks_no_tls_and_the_url_does_not_say_so(
    postgres: TestDatabases, service: Service
) -> None:
    made = await postgres.create_empty_database(service)
    await migrate(service, made.owner.partition("?")[0])
    await postgres.drop(made)


async def test_a_migration_that_fails_shows_what_it_printed(postgres: TestDatabases) -> None:
    with pytest.raises(MigrationFailed, match=r"python -m tool_sync migrate ended with status \d+:(.|\n)*no_such_user"):
        await migrate("tool_sync", postgres.admin_url.replace("postgres:", "no_such_user:", 1))


async def test_the_sandbox_answers_with_its_key_only(sandbox: Sandbox) -> None:
    assert await not_answering(sandbox.url, sandbox.api_key) is None
    assert "answers 401" in str(await not_answering(sandbox.url, "another-key"))


def test_the_import_rules_find_what_is_not_allowed_and_what_comes_back_to_itself(tmp_path: Path) -> None:
    package = tmp_path / "pure"
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "allowed.py").write_text("import json\nimport pydantic\nfrom pure import forbidden\n")
    (package / "forbidden.py").write_text("def f() -> None:\n    import httpx\n")
    (tmp_path / ".importlinter").write_text(
        "[importlinter]\nroot_package = pure\ninclude_external_packages = True\n"
        "contract_types =\n    only_imports: devstack.import_rules.OnlyImports\n"
        "    no_circles: devstack.import_rules.NoCircles\n"
        "[importlinter:contract:one]\nname = one\ntype = only_imports\nmodules = pure\nallowed = pydantic\n"
        "[importlinter:contract:two]\nname = two\ntype = no_circles\nmodules = pure\n"
    )
    command = [str(Path(sys.executable).with_name("lint-imports")), "--no-cache", "--no-logo"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "pure.forbidden may not import httpx" in done.stdout
    assert "may not import pydantic" not in done.stdout
    assert "two KEPT" in done.stdout
    for_types = "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from pure import allowed\n"
    (package / "forbidden.py").write_text(for_types)
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "two BROKEN" in done.stdout
    assert "pure.allowed imports pure.forbidden imports pure.allowed" in " ".join(done.stdout.split())


async def _tables(database: DatabaseUrls) -> set[str]:
    connection = await asyncpg.connect(database.owner)
    try:
        rows = await connection.fetch("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
    finally:
        await connection.close()
    return {row["tablename"] for row in rows}
