"""Many clinics, one feeder and one reconciler over a real log and a sandbox in the test's own process."""

from collections.abc import AsyncIterator

import pytest

from devstack.databases import DatabaseUrls

from .world import World
from .worlds import world_over


@pytest.fixture
async def world(tool_sync_db: DatabaseUrls) -> AsyncIterator[World]:
    """A log and a sandbox of its own; the log has the release's tools, published and ordered for everybody."""
    async with world_over(tool_sync_db) as made:
        yield made
