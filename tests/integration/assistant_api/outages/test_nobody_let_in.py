"""A database that answers and lets nobody in, as during maintenance, is waited for like one that is away."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from urllib.parse import urlsplit, urlunsplit

import asyncpg
from tests.support.eventually import eventually

from devstack.databases import DatabaseUrls

from ..harness import Harness


@asynccontextmanager
async def nobody_let_in(urls: DatabaseUrls) -> AsyncIterator[None]:
    """Sessions of the service are ended, and new ones are refused with SQLSTATE 55000."""
    parts = urlsplit(urls.admin)
    name = parts.path.strip("/")
    admin = await asyncpg.connect(urlunsplit(parts._replace(path="/postgres")))
    try:
        await admin.execute(f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS false')
        await admin.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = $1 AND application_name LIKE 'assistant-api%'",
            name,
        )
        yield
    finally:
        await admin.execute(f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS true')
        await admin.close()


async def test_it_is_waited_for(harness: Harness, assistant_api_db: DatabaseUrls) -> None:
    await harness.organization()

    async def refused() -> bool:
        answer = await harness.post("/api/organizations", {"name": "Meanwhile"})
        return answer.status_code == 503

    async def taken() -> bool:
        answer = await harness.post("/api/organizations", {"name": "After"})
        return answer.status_code == 201

    async with nobody_let_in(assistant_api_db):
        for _ in range(3):  # every loop of the service has met it by then
            await eventually(refused)
    await eventually(taken)
    assert (await harness.get("/livez")).status_code == 200
