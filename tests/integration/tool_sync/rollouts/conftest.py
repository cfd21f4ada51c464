"""Many clinics, one feeder and one reconciler over a real log and a sandbox in the test's own process."""

import asyncio
from collections.abc import AsyncIterator

import httpx
import pytest

from devstack.databases import DatabaseUrls
from tool_sync import db
from tool_sync.log import EventLog
from tool_sync.rollouts.feeder import Feeder
from tool_sync.sync.blueprint import seed
from tool_sync.sync.loop import Reconciler
from vapi_sandbox import DEFAULT_KEY, SandboxSettings, create_app

from .context import context_over
from .world import World


@pytest.fixture
async def world(tool_sync_db: DatabaseUrls) -> AsyncIterator[World]:
    """A log and a sandbox of its own; the log has the release's tools, published and ordered for everybody."""
    transport = httpx.ASGITransport(create_app(SandboxSettings()))
    pool = await db.SESSIONS.pool(tool_sync_db.service, size_max=10, application_name="test")
    connection = await db.SESSIONS.connect(tool_sync_db.service, application_name="test")
    log = EventLog(pool)
    committing = asyncio.create_task(log.run_forever())
    context = context_over(pool, log, transport)
    http = httpx.AsyncClient(
        transport=transport, base_url="http://sandbox", headers={"authorization": f"Bearer {DEFAULT_KEY}"}
    )
    try:
        await seed(log, context.blueprint, context.service_version)
        feeder = Feeder(context, pool, on_fed=lambda: None)
        yield World(
            pool, connection, log, context, Reconciler(context), feeder, http, tool_sync_db.service, tool_sync_db.admin
        )
    finally:
        log.stop()
        await committing
        await http.aclose()
        await connection.close()
        await pool.close()
