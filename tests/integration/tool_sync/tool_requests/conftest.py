"""A connection of the role that owns the tables."""

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
