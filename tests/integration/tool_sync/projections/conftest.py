"""A migrated database with a running log, and connections of its roles; no Kafka is needed here."""

import asyncio
from collections.abc import AsyncIterator

import asyncpg
import pytest

from devstack.databases import DatabaseUrls
from tool_sync import db
from tool_sync.event_log import EventLog, LogSettings


@pytest.fixture
async def pool(tool_sync_db: DatabaseUrls) -> AsyncIterator[db.Pool]:
    """The pool of the service's role."""
    pool = await db.create_pool(tool_sync_db.service, size_max=8)
    yield pool
    await pool.close()


@pytest.fixture
async def log(pool: db.Pool) -> AsyncIterator[EventLog]:
    """A running log."""
    log = EventLog(pool, LogSettings(append_seconds_max=10.0, retry_seconds=0.05))
    running = asyncio.create_task(log.run_forever())
    yield log
    log.stop()
    await running


@pytest.fixture
async def admin(tool_sync_db: DatabaseUrls) -> AsyncIterator["asyncpg.Connection[asyncpg.Record]"]:
    """A superuser's connection."""
    connection = await asyncpg.connect(tool_sync_db.admin)
    yield connection
    await connection.close()
