"""One whole system among many: own databases, topics, groups and sandbox; two tool-sync and one assistant-api.

Many stand side by side on one broker and one PostgreSQL, because a crash run mostly waits: for a lease, a settle time,
a Kafka session.
"""

import asyncio
import time
import uuid
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, TypeAlias

import asyncpg
import httpx
from tests.checker.ledger import Ledger
from tests.crash.ground import Ground
from tests.faults.gate import Point
from tests.faults.hub import Process
from tests.faults.times import Times

from devstack import services
from devstack.databases import DatabaseUrls, Service
from devstack.ports import HOST, free_port
from devstack.services import Surroundings

Pool: TypeAlias = "asyncpg.Pool[asyncpg.Record]"

KEY, OTHER_KEY = "sandbox-private-key", "somebody-else"
PROBE_KEY: Final = "another-account"
KEYS: Final = {
    KEY: "5a4db0c5-0000-4000-8000-000000000001",
    OTHER_KEY: "5a4db0c5-0000-4000-8000-000000000001",
    PROBE_KEY: "5a4db0c5-0000-4000-8000-000000000002",
}
"""The services' key, one of somebody who edits what they made, and one that sees nothing of theirs."""
READY_SECONDS: Final = 40.0
A, B, API, SANDBOX = "tool-sync-a", "tool-sync-b", "assistant-api", "vapi-sandbox"
SERVICE_OF: Final = {A: "tool_sync", B: "tool_sync", API: "assistant_api", SANDBOX: "vapi_sandbox"}


@dataclass(slots=True)
class Agent:
    """An agent that the cell has saved, and what it was told last."""

    org_id: str
    agent_id: str


@dataclass(slots=True)
class Cell:
    """A running system, and everything that a run does to it and sees of it."""

    name: str
    ground: Ground
    times: Times
    folder: Path
    surroundings: Surroundings
    databases: dict[str, DatabaseUrls]
    topics: dict[str, str]
    changes: Mapping[str, str]
    ports: dict[str, int] = field(default_factory=lambda: {name: free_port() for name in SERVICE_OF})
    processes: dict[str, Process] = field(default_factory=dict)
    agents: list[Agent] = field(default_factory=list)
    pauses: int = 0
    operator_point: Point | None = None
    """Where the next command of an operator fails that comes to it."""
    foreign_tool: str | None = None
    ledger: Ledger = field(init=False)
    http: httpx.AsyncClient = field(init=False)
    vapi: httpx.AsyncClient = field(init=False)
    api_db: Pool = field(init=False)
    log_db: Pool = field(init=False)

    async def start(self, name: str) -> Process:
        """Start one of the processes, or start it anew; returns when it has connected, before it is ready."""
        env = self.env(name)
        process = await self.ground.hub.start(f"{self.name} {name}", SERVICE_OF[name], env, self.folder / f"{name}.log")
        self.processes[name] = process
        if name != SANDBOX:
            async with asyncio.timeout(READY_SECONDS):
                await process.connected.wait()
        return process

    async def ready(self, *names: str) -> None:
        """Return when these processes are ready."""
        for name in names:
            url = services.base_url(self.ports[name])
            until = time.monotonic() + READY_SECONDS
            while (reason := await _not_ready(url, name)) is not None:
                if self.processes[name].ended.is_set() or time.monotonic() > until:
                    raise AssertionError(f"{self.name} {name} is not ready: {reason}; see {self.processes[name].log}")
                await asyncio.sleep(0.05)

    async def dial(self, **dials: Any) -> None:
        """Put dials in force, those that are not named at what every run has."""
        lasting = {"list_lag_ms": int(self.times.list_lag * 1000), "latency_ms": 5}
        (await self.vapi.put("/__sandbox/dials", json={**lasting, **dials})).raise_for_status()

    def sources(self) -> dict[str, Any]:
        """Where the checker finds what happened here."""
        return {
            "assistant_api": self.databases["assistant_api"].admin,
            "tool_sync": self.databases["tool_sync"].admin,
            "kafka": self.ground.broker.bootstrap_servers,
            "sandbox": self.surroundings.vapi_base_url,
            "input_topic": self.topics["ASSISTANTS_TOPIC"],
            "output_topic": self.topics["OUTCOMES_TOPIC"],
            "service_keys": [KEY],
            "log_files": [str(self.surroundings.log_file)],
        }

    def env(self, name: str) -> dict[str, str]:
        """The settings of a process."""
        if name == SANDBOX:
            keys = " ".join(f"{key}={account}" for key, account in KEYS.items())
            return {"VAPI_SANDBOX_PORT": str(self.ports[name]), "VAPI_SANDBOX_KEYS": keys}
        service: Service = "assistant_api" if name == API else "tool_sync"
        env = self.surroundings.env(service, self.databases[service], self.ports[name]) | self.topics
        if service == "tool_sync":
            env |= self.times.of_tool_sync() | {
                "CONSUMER_GROUP": f"{self.name}.tool-sync",
                "DATABASE_POOL_MAX": "3",
                "INTAKE_SESSION_SECONDS": "6",
                "INTAKE_HEARTBEAT_SECONDS": "1.5",
                "RELAY_IDLE_SESSION_SECONDS": "2",
                "RELAY_TOUCH_SECONDS": "0.5",
            }
        else:
            env |= self.times.of_assistant_api() | {
                "CONSUMER_GROUP": f"{self.name}.assistant-api",
                "DATABASE_CONNECTIONS_MAX": "4",
            }
        return {**env, **self.changes}


async def _not_ready(url: str, name: str) -> str | None:
    if name != SANDBOX:
        return await services.not_ready(url)
    try:
        async with httpx.AsyncClient(timeout=5) as client:
            answer = await client.get(f"{url}/__sandbox/livez")
    except httpx.HTTPError as error:
        return f"{type(error).__name__}: {error}"
    return None if answer.status_code == 200 else answer.text


@asynccontextmanager
async def cell(ground: Ground, name: str, times: Times, **changes: str) -> AsyncIterator[Cell]:
    """A running cell; ``changes`` are settings of both services. Its processes are killed at the end."""
    folder = ground.folder / name
    async with AsyncExitStack() as exits:
        made = await _furnished(ground, name, times, folder, changes)
        http = httpx.AsyncClient(
            base_url=services.base_url(made.ports[API]),
            headers={"authorization": f"Bearer {ground.signer.platform_token()}"},
            timeout=20,
        )
        made.http = await exits.enter_async_context(http)
        key = {"authorization": f"Bearer {OTHER_KEY}"}
        vapi = httpx.AsyncClient(base_url=made.surroundings.vapi_base_url, headers=key, timeout=20)
        made.vapi = await exits.enter_async_context(vapi)
        await connect(made)
        exits.push_async_callback(lambda: disconnect(made))
        exits.push_async_callback(lambda: _end(made))
        await made.start(SANDBOX)
        await made.ready(SANDBOX)
        await made.dial()
        await asyncio.gather(*(made.start(process) for process in (A, B, API)))
        await made.ready(A, B, API)
        yield made


async def connect(made: Cell) -> None:
    """The harness's own connections, also after PostgreSQL was killed."""
    made.api_db = await asyncpg.create_pool(made.databases["assistant_api"].admin, min_size=1, max_size=2)
    made.log_db = await asyncpg.create_pool(made.databases["tool_sync"].admin, min_size=1, max_size=2)


async def disconnect(made: Cell) -> None:
    """Close them."""
    for pool in (made.api_db, made.log_db):
        pool.terminate()


async def _furnished(ground: Ground, name: str, times: Times, folder: Path, changes: Mapping[str, str]) -> Cell:
    await asyncio.to_thread(folder.mkdir, parents=True)
    databases = {service: await ground.database(service) for service in ("assistant_api", "tool_sync")}
    topics = {
        variable: f"{name}.{topic}"
        for variable, topic in (
            ("ASSISTANTS_TOPIC", "in"),
            ("OUTCOMES_TOPIC", "out"),
            ("FLEET_TOPIC", "fleet"),
            ("TOOL_CALLS_TOPIC", "calls"),
            ("ERASURES_TOPIC", "erasures"),
            ("DISPLAY_NAMES_TOPIC", "names"),
            ("VAPI_ACCOUNTS_TOPIC", "accounts"),
        )
    }
    await ground.topics(*topics.values())
    port = free_port()
    surroundings = Surroundings(
        bootstrap_servers=ground.broker.bootstrap_servers,
        vapi_base_url=f"http://{HOST}:{port}",
        vapi_api_key=KEY,
        jwt_public_key=ground.signer.public_key,
        tool_server_url=f"http://{HOST}:9/api/vapi/tool-calls",
        webhook_token="a-token-for-webhooks",
        installation_id=str(uuid.uuid4()),
        log_file=folder / "app.jsonl",
        otlp_endpoint=None,
    )
    made = Cell(name, ground, times, folder, surroundings, databases, topics, changes)
    made.ports[SANDBOX] = port
    made.ledger = Ledger(folder / "dump")
    return made


async def _end(made: Cell) -> None:
    for process in made.processes.values():
        if process.pid:
            await process.kill()
