"""One small system of its own: two databases, two topics, a sandbox, and both services as processes.

Many groups share one PostgreSQL server and one broker. Times are a fifth or a tenth of the delivered ones.
"""

import asyncio
import json
import sys
import time
import uuid
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import asyncpg
import httpx
from aiokafka.admin import AIOKafkaAdminClient
from tests.checker.collect import Sources, collect
from tests.checker.dump import Dump
from tests.checker.ledger import Ledger, State
from tests.support.eventually import until

from devstack import process, sandbox, services, tokens
from devstack.databases import SERVICES, DatabaseUrls, Service, TestDatabases
from devstack.ports import HOST, free_port
from devstack.topics import TopicSpec, create

SERVICE_KEY: Final = "key-of-the-services"
OUTSIDER_KEY: Final = "key-of-somebody-else"
VAPI_ORG: Final = "5a4db0c5-0000-4000-8000-000000000001"
START_SECONDS: Final = 60.0
PARTITIONS: Final = 2
SYNCED_SECONDS_MAX: Final = 12.0
SYNCED: Final = "SELECT count(*) FROM events WHERE org_id = $1 AND type = 'AssistantSynced'"
SCALED: Final[Mapping[Service, Mapping[str, str]]] = {
    "tool_sync": {
        "SEND_WINDOW_SECONDS": "0.2",
        "CALL_DEADLINE_SECONDS": "1",
        "SETTLE_SECONDS": "2",
        "RETRY_SECONDS_BASE": "0.2",
        "DIVERGED_LOOK_SECONDS": "0.5",
        "LEASE_SECONDS": "2",
        "LEASE_RENEW_SECONDS": "0.5",
        "INTAKE_SESSION_SECONDS": "6",
        "INTAKE_HEARTBEAT_SECONDS": "1",
        "KEY_REFUSED_SECONDS": "2",
        "BREAKER_SECONDS_MAX": "2",
    },
    "assistant_api": {
        "SEND_WINDOW_SECONDS": "0.2",
        "VAPI_DEADLINE_SECONDS": "1",
        "SETTLE_SECONDS": "2",
        "RETRY_SECONDS_MIN": "0.2",
        "LEASE_SECONDS": "3",
        "ANSWER_WAIT_SECONDS": "1",
        "KEY_REFUSED_SECONDS": "2",
        "BREAKER_SECONDS_MAX": "2",
    },
}


@dataclass(frozen=True, slots=True)
class Shared:
    """What all groups stand on."""

    databases: TestDatabases
    bootstrap_servers: str
    folder: Path


@dataclass(slots=True)
class Group:
    """A running system. Mutable: processes come and go, and a database may be set back to a copy of it.

    ``lost``: the databases that were.
    """

    name: str
    folder: Path
    databases: TestDatabases
    urls: dict[Service, DatabaseUrls]
    topics: tuple[str, ...]
    around: services.Surroundings
    http: httpx.AsyncClient
    control: httpx.AsyncClient
    outsider: httpx.AsyncClient
    kafka: AIOKafkaAdminClient
    database: dict[Service, "asyncpg.Connection[asyncpg.Record]"]
    consumer_groups: dict[Service, str]
    ledger: Ledger
    port: int
    mutant: str = ""
    children: dict[str, process.Child] = field(default_factory=dict)
    ports: dict[str, int] = field(default_factory=dict)
    lost: dict[Service, list[str]] = field(default_factory=lambda: {service: [] for service in SERVICES})

    @property
    def dump(self) -> Path:
        """Where the ledger is and the dump will be."""
        return self.folder / "dump"

    async def start(self, service: Service, name: str, trap: str = "", **env: str) -> process.Child:
        """Start a replica under a name; returns once it is ready."""
        port = self.port if service == "assistant_api" else free_port()
        child = self.command(name, service, "run", port=port, CHECKER_TRAP=trap, **env)
        self.children[name], self.ports[name] = child, port
        await self.ready_again(name)
        return child

    async def ready_again(self, name: str) -> None:
        """Wait until a process is ready."""
        url = services.base_url(self.ports[name])
        await self.children[name].ready(lambda: services.not_ready(url), START_SECONDS)

    def command(self, name: str, service: Service, *arguments: str, port: int = 0, **env: str) -> process.Child:
        """Begin a command of a service, with its settings and the scaled times; its log has ``name``."""
        settings = {
            **self.around.env(service, self.urls[service], port),
            **SCALED[service],
            "ASSISTANTS_TOPIC": self.topics[0],
            "OUTCOMES_TOPIC": self.topics[1],
            "TOOL_CALLS_TOPIC": self.topics[2],
            "FLEET_TOPIC": self.topics[3],
            "ERASURES_TOPIC": self.topics[4],
            "DISPLAY_NAMES_TOPIC": self.topics[5],
            "VAPI_ACCOUNTS_TOPIC": self.topics[6],
            "CONSUMER_GROUP": self.consumer_groups[service],
            "CHECKER_MUTANT": self.mutant,
            "CHECKER_TRAP_FILE": str(self.trap_file),
            **env,
        }
        command = [sys.executable, "-m", "tests.checker.selftest.entry", service, *arguments]
        return process.start(name, command, log=self.folder / f"{name}.log", env=settings)

    async def connect(self, service: Service) -> None:
        """Connect to the service's database, as it is now."""
        urls = self.urls[service]
        self.database[service] = await asyncpg.connect(urls.owner if service == "assistant_api" else urls.admin)

    @property
    def trap_file(self) -> Path:
        """Exists once the trap has sprung."""
        return self.folder / "trap"

    async def organization(self, org_id: str | None = None) -> str:
        """Make an organization by plain SQL, so that its id may be known beforehand."""
        org_id = org_id or str(uuid.uuid4())
        await self.database["assistant_api"].execute(
            "INSERT INTO organizations (id, name) VALUES ($1, 'Clinic')", uuid.UUID(org_id)
        )
        return org_id

    async def save(
        self, org_id: str, agent_id: str, prompt: str, *, change: bool = False, assistant: str | None = None
    ) -> dict[str, Any]:
        """Save a new agent or change one, written down in the ledger; {} where there was no answer.

        ``assistant``: the one at Vapi that it is to have from now on.
        """
        path = f"/api/agents/{agent_id}?orgId={org_id}" if change else "/api/agents"
        new = {} if change else {"id": agent_id, "orgId": org_id, "name": "Front desk"}
        if assistant is not None:
            new["vapiAssistantId"] = assistant
        started = time.time()
        state: State = "info"
        answer: dict[str, Any] = {}
        try:
            method = "PATCH" if change else "POST"
            response = await self.http.request(method, path, json={**new, "systemPrompt": prompt})
            state = "ok" if response.is_success else "fail" if response.is_client_error else "info"
            answer = response.json() if response.is_success else {}
        except httpx.HTTPError:
            state = "info"
        self.ledger.op(
            "save", started=started, state=state, org=org_id, agent=agent_id, prompt=prompt,
            request_id=answer.get("requestId"),
        )  # fmt: skip
        return answer

    async def delete(self, org_id: str, agent_id: str) -> None:
        """Delete an agent, written down in the ledger."""
        started = time.time()
        (await self.http.delete(f"/api/agents/{agent_id}?orgId={org_id}")).raise_for_status()
        self.ledger.op("delete_agent", started=started, state="ok", org=org_id, agent=agent_id)

    async def foreign_assistant(self) -> str:
        """Make an assistant as somebody else; its id."""
        model = {"provider": "openai", "model": "gpt-4o", "toolIds": [await self.foreign_tool()]}
        body = {"name": "Made by hand", "model": model, "metadata": {"of": "somebody else"}}
        return str((await self.outsider.post("/assistant", json=body)).raise_for_status().json()["id"])

    async def dial(self, *rules: Mapping[str, Any], **dials: Any) -> None:
        """Put these sandbox rules and dials in force, and no others."""
        (await self.control.put("/__sandbox/dials", json={"rules": list(rules), **dials})).raise_for_status()

    async def foreign_tool(self, name: str | None = None) -> str:
        """Make a tool as somebody else, a function where it has a name; its id."""
        body = {"type": "endCall"} if name is None else {"type": "function", "function": {"name": name}}
        answer = (await self.outsider.post("/tool", json=body)).raise_for_status()
        return str(answer.json()["id"])

    async def synced(self, org_id: str, times: int) -> None:
        """Wait a while until an organization had so many good outcomes; a wrong service may never have them."""

        async def there() -> bool:
            return bool(await self.database["tool_sync"].fetchval(SYNCED, uuid.UUID(org_id)) >= times)

        await until(there, SYNCED_SECONDS_MAX)

    async def linked(self, assistant_id: str) -> list[str]:
        """Wait until an assistant links a tool; the ids that it links."""

        async def found() -> Any:
            current = (await self.outsider.get(f"/assistant/{assistant_id}")).json()
            return current["model"].get("toolIds")

        ids = await until(found, 10)
        assert ids, "no tool was linked"
        return list(ids)

    async def edit(self, assistant_id: str, change: Callable[[dict[str, Any]], Mapping[str, Any]]) -> None:
        """Change an assistant as somebody else: ``change`` is given it and returns the fields to send."""
        current = (await self.outsider.get(f"/assistant/{assistant_id}")).raise_for_status().json()
        body = json.dumps(change(current)).encode()
        headers = {"content-type": "application/json"}
        (await self.outsider.patch(f"/assistant/{assistant_id}", content=body, headers=headers)).raise_for_status()

    async def sprung(self, within_seconds: float = 15.0) -> bool:
        """Wait for the trap."""

        async def there() -> bool:
            return self.trap_file.exists()

        return bool(await until(there, within_seconds))

    async def collect(self, **settings: Any) -> Dump:
        """Copy everything and read it."""
        sources = Sources.of(
            {
                "assistant_api": self.urls["assistant_api"].admin,
                "tool_sync": self.urls["tool_sync"].admin,
                "kafka": self.around.bootstrap_servers,
                "sandbox": self.around.vapi_base_url,
                "input_topic": self.topics[0],
                "output_topic": self.topics[1],
                "service_keys": [SERVICE_KEY],
                "lost_logs": self.lost["tool_sync"],
                "lost_rows": self.lost["assistant_api"],
                **settings,
            }
        )
        await collect(self.dump, sources)
        return Dump.read(self.dump)


@asynccontextmanager
async def group(shared: Shared, name: str, mutant: str = "") -> AsyncIterator[Group]:
    """Lends a group without services; stops everything of it at the end."""
    folder = shared.folder / name
    folder.mkdir(parents=True)
    async with AsyncExitStack() as exits:
        children: dict[str, process.Child] = {}

        async def stop_all() -> None:
            await asyncio.gather(*(child.kill() for child in children.values()))

        exits.push_async_callback(stop_all)
        urls = {service: await shared.databases.create_database(service) for service in SERVICES}
        topics = tuple(f"{name}.{kind}" for kind in ("in", "out", "calls", "fleet", "erasures", "names", "accounts"))
        await create(shared.bootstrap_servers, [TopicSpec(topic, PARTITIONS) for topic in topics])
        vapi_url = await _sandbox(folder, children)
        signer, port = tokens.new_signer(), free_port()
        around = services.Surroundings(
            bootstrap_servers=shared.bootstrap_servers,
            vapi_base_url=vapi_url,
            vapi_api_key=SERVICE_KEY,
            jwt_public_key=signer.public_key,
            tool_server_url=f"{services.base_url(port)}/api/vapi/tool-calls",
            webhook_token=uuid.uuid4().hex,
            installation_id=str(uuid.uuid4()),
            log_file=folder / "app.log",
            otlp_endpoint=None,
        )

        async def client(url: str, token: str | None = None) -> httpx.AsyncClient:
            headers = {} if token is None else {"authorization": f"Bearer {token}"}
            return await exits.enter_async_context(httpx.AsyncClient(base_url=url, headers=headers, timeout=20))

        kafka = AIOKafkaAdminClient(bootstrap_servers=shared.bootstrap_servers)
        await kafka.start()
        exits.push_async_callback(kafka.close)
        database: dict[Service, asyncpg.Connection[asyncpg.Record]] = {}

        async def disconnect() -> None:
            await asyncio.gather(*(connection.close() for connection in database.values()))

        exits.push_async_callback(disconnect)
        ledger = Ledger(folder / "dump")
        exits.callback(ledger.close)
        made = Group(
            name=name,
            folder=folder,
            databases=shared.databases,
            urls=urls,
            topics=topics,
            around=around,
            http=await client(services.base_url(port), signer.platform_token()),
            control=await client(vapi_url),
            outsider=await client(vapi_url, OUTSIDER_KEY),
            kafka=kafka,
            database=database,
            consumer_groups={service: f"{name}-{service}" for service in SERVICES},
            ledger=ledger,
            port=port,
            mutant=mutant,
            children=children,
        )
        for service in SERVICES:
            await made.connect(service)
        yield made


async def _sandbox(folder: Path, children: dict[str, process.Child]) -> str:
    port = free_port()
    url = services.base_url(port)
    keys = [f"--key={key}={VAPI_ORG}" for key in (SERVICE_KEY, OUTSIDER_KEY)]
    command = [sys.executable, "-m", "vapi_sandbox", "--host", HOST, "--port", str(port), *keys]
    child = children["sandbox"] = process.start("sandbox", command, log=folder / "sandbox.log")
    await child.ready(lambda: sandbox.not_answering(url, OUTSIDER_KEY), START_SECONDS)
    return url
