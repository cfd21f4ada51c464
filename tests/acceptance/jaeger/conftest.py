"""A running system whose spans go to a real Jaeger 2 (`make test-jaeger` sees to the binary)."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import httpx
import pytest
import pytest_asyncio

from devstack import jaeger, jaeger_build

from ..collector import collecting
from ..opening import opened
from ..world import World
from .jaeger_server import Jaeger


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def seen(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[tuple[World, Jaeger]]:
    """The system, and the Jaeger that it sends its spans to."""
    folder = tmp_path_factory.mktemp("jaeger")
    async with AsyncExitStack() as exits:
        running = await jaeger.start(jaeger_build.ensure(), log=folder / "jaeger.log")
        exits.push_async_callback(running.child.stop)
        http = await exits.enter_async_context(httpx.AsyncClient(base_url=running.ui_url, timeout=20))
        collector = exits.enter_context(collecting())
        yield await opened(exits, folder, collector, running.otlp_endpoint), Jaeger(http)
