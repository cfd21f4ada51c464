"""The service inside a test: real database, the sandbox as Vapi, HTTP without a socket; the loops run as they do."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, Final
from uuid import UUID, uuid4

import asyncpg
import httpx
import jwt
from aiokafka import AIOKafkaProducer
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from opentelemetry.sdk.trace.export import SpanExporter
from tests.support.eventually import eventually

from assistant_api.app.application import create_app
from assistant_api.app.service import Service
from assistant_api.db import claim_installation
from assistant_api.settings import Settings
from devstack.databases import DatabaseUrls
from devstack.fixtures import TestKafka
from devstack.sandbox import Sandbox
from zerotouch_contracts.envelope import to_record
from zerotouch_contracts.events import OutcomeMessage

LOG_ID: Final = uuid4()
ISSUER: Final = "https://issuer.test"
AUDIENCE: Final = "zerotouch"
NOBODY_LISTENS: Final = "127.0.0.1:1"

SIGNING_KEY: Final = Ed25519PrivateKey.generate()
PUBLIC_KEY: Final = SIGNING_KEY.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()

Check = Callable[[], Awaitable[object]]


def token(org_id: UUID | None = None, /, *, expires_in_seconds: int = 600, **changes: Any) -> str:
    """A token of the platform, or of an organization; ``changes`` replace claims, None removes one."""
    role = {"role": "platform"} if org_id is None else {"role": "org", "org_id": str(org_id)}
    claims = {
        "iss": ISSUER,
        "aud": AUDIENCE,
        "sub": "test",
        "exp": int(time.time()) + expires_in_seconds,
        **role,
        **changes,
    }
    return jwt.encode({key: value for key, value in claims.items() if value is not None}, SIGNING_KEY, "EdDSA")


async def own_topics(kafka: TestKafka) -> dict[str, str]:
    """Topics of a test's own, as settings: all without which the service says that it is not ready."""
    kinds = ("assistants", "outcomes", "tool_calls", "erasures", "display_names", "vapi_accounts")
    return {f"{kind}_topic": await kafka.create_topic(kind.replace("_", "-")) for kind in kinds}


def make_settings(urls: DatabaseUrls, sandbox: Sandbox, **changes: Any) -> Settings:
    """Settings for a test; Kafka is nowhere unless it is given."""
    values: dict[str, Any] = {
        "database_url": urls.service,
        "kafka_bootstrap_servers": NOBODY_LISTENS,
        "installation_id": uuid4(),
        "vapi_base_url": sandbox.url,
        "vapi_api_key": sandbox.api_key,
        "jwt_public_key": PUBLIC_KEY,
        "jwt_issuer": ISSUER,
        "jwt_audience": AUDIENCE,
    }
    return Settings(**{**values, **changes})


@dataclass(frozen=True, slots=True)
class Vapi:
    """The sandbox, seen from the side."""

    control: httpx.AsyncClient
    api: httpx.AsyncClient

    async def dial(self, **dials: Any) -> None:
        """Replace all dials."""
        (await self.control.put("/__sandbox/dials", json=dials)).raise_for_status()

    async def break_route(self, route: str, action: dict[str, Any], **rule: Any) -> None:
        """One rule, and no other dials."""
        await self.dial(rules=[{"route": route, "action": action, **rule}])

    async def requests(self, method: str | None = None) -> list[dict[str, Any]]:
        """The journal since the last reset."""
        params = {} if method is None else {"method": method}
        answer = await self.control.get("/__sandbox/journal", params=params)
        entries: list[dict[str, Any]] = answer.raise_for_status().json()["entries"]
        return entries

    async def writes(self) -> list[str]:
        """Method and path of every write that took place."""
        return [
            f"{entry['method']} {entry['path']}"
            for entry in await self.requests()
            if entry["method"] != "GET" and entry["executed"]
        ]

    async def assistants(self) -> list[dict[str, Any]]:
        """All assistants there are."""
        items: list[dict[str, Any]] = (await self.api.get("/assistant")).raise_for_status().json()
        return items

    async def assistant(self, assistant_id: str) -> dict[str, Any]:
        """One assistant."""
        item: dict[str, Any] = (await self.api.get(f"/assistant/{assistant_id}")).raise_for_status().json()
        return item


@dataclass(frozen=True, slots=True)
class Harness:
    """A running provisioner behind HTTP. ``owner`` is the connection of somebody who writes plain SQL."""

    service: Service
    http: httpx.AsyncClient
    owner: "asyncpg.Connection[asyncpg.Record]"
    vapi: Vapi

    async def organization(self, name: str = "Clinic") -> UUID:
        """A new organization."""
        answer = await self.post("/api/organizations", {"name": name})
        assert answer.status_code == 201, answer.text
        return UUID(answer.json()["id"])

    async def agent(self, org_id: UUID, **values: Any) -> dict[str, Any]:
        """A new agent that Vapi has taken; the answer to its save."""
        answer = await self.post("/api/agents", {"name": "Reception", **values}, org_id)
        assert answer.status_code == 200, answer.text
        saved: dict[str, Any] = answer.json()
        return saved

    async def suspend_provisioning(self) -> None:
        """Nothing is provisioned any more; the pass that ran has ended."""
        asked_again = asyncio.Event()

        def suspended() -> bool:
            asked_again.set()
            return True

        self.service.provisioner._writes_suspended = suspended
        self.service.provisioner.wake()
        await asked_again.wait()

    async def post(
        self, path: str, body: Any, org_id: UUID | None = None, headers: dict[str, str] | None = None
    ) -> httpx.Response:
        """POST as the platform, or as an organization."""
        return await self.http.post(path, json=body, headers={**self.bearer(org_id), **(headers or {})})

    async def patch(self, path: str, body: Any, org_id: UUID | None = None) -> httpx.Response:
        """PATCH as the platform, or as an organization."""
        return await self.http.patch(path, json=body, headers=self.bearer(org_id))

    async def get(self, path: str, org_id: UUID | None = None) -> httpx.Response:
        """GET as the platform, or as an organization."""
        return await self.http.get(path, headers=self.bearer(org_id))

    async def delete(
        self, path: str, org_id: UUID | None = None, headers: dict[str, str] | None = None
    ) -> httpx.Response:
        """DELETE as the platform, or as an organization."""
        return await self.http.delete(path, headers={**self.bearer(org_id), **(headers or {})})

    def bearer(self, org_id: UUID | None = None) -> dict[str, str]:
        """The header of the platform's, or an organization's, token."""
        return {"Authorization": f"Bearer {token(org_id)}"}

    async def row(self, agent_id: str) -> dict[str, Any]:
        """An agent's row."""
        row = await self.owner.fetchrow("SELECT * FROM agents WHERE id = $1", agent_id)
        assert row is not None
        return dict(row)

    async def outbox(self, kind: str = "AssistantSaved") -> list[dict[str, Any]]:
        """Messages of a kind that wait to be sent, in order."""
        rows = await self.owner.fetch("SELECT * FROM outbox WHERE type = $1 ORDER BY id", f"zerotouch.{kind}.v1")
        return [dict(row) for row in rows]

    async def saves(self, agent_id: str) -> list[tuple[int, str, str]]:
        """Revision, cause and state of an agent's saves."""
        rows = await self.owner.fetch(
            "SELECT revision, cause, state FROM saves WHERE agent_id = $1 ORDER BY revision, created_at", agent_id
        )
        return [tuple(row) for row in rows]

    async def removed(self, *, within_seconds: float = 10) -> None:
        """Return once no assistant waits to be removed from Vapi."""

        async def check() -> bool:
            return not await self.owner.fetchval("SELECT count(*) FROM removals")

        await eventually(check, within_seconds=within_seconds)

    async def provisioned(self, agent_id: str, *, within_seconds: float = 10) -> dict[str, Any]:
        """The row, once its newest revision is at Vapi."""

        async def check() -> dict[str, Any] | None:
            row = await self.row(agent_id)
            return row if row["provisioned_revision"] == row["saved_revision"] else None

        row: dict[str, Any] = await eventually(check, within_seconds=within_seconds)
        return row

    async def accepted(self, answer: httpx.Response, agent_id: str) -> None:
        """The save stands and reaches Vapi: 200, or 202 where the machine was slower than the answer's wait."""
        assert answer.status_code in (200, 202), answer.text
        await self.provisioned(agent_id)


@asynccontextmanager
async def running(
    settings: Settings, urls: DatabaseUrls, vapi: Vapi, exporter: SpanExporter | None = None
) -> AsyncIterator[Harness]:
    """The service without Kafka: database, provisioner and HTTP."""
    service = Service(settings, exporter=exporter)
    service.health.cached_seconds = 0  # a test asks again at once
    await service.database.connect()
    async with service.database.connection() as connection:
        await claim_installation(connection, settings.installation_id)
    await service.revoked_tokens.read(service.database.connection)
    parts = [service.loops[name] for name in ("lookout", "provisioner", "remover", "sweep")]
    loops = [asyncio.create_task(part.run_forever()) for part in parts]
    owner = await asyncpg.connect(urls.owner)
    await service.database.sessions.prepare(owner)
    transport = httpx.ASGITransport(create_app(service.parts), raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://assistant-api") as http:
        try:
            yield Harness(service, http, owner, vapi)
        finally:
            await service.stop()
            for part in parts:
                part.stop()
            await asyncio.gather(*loops)
            await owner.close()
            await service.close()


@asynccontextmanager
async def whole_service(
    settings: Settings, urls: DatabaseUrls, vapi: Vapi, exporter: SpanExporter | None = None
) -> AsyncIterator[Harness]:
    """Everything, with Kafka; entered when it is ready."""
    service = Service(settings, exporter=exporter)
    service.health.cached_seconds = 0
    owner = await asyncpg.connect(urls.owner)
    transport = httpx.ASGITransport(create_app(service.parts), raise_app_exceptions=False)
    async with service.running() as loops, httpx.AsyncClient(transport=transport, base_url="http://api") as http:
        harness = Harness(service, http, owner, vapi)

        async def ready() -> bool:
            assert not loops.done() or loops.exception() is None, loops.exception()
            return (await http.get("/readyz")).status_code == 200

        await eventually(ready, within_seconds=20)
        yield harness
    await owner.close()


async def status_when(harness: Harness, agent_id: str, state: str) -> dict[str, Any] | None:
    """The agent's status, once it is ``state``."""
    status: dict[str, Any] = (await harness.get(f"/api/assistants/{agent_id}/status")).json()
    return status if status["state"] == state else None


async def say(settings: Settings, *messages: OutcomeMessage, traceparent: str | None = None) -> None:
    """Put outcomes on the topic, as tool-sync does."""
    producer = AIOKafkaProducer(bootstrap_servers=settings.kafka_bootstrap_servers)
    await producer.start()
    try:
        for message in messages:
            record = to_record(message, id=uuid4(), time=datetime.now(UTC), log_id=LOG_ID, traceparent=traceparent)
            record = replace(record, topic=settings.outcomes_topic)
            await producer.send_and_wait(record.topic, record.value, record.key, headers=list(record.headers))
    finally:
        await producer.stop()


@asynccontextmanager
async def service_whatever_it_says(settings: Settings, urls: DatabaseUrls, vapi: Vapi) -> AsyncIterator[Harness]:
    """Everything, whether it becomes ready or not."""
    service = Service(settings)
    owner = await asyncpg.connect(urls.owner)
    transport = httpx.ASGITransport(create_app(service.parts), raise_app_exceptions=False)
    async with service.running(), httpx.AsyncClient(transport=transport, base_url="http://api") as http:
        yield Harness(service, http, owner, vapi)
    await owner.close()
