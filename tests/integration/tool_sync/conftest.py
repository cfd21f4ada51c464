"""Settings, saves and records that tests of tool-sync's edges share; PostgreSQL and Kafka are devstack's."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import asyncpg
import pytest
from aiokafka import AIOKafkaProducer
from tests.support.eventually import eventually

from devstack.databases import DatabaseUrls
from tool_sync import db
from tool_sync.log import EventLog, LogSettings
from tool_sync.outcomes.feed import Tail
from tool_sync.settings import Settings

from .topics import Topics
from .topics import settings as settings
from .topics import signer as signer


@pytest.fixture(name="eventually")
def _eventually() -> Callable[..., Awaitable[Any]]:
    return eventually


@pytest.fixture
async def pool(tool_sync_db: DatabaseUrls) -> AsyncIterator[db.Pool]:
    """A pool of the service's role; no Kafka is needed."""
    pool = await db.SESSIONS.pool(tool_sync_db.service, size_max=8)
    yield pool
    await pool.close()


@pytest.fixture
async def log(pool: db.Pool) -> AsyncIterator[EventLog]:
    """A running event log with patience."""
    async for log in _running(pool, append_seconds_max=10.0):
        yield log


@pytest.fixture
async def event_log(pool: db.Pool) -> AsyncIterator[EventLog]:
    """A running event log that gives up soon."""
    async for log in _running(pool, append_seconds_max=1.0):
        yield log


async def _running(pool: db.Pool, *, append_seconds_max: float) -> AsyncIterator[EventLog]:
    log = EventLog(pool, LogSettings(append_seconds_max=append_seconds_max, retry_seconds=0.05))
    running = asyncio.create_task(log.run_forever())
    yield log
    log.stop()
    await running


@pytest.fixture
async def tail(settings: Settings) -> AsyncIterator[Tail]:
    """A running tail."""
    tail = Tail(settings.database_url)
    running = asyncio.create_task(tail.run_forever())
    yield tail
    tail.stop()
    await running


@pytest.fixture
async def admin(tool_sync_db: DatabaseUrls) -> AsyncIterator["asyncpg.Connection[asyncpg.Record]"]:
    """A superuser's connection to the test's database."""
    connection = await asyncpg.connect(tool_sync_db.admin)
    yield connection
    await connection.close()


@pytest.fixture
async def topics(settings: Settings) -> AsyncIterator[Topics]:
    """The test's topics."""
    producer = AIOKafkaProducer(bootstrap_servers=settings.kafka_bootstrap_servers, acks="all", linger_ms=2)
    await producer.start()
    yield Topics(settings, producer)
    await producer.stop()
