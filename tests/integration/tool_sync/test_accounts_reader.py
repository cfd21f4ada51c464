"""Which clinics have an account of their own at Vapi: read from the topic into a table, and from there by processes."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

import pytest
from aiokafka import AIOKafkaProducer
from tests.support.eventually import eventually

from devstack.fixtures import TestKafka
from tool_sync import db
from tool_sync.intake.accounts_reader import AccountsReader, accounts_reader
from tool_sync.settings import Settings
from zerotouch_contracts.accounts import VapiAccount, account_record

LOG_ID = uuid4()
SEALED = "one.c2VhbGVkIGNhbmFyeQ=="


@dataclass
class Topic:
    """The topic of this test's own, and what the table makes of it."""

    settings: Settings
    producer: Any
    pool: db.Pool

    async def say(self, org_id: UUID, account: str | None, *, revision: int = 1, log_id: UUID = LOG_ID) -> None:
        """A record; without an account that the clinic has none of its own."""
        message = None
        if account is not None:
            message = VapiAccount(
                org_id=org_id, account=account, sealed_key=SEALED, key_fingerprint="a" * 32, revision=revision
            )
        record = account_record(org_id, message, id=uuid4(), time=datetime.now(UTC), log_id=log_id)
        await self.raw(record.key, record.value, list(record.headers))

    async def raw(self, key: bytes | None, value: bytes | None, headers: Sequence[tuple[str, bytes]] = ()) -> None:
        """Any record at all."""
        await self.producer.send_and_wait(self.settings.vapi_accounts_topic, value, key, headers=list(headers))

    async def becomes(self, expected: dict[UUID, str | None]) -> None:
        """Wait for the table to say this."""

        async def is_so() -> bool:
            rows = await self.pool.fetch("SELECT org_id, account FROM vapi_accounts")
            return {row["org_id"]: row["account"] for row in rows} == expected

        await eventually(is_so, within_seconds=20)

    @asynccontextmanager
    async def read(self, session_seconds: float = 3600.0) -> AsyncIterator[AccountsReader]:
        """A process that reads."""
        reader = accounts_reader(self.settings, self.pool, session_seconds=session_seconds)
        running = asyncio.create_task(reader.run_forever())
        try:
            yield reader
        finally:
            reader.stop()
            await running


@pytest.fixture
async def topic(settings: Settings, kafka: TestKafka, pool: db.Pool) -> AsyncIterator[Topic]:
    name = await kafka.create_topic("accounts", cleanup_policy="compact")
    producer = AIOKafkaProducer(bootstrap_servers=kafka.bootstrap_servers)
    await producer.start()
    yield Topic(settings.model_copy(update={"vapi_accounts_topic": name}), producer, pool)
    await producer.stop()


async def test_a_clinic_has_what_its_newest_record_says_and_loses_it_by_one_that_says_so(topic: Topic) -> None:
    one, other = uuid4(), uuid4()
    await topic.say(one, "vapi-1")
    await topic.say(other, "vapi-2", revision=2)
    async with topic.read() as reader:
        await topic.becomes({one: "vapi-1", other: "vapi-2"})
        await topic.say(one, None)
        await topic.say(other, "vapi-3", revision=1)  # late, and older
        await topic.becomes({one: None, other: "vapi-2"})
        await topic.say(one, "vapi-1", revision=2)
        await topic.say(other, "vapi-4", revision=1, log_id=uuid4())  # assistant-api was restored
        await topic.becomes({one: "vapi-1", other: "vapi-4"})
        assert (reader.problem, reader.passed_over) == (None, None)


async def test_a_strangers_record_is_passed_over_and_that_is_said(
    topic: Topic, caplog: pytest.LogCaptureFixture
) -> None:
    org, end = uuid4(), uuid4()
    await topic.say(org, "vapi-1")
    async with topic.read() as reader:
        await topic.becomes({org: "vapi-1"})
        for key in (b"", b"canary", str(org).encode(), str(uuid4()).encode()):
            for value in (b"canary", b'{"sealed_key": "canary"}', b"\xff" * 10, None):
                await topic.raw(key, value)
        await topic.say(end, "vapi-2")
        await topic.becomes({org: "vapi-1", end: "vapi-2"})
        assert reader.problem is None
        assert reader.passed_over is not None
        assert topic.settings.vapi_accounts_topic in reader.passed_over
    assert await topic.pool.fetchval("SELECT count(*) FROM dead_letters") == 0
    assert "canary" not in caplog.text


async def test_a_clinic_keeps_its_account_where_the_topic_has_lost_it(topic: Topic) -> None:
    """It would else be worked for with the platform's key."""
    org, lost, end = uuid4(), uuid4(), uuid4()
    await topic.say(org, "vapi-1")
    async with topic.read():
        await topic.becomes({org: "vapi-1"})
    await topic.pool.execute(
        "INSERT INTO vapi_accounts (org_id, account, sealed_key, key_fingerprint, revision, log_id)"
        " VALUES ($1, 'vapi-9', $2, $3, 1, $4)", lost, SEALED, "b" * 32, LOG_ID,
    )  # fmt: skip
    await topic.say(end, "vapi-2")
    async with topic.read(session_seconds=0.5):
        await topic.becomes({org: "vapi-1", lost: "vapi-9", end: "vapi-2"})
        await topic.say(end, "vapi-2b", revision=2)
        await topic.becomes({org: "vapi-1", lost: "vapi-9", end: "vapi-2b"})


async def test_a_topic_that_is_not_there_is_a_problem_that_is_told(topic: Topic) -> None:
    missing = topic.settings.model_copy(update={"vapi_accounts_topic": f"missing-{uuid4()}"})
    reader = accounts_reader(missing, topic.pool)
    running = asyncio.create_task(reader.run_forever())

    async def told() -> bool:
        return reader.problem is not None and missing.vapi_accounts_topic in reader.problem

    await eventually(told, within_seconds=20)
    reader.stop()
    await running
