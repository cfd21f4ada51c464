"""What both sides stand on: one PostgreSQL, one Kafka, one sandbox, one collector; and a fresh corner for each round.

Given addresses win (`TEST_DATABASE_URL`, a superuser's; `TEST_KAFKA_BOOTSTRAP_SERVERS`), else the embedded servers
are started, with fsync on.
"""

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from uuid import uuid4

import httpx
from aiokafka.admin import AIOKafkaAdminClient

from benchmarks import proc, span_sink
from benchmarks.errors import NotMeasured
from benchmarks.proc import Shares
from benchmarks.span_sink import SpanSink
from devstack import kafka, postgres, process, sandbox, topics
from devstack.databases import DatabaseUrls, TestDatabases
from devstack.sandbox import Sandbox
from devstack.tokens import Signer, new_signer
from devstack.topics import TopicSpec

PARTITIONS = 12
KEEP = {"retention.ms": "-1", "cleanup.policy": "delete"}


@dataclass(frozen=True, slots=True)
class World:
    """The servers. ``logs`` is the folder of every process' log; ``parts`` are the servers' processes by name."""

    logs: Path
    databases: TestDatabases
    bootstrap_servers: str
    admin: AIOKafkaAdminClient
    sandbox: Sandbox
    collector: SpanSink
    signer: Signer
    parts: dict[str, process.Child] = field(default_factory=dict)

    def cpu(self) -> dict[str, float]:
        """CPU seconds that each server has used so far."""
        return {name: proc.cpu_seconds(child.pid, with_children=True) for name, child in self.parts.items()}

    def shares(self, before: dict[str, float], **more: float) -> Shares:
        """Where CPU went since ``before``, and what else is known."""
        return Shares({name: seconds - before[name] for name, seconds in self.cpu().items()} | more)

    async def turn(self, **dials: object) -> None:
        """Set the sandbox's dials; what is not named returns to its default."""
        await self._control("PUT", "dials", dials)

    async def reset_sandbox(self) -> None:
        """Forget all assistants, tools, requests and dials."""
        await self._control("POST", "reset", {})

    async def vapi_requests(self) -> dict[str, int]:
        """How often each route of the sandbox was asked for since its reset."""
        summary = await self._control("GET", "summary")
        return {route: sum(by_status.values()) for route, by_status in summary["requests"].items()}

    async def _control(
        self, method: str, what: str, body: dict[str, object] | None = None
    ) -> dict[str, dict[str, dict[str, int]]]:
        async with httpx.AsyncClient(timeout=30) as client:
            answer = await client.request(method, f"{self.sandbox.url}/__sandbox/{what}", json=body)
        if answer.status_code != 200:
            raise NotMeasured(f"{method} /__sandbox/{what} answers {answer.status_code}: {answer.text[:300]}")
        found: dict[str, dict[str, dict[str, int]]] = answer.json()
        return found


@dataclass(frozen=True, slots=True)
class Corner:
    """What one side has to itself in one round: a database of one installation, its topics, a consumer group."""

    name: str
    database: DatabaseUrls
    assistants_topic: str
    outcomes_topic: str
    tool_calls_topic: str
    fleet_topic: str
    erasures_topic: str
    display_names_topic: str
    vapi_accounts_topic: str
    group: str
    installation_id: str


@asynccontextmanager
async def standing(data: Path, logs: Path) -> AsyncIterator[World]:
    """Lends the servers and stops what was started here; ``data`` is theirs and may be deleted afterwards."""
    async with AsyncExitStack() as closing:
        parts: dict[str, process.Child] = {}
        database_url = os.environ.get("TEST_DATABASE_URL")
        bootstrap_servers = os.environ.get("TEST_KAFKA_BOOTSTRAP_SERVERS")
        if database_url is None:
            server = await postgres.start(data / "postgres", log=logs / "postgres.log")
            closing.push_async_callback(server.stop)
            parts["PostgreSQL"], database_url = server.child, server.admin_url
        if bootstrap_servers is None:
            broker = await kafka.start(data / "kafka", log=logs / "kafka.log")
            closing.push_async_callback(broker.stop)
            parts["Kafka"], bootstrap_servers = broker.child, broker.bootstrap_servers
        vapi = await sandbox.start(log=logs / "vapi-sandbox.log")
        closing.push_async_callback(vapi.stop)
        parts["sandbox"] = vapi.child
        collector = await closing.enter_async_context(span_sink.collecting())
        admin = await closing.enter_async_context(topics.admin(bootstrap_servers))
        yield World(logs, TestDatabases(database_url), bootstrap_servers, admin, vapi, collector, new_signer(), parts)


@asynccontextmanager
async def corner(world: World, side: str, *, migrated: bool) -> AsyncIterator[Corner]:
    """Lends a fresh corner over a sandbox that has forgotten everything; database and topics go with it."""
    await world.reset_sandbox()
    name = f"{side}-{uuid4().hex[:8]}"
    create = world.databases.create_database if migrated else world.databases.create_empty_database
    database = await create("tool_sync")
    saves, calls = (f"assistants.{name}", f"outcomes.{name}"), (f"tool-calls.{name}", f"fleet.{name}")
    names = (*saves, *calls, f"erasures.{name}", f"names.{name}", f"accounts.{name}")
    await topics.create(world.bootstrap_servers, [TopicSpec(topic, PARTITIONS, KEEP) for topic in names])
    try:
        yield Corner(name, database, *names, group=name, installation_id=str(uuid4()))
    finally:
        await asyncio.gather(world.databases.drop(database), topics.delete(world.bootstrap_servers, names))
