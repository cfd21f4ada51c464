"""One reconciler over a real log and a sandbox in the test's own process; time is not faked, waits are short."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest
from tests.support.eventually import eventually
from tests.support.over_httpx import OverHttpx
from tests.support.unlimited import Unlimited

from devstack.databases import DatabaseUrls
from tool_sync import db
from tool_sync.domain.events import AssistantSynced, AssistantSyncFailed, Event, SyncRequested
from tool_sync.log import AppendRequest, EventLog, Meta, NewEvent, StoredEvent, event_id, org_stream, read_org
from tool_sync.sync.blueprint import OFFERED, Blueprint, document_for, seed
from tool_sync.sync.concurrency import ConcurrencyLimiter
from tool_sync.sync.context import Clock, Context, FleetView
from tool_sync.sync.loop import Reconciler
from tool_sync.sync.store import PostgresStore
from tool_sync.vapi.client import VapiClient
from vapi_sandbox import DEFAULT_KEY, SandboxSettings, create_app
from zerotouch_contracts.canonical import model_hash
from zerotouch_contracts.tools import DEFINITIONS, ToolDefinition
from zerotouch_platform import telemetry

from .. import ordering
from .limits import LIMITS, POLICY

INSTALLATION = UUID("0b7e3c1e-3a64-4b3e-9a55-5d4f0a6c9a10")
HOOKS = "https://hooks.example.test"


@dataclass
class World:
    """What a test looks at and turns."""

    pool: db.Pool
    log: EventLog
    context: Context
    reconciler: Reconciler
    http: httpx.AsyncClient
    admin_url: str
    saves: dict[str, int] = field(default_factory=dict)

    async def assistant(self, **fields: Any) -> dict[str, Any]:
        """Make an assistant at Vapi, as assistant-api would have."""
        body = {"name": "Front desk", "model": {"provider": "openai", "model": "gpt-4o", "temperature": 0.3}, **fields}
        answer = await self.http.post("/assistant", json=body)
        assert answer.status_code == 201, answer.text
        made: dict[str, Any] = answer.json()
        return made

    async def save(
        self,
        org_id: UUID,
        assistant: dict[str, Any],
        agent_id: str = "agent-1",
        *,
        revision: int | None = None,
        account: str | None = None,
    ) -> UUID:
        """Append a save of what the assistant is now, in an account of the clinic's own; returns the request id."""
        request_id = uuid4()
        self.saves[agent_id] = revision or self.saves.get(agent_id, 0) + 1
        await self.append(
            org_id,
            SyncRequested(
                request_id=request_id,
                agent_id=agent_id,
                assistant_id=assistant["id"],
                revision=self.saves[agent_id],
                model_hash=model_hash(assistant.get("model")),
                cause="save",
                trace_id="ab" * 16,
                account=account,
            ),
        )
        return request_id

    async def append(self, org_id: UUID, event: Event) -> None:
        """Append to the org's stream what arrived from outside."""
        stream, cause = org_stream(org_id), str(uuid4())
        await self.log.append(
            AppendRequest(
                stream=stream,
                org_id=org_id,
                expected_version=None,
                events=(NewEvent(event_id(stream, "/test", cause, type(event).__name__, 0), event),),
                meta=Meta(cause, cause, f"00-{'ab' * 16}-{'cd' * 8}-01", "test", "0"),
            )
        )

    async def sync(self) -> None:
        """Let the reconciler work until it finds nothing to claim."""
        while await self.reconciler.run_once():
            await self.reconciler.drain()

    async def until(self, check: Callable[[], Any], within_seconds: float = 8.0) -> Any:
        """Work until ``await check()`` is true; what it returned."""

        async def worked() -> Any:
            await self.sync()
            return await check()

        async with asyncio.timeout(within_seconds):  # within a run, too, which may never end
            return await eventually(worked, within_seconds=within_seconds)

    async def history(self, org_id: UUID) -> list[StoredEvent]:
        """All events of an org."""
        async with self.pool.acquire() as connection:
            return await read_org(connection, org_id, 0, 10_000)

    async def events(self, org_id: UUID, *types: type[Event]) -> list[Any]:
        """The org's events of these types, or all."""
        return [s.event for s in await self.history(org_id) if not types or isinstance(s.event, types)]

    async def turn(self, **dials: Any) -> None:
        """Set the sandbox's dials."""
        answer = await self.http.put("/__sandbox/dials", json=dials)
        assert answer.status_code == 200, answer.text

    async def writes(self) -> list[tuple[str, str]]:
        """Method and path of each write that the sandbox executed, without those of the test itself."""
        entries = (await self.http.get("/__sandbox/journal", params={"limit": 10_000})).json()["entries"]
        return [(e["method"], e["path"]) for e in entries if e["method"] in ("POST", "PATCH") and e["executed"]]

    async def tools(self) -> list[dict[str, Any]]:
        """All tools at Vapi."""
        found: list[dict[str, Any]] = (await self.http.get("/tool", params={"limit": 1000})).json()
        return found

    async def at_vapi_all_tools(self) -> list[dict[str, Any]]:
        """All tools at Vapi, also where they are more than its largest page."""
        state = (await self.http.get("/__sandbox/state")).json()["vapi_orgs"]
        return [tool for vapi_org in state.values() for tool in vapi_org["tools"]]

    async def at_vapi(self, assistant_id: str) -> dict[str, Any]:
        """An assistant as Vapi has it."""
        found: dict[str, Any] = (await self.http.get(f"/assistant/{assistant_id}")).json()
        return found

    async def org_tools(self, org_id: UUID) -> list[dict[str, Any]]:
        """The org's rows of the projection."""
        rows = await self.pool.fetch("SELECT * FROM org_tools WHERE org_id = $1 ORDER BY tool_name", org_id)
        return [dict(row) for row in rows]

    async def eventually(self, check: Callable[[], Any], within_seconds: float = 8.0) -> Any:
        """Wait, without working, until ``await check()`` is true; what it returned."""
        return await eventually(check, within_seconds=within_seconds)

    async def outcomes(self, org_id: UUID) -> list[AssistantSynced | AssistantSyncFailed]:
        """The org's outcomes in the order of the log."""
        return await self.events(org_id, AssistantSynced, AssistantSyncFailed)

    async def requests(self, method: str, path: str) -> list[dict[str, Any]]:
        """Every request of this method to a route (``/tool/{id}``) that reached the sandbox, executed or not."""
        query: dict[str, str | int] = {"limit": 10_000, "method": method, "path": path}
        found: list[dict[str, Any]] = (await self.http.get("/__sandbox/journal", params=query)).json()["entries"]
        return found

    async def next_due(self, org_id: UUID) -> datetime | None:
        """When the org is due again, as its last holder left it."""
        due: datetime | None = await self.pool.fetchval("SELECT next_due FROM leases WHERE org_id = $1", org_id)
        return due

    async def now(self) -> datetime:
        """The database's time."""
        now: datetime = await self.pool.fetchval("SELECT clock_timestamp()")
        return now

    async def expire_leases(self) -> None:
        """Let every lease run out now, as if its holder had been gone for that long; who stands aside is due again."""
        await self.pool.execute(
            "UPDATE leases SET until = now(), next_due = CASE WHEN token IS NULL THEN now() ELSE next_due END"
            " WHERE until IS NOT NULL"
        )

    async def steal_leases(self, seconds: float = 60) -> None:
        """Another process holds every lease from now on, and does nothing with it."""
        await self.pool.execute(
            "UPDATE leases SET token = gen_random_uuid(), until = clock_timestamp() + $1", timedelta(seconds=seconds)
        )

    async def redeliver(self, org_id: UUID) -> None:
        """Deliver everything that ever arrived for the org once more, under the ids that it had."""
        for stored in await self.history(org_id):
            if stored.stream == org_stream(org_id):
                again = (NewEvent(stored.event_id, stored.event),)
                await self.log.append(AppendRequest(stored.stream, org_id, None, again, stored.meta))

    async def publish(self, *definitions: ToolDefinition, server_url: str = HOOKS) -> None:
        """Publish these versions, and order none of them."""
        blueprint = replace(self.context.blueprint, server_url=server_url)
        await ordering.say(self.log, *map(blueprint.published, definitions))

    async def order(self, *definitions: ToolDefinition, server_url: str = HOOKS) -> None:
        """Publish these versions, and order them for every clinic, signups included."""
        await self.publish(*definitions, server_url=server_url)
        for definition in definitions:
            await ordering.complete(self.log, definition.name, definition.version)

    async def make_due(self) -> None:
        """Let every org be looked at now, as the feeder of a rollout lets those that it concerns."""
        await self.pool.execute("UPDATE leases SET next_due = now()")

    def payload(self, org_id: UUID, definition: ToolDefinition = DEFINITIONS[0]) -> dict[str, Any]:
        """What is registered at Vapi for an org."""
        document = self.context.blueprint.published(definition).document
        assert document is not None
        return document_for(document, org_id)

    def another(self, *, deadline_seconds: float | None = None, **limits: Any) -> Reconciler:
        """Another process over the same log and the same Vapi, with what is given here changed."""
        vapi = self.context.vapi
        if deadline_seconds is not None:
            vapi = VapiClient(
                "http://sandbox",
                lambda: DEFAULT_KEY,
                account="platform",
                deadline_seconds=deadline_seconds,
                transport=OverHttpx(Through(self.http)),
                telemetry=self.context.telemetry,
            )
        limited = replace(self.context.limits, **limits)
        return Reconciler(replace(self.context, fleet=FleetView(), vapi=vapi, limits=limited, clock=Clock()))


class Through(httpx.AsyncBaseTransport):
    """The way to Vapi that another client already has."""

    def __init__(self, http: httpx.AsyncClient) -> None:
        self._http = http

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send it on."""
        return await self._http.send(request, stream=True)


@contextlib.asynccontextmanager
async def world_over(
    urls: DatabaseUrls, transport: httpx.AsyncBaseTransport, *, seeded: bool = True
) -> AsyncIterator[World]:
    """A world over one database and one Vapi; its log has the release's tools, published and ordered for everybody."""
    pool = await db.SESSIONS.pool(urls.service, size_max=10, application_name="test")
    log = EventLog(pool)
    committing = asyncio.create_task(log.run_forever())
    off = telemetry.off()
    vapi = VapiClient(
        "http://sandbox",
        lambda: DEFAULT_KEY,
        account="platform",
        deadline_seconds=0.3,
        transport=OverHttpx(transport),
        telemetry=off,
    )
    context = Context(
        log=log,
        store=PostgresStore(pool),
        vapi=vapi,
        blueprint=Blueprint(DEFINITIONS, HOOKS, INSTALLATION, None, OFFERED),
        fleet=FleetView(),
        policy=POLICY,
        limits=LIMITS,
        telemetry=off,
        service_version="test",
        concurrency=ConcurrencyLimiter(1000, slow_seconds=0.4, monotonic=time.monotonic),
        key=Unlimited(refused_seconds=0.2),
    )
    http = httpx.AsyncClient(
        transport=transport, base_url="http://sandbox", headers={"authorization": f"Bearer {DEFAULT_KEY}"}
    )
    try:
        if seeded:
            await seed(log, context.blueprint, context.service_version)
        yield World(pool, log, context, Reconciler(context), http, urls.admin)
    finally:
        log.stop()
        await committing
        await http.aclose()
        await pool.close()


@pytest.fixture
async def world(tool_sync_db: DatabaseUrls) -> AsyncIterator[World]:
    """A reconciler, a log and a sandbox of its own."""
    async with world_over(tool_sync_db, httpx.ASGITransport(create_app(SandboxSettings()))) as made:
        yield made
