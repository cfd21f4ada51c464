"""A migrated database of its own for each test: the process's pool, a running log, connections of other roles."""

from collections.abc import AsyncIterator

import asyncpg
import pytest

from devstack.databases import DatabaseUrls


@pytest.fixture
async def owner(tool_sync_db: DatabaseUrls) -> AsyncIterator["asyncpg.Connection[asyncpg.Record]"]:
    """A connection of the role that owns every table."""
    connection = await asyncpg.connect(tool_sync_db.owner)
    yield connection
    await connection.close()


@pytest.fixture
async def service(tool_sync_db: DatabaseUrls) -> AsyncIterator["asyncpg.Connection[asyncpg.Record]"]:
    """A connection of the process's role, outside the pool."""
    connection = await asyncpg.connect(tool_sync_db.service)
    yield connection
    await connection.close()
