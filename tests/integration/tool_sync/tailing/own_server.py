"""A PostgreSQL of a test's own, which may be killed and started again."""

import os
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from tests.support.eventually import eventually

from devstack import databases, postgres
from devstack.errors import DevstackError
from devstack.postgres import Server


@pytest.fixture
def folder() -> Iterator[Path]:
    """Not below pytest's own folder, which PostgreSQL's account may not enter where we are root."""
    with TemporaryDirectory(prefix="zerotouch-test-", ignore_cleanup_errors=True) as name:
        yield Path(name)


@asynccontextmanager
async def server_in(folder: Path) -> AsyncIterator[Server]:
    """A server of this test's own, with both services' roles and tool-sync's database."""
    server = await postgres.start(folder / "data", fsync=False)
    try:
        await databases.bootstrap(server.admin_url)
        yield server
    finally:
        await server.stop()


def service_url(server: Server) -> str:
    return databases.urls(server.admin_url, "tool_sync").service


async def killed_and_started(server: Server, folder: Path) -> Server:
    """The same data after kill -9 of the server, on the same port."""
    os.kill(server.child.pid, 9)
    await server.child.stop()

    async def started() -> Server | None:
        try:
            return await postgres.start(folder / "data", port=server.port, fsync=False)
        except DevstackError:  # the backends of the dead server have not all gone yet
            return None

    again: Server = await eventually(started, every_seconds=0.2)
    return again
