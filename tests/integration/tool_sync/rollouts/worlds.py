"""Makes worlds: a log and a sandbox of its own, over a database that nobody else uses."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx

from devstack.databases import DatabaseUrls
from tool_sync import db
from tool_sync.log import EventLog
from tool_sync.rollouts.feeder import Feeder
from tool_sync.sync.blueprint import seed
from tool_sync.sync.loop import Reconciler
from vapi_sandbox import DEFAULT_KEY, SandboxSettings, create_app

from .context import context_over
from .world import World


@asynccontextmanager
async def world_over(database: DatabaseUrls) -> AsyncIterator[World]:
    """Lends one whose log has the release's tools, published and ordered for everybody."""
    transport = httpx.ASGITransport(create_app(SandboxSettings()))
    pool = await db.SESSIONS.pool(database.service, size_max=10, application_name="test")
    connection = await db.SESSIONS.connect(database.service, application_name="test")
    log = EventLog(pool)
    committing = asyncio.create_task(log.run_forever())
    context = context_over(pool, log, transport)
    http = httpx.AsyncClient(
        transport=transport, base_url="http://sandbox", headers={"authorization": f"Bearer {DEFAULT_KEY}"}
    )
    try:
        await seed(log, context.blueprint, context.service_version)
        feeder = Feeder(context, pool, on_fed=lambda: None)
        yield World(pool, connection, log, context, Reconciler(context), feeder, http, database.service, database.admin)
    finally:
        log.stop()
        await committing
        await http.aclose()
        await connection.close()
        await pool.close()
