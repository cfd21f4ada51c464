"""Each hostile request of the list is the caller's fault: 4xx, nothing is changed, and no secret gets out."""

import asyncio
from collections.abc import AsyncIterator
from uuid import uuid4

import asyncpg
import pytest
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from tests.support import hostile

from devstack.databases import DatabaseUrls
from devstack.tokens import Signer
from tool_sync import db
from tool_sync.domain import events as e
from tool_sync.http.app import build
from tool_sync.http.state import Installed
from tool_sync.log import EventLog
from tool_sync.outcomes.feed import Tail
from zerotouch_platform import telemetry

from .ordering import version
from .tool_settings.desk import BOOK, HASH, Desk, desk_over

CANARY = "canary-7d1f0c9b"
REQUESTS = hostile.read_all("tool-sync")


@pytest.fixture
async def desk(pool: db.Pool, log: EventLog, signer: Signer, tool_sync_url: str) -> AsyncIterator[Desk]:
    tail = Tail(tool_sync_url)
    running = asyncio.create_task(tail.run_forever())
    async with desk_over(pool, log, signer) as desk:
        desk.state.tail, desk.state.installed = tail, Installed("https://hooks.example/tools")
        async with pool.acquire() as connection:
            desk.state.log_id = await db.read_log_id(connection)
        await desk.happened(
            version(BOOK, 2),
            e.OrgRegistered("basic"),
            e.ToolRegistered(uuid4(), "platform", BOOK, "tool-1", 2, HASH, HASH, adopted=False),
        )
        yield desk
    tail.stop()
    await running


@pytest.fixture
def tool_sync_url(tool_sync_db: DatabaseUrls) -> str:
    return tool_sync_db.service


async def test_every_hostile_request_is_refused_and_changes_nothing(
    desk: Desk, admin: "asyncpg.Connection[asyncpg.Record]", caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG")
    spans = InMemorySpanExporter()
    traced = telemetry.set_up("test", {"service.name": "test"}, None, exporter=spans)
    app, values = build(desk.state, traced), hostile.values_of(desk.org_id, CANARY)
    token = desk.signer.platform_token()
    before = await hostile.digest(admin)
    secrets = (CANARY, token)

    wrong = await hostile.tried(app, REQUESTS, values, token)

    assert not wrong, "\n".join(wrong)
    assert await hostile.digest(admin) == before
    await traced.shutdown()
    told = [*(str(r.__dict__) for r in caplog.records), *(s.to_json() for s in spans.get_finished_spans())]
    assert len(told) >= len(REQUESTS)
    assert [text for text in told for secret in secrets if secret in text] == []


def test_the_list_is_long_and_has_every_route_that_takes_something() -> None:
    assert len(REQUESTS) >= hostile.LEAST
    assert len(hostile.by_route(REQUESTS)) >= 25
