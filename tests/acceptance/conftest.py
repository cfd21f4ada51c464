"""Fixtures: one running system for the whole tier, with everything that watches it, and others for a module alone."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import pytest
import pytest_asyncio

from .collector import collecting
from .opening import opened
from .world import World


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def world(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[World]:
    """The whole system as it is delivered: no setting differs from the demo's but ports and the collector."""
    async with AsyncExitStack() as exits:
        collector = exits.enter_context(collecting())
        yield await opened(exits, tmp_path_factory.mktemp("acceptance"), collector, collector.endpoint)


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def own_world(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[World]:
    """A system of the module's own: what it orders for every clinic, no clinic of another module gets."""
    async with AsyncExitStack() as exits:
        collector = exits.enter_context(collecting())
        yield await opened(exits, tmp_path_factory.mktemp("own"), collector, collector.endpoint)
