"""The system under chaos: two replicas of each service, one PostgreSQL, one broker and the sandbox, all behind proxies.

    assistant-api-1 ─┬─ proxy ─► PostgreSQL        a proxy for each replica
    tool-sync-2 …    ├─ proxy ─► Vapi sandbox      a proxy for each replica
                     └─ proxy ─► Kafka             one proxy: a broker names one address

The harness itself walks round the proxies.
"""

import asyncio
import secrets
import signal
import sys
import time
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, TypeVar
from urllib.parse import urlsplit, urlunsplit

from tests.chaos.replica import Replica
from tests.chaos.times import Times
from tests.faults.proxy import HOST, Proxy

from devstack import databases, kafka, postgres, process, sandbox, services, tokens, topics
from devstack.databases import DatabaseUrls, Service
from devstack.errors import DevstackError
from devstack.ports import free_port

T = TypeVar("T")

REPLICAS: Final = 2
RESTART_SECONDS_MAX: Final = 60.0
VAPI_ORG: Final = "5a4db0c5-0000-4000-8000-000000000001"
SERVICE_KEY: Final = "key-of-the-services"
OUTSIDER_KEY: Final = "key-of-somebody-else"


@dataclass(slots=True)
class World:
    """Everything that runs. Mutable: PostgreSQL and the broker are started anew, and tool-sync's database is restored.

    `lost_logs`: the addresses of the databases that a restore has put another one in place of, oldest first.
    """

    folder: Path
    times: Times
    signer: tokens.Signer
    postgres: postgres.Server
    broker: kafka.Broker
    broker_listener: int
    broker_proxy: Proxy
    sandbox_url: str
    webhook_token: str = field(default_factory=lambda: secrets.token_urlsafe(32))
    replicas: list[Replica] = field(default_factory=list)
    consumer_group: str = "tool-sync"
    lost_logs: list[str] = field(default_factory=list)

    def of(self, service: Service) -> list[Replica]:
        """The replicas of a service."""
        return [replica for replica in self.replicas if replica.service == service]

    def database(self, service: Service) -> DatabaseUrls:
        """The addresses of a service's database, not through a proxy."""
        return databases.urls(self.postgres.admin_url, service)

    async def restart_postgres(self) -> None:
        """Start PostgreSQL again: refused for a moment while orphans of the old server hold its memory."""
        self.postgres = await _until_started(
            lambda: postgres.start(
                self.folder / "postgres", port=self.postgres.port, log=self.folder / "postgres.log", fsync=False
            )
        )

    async def restart_broker(self) -> None:
        """Start the broker again."""
        self.broker = await _until_started(
            lambda: kafka.start(
                self.folder / "kafka",
                port=self.broker.port,
                log=self.folder / "kafka.log",
                proxied=(self.broker_listener, self.broker_proxy.port),
            )
        )


@asynccontextmanager
async def running(
    folder: Path, times: Times, code: Mapping[str, str] | None = None, *, proxied: bool = True
) -> AsyncIterator[World]:
    """Lends the whole system, ready, under supervision; stops it however the block ends.

    ``code``: environment variables that name another release, whose migrations and replicas these are then. Not
    ``proxied``: replicas go to PostgreSQL and Vapi directly, so that this process is not in their way.
    """
    async with AsyncExitStack() as stack:
        world = await _surroundings(stack, folder, times)
        for service in databases.SERVICES:
            await databases.migrate(service, world.database(service).owner, code)
        common = _common(world)
        for service in databases.SERVICES:
            for number in range(1, REPLICAS + 1):
                world.replicas.append(await _replica(stack, world, common, service, number))
                world.replicas[-1].code = code or {}
                if not proxied:
                    direct = {"DATABASE_URL": world.database(service).service, "VAPI_BASE_URL": world.sandbox_url}
                    world.replicas[-1].env = {**world.replicas[-1].env, **direct}
        for replica in world.replicas:
            replica.start()
        stack.push_async_callback(_stop_all, world)
        async with asyncio.TaskGroup() as group:
            for replica in world.replicas:
                group.create_task(replica.ready())
        keepers = [asyncio.create_task(replica.supervise(), name=replica.name) for replica in world.replicas]
        stack.push_async_callback(_cancel, keepers)
        yield world


async def _surroundings(stack: AsyncExitStack, folder: Path, times: Times) -> World:
    server = await postgres.start(folder / "postgres", log=folder / "postgres.log", fsync=False)
    listener = free_port()
    broker_proxy = await stack.enter_async_context(Proxy("kafka", listener))
    broker = await kafka.start(folder / "kafka", log=folder / "kafka.log", proxied=(listener, broker_proxy.port))
    await databases.bootstrap(server.admin_url)
    await topics.create_contract_topics(broker.bootstrap_servers)
    port = free_port()
    keys = [part for key in (SERVICE_KEY, OUTSIDER_KEY) for part in ("--key", f"{key}={VAPI_ORG}")]
    vapi = process.start(
        "Vapi sandbox",
        [sys.executable, "-m", "vapi_sandbox", "--host", HOST, "--port", str(port), *keys],
        log=folder / "vapi-sandbox.log",
    )
    stack.push_async_callback(vapi.stop)
    url = f"http://{HOST}:{port}"
    await vapi.ready(lambda: sandbox.not_answering(url, OUTSIDER_KEY), 20)
    world = World(folder, times, tokens.new_signer(), server, broker, listener, broker_proxy, url)
    stack.push_async_callback(_stop_servers, world)
    return world


def _common(world: World) -> services.Surroundings:
    return services.Surroundings(
        bootstrap_servers=f"{HOST}:{world.broker_proxy.port}",
        vapi_base_url="set by replica",
        vapi_api_key=SERVICE_KEY,
        jwt_public_key=world.signer.public_key,
        tool_server_url="http://127.0.0.1:9/api/vapi/tool-calls",
        webhook_token=world.webhook_token,
        installation_id=str(uuid.uuid4()),
        log_file=world.folder / "unused",
        otlp_endpoint=None,
    )


async def _replica(
    stack: AsyncExitStack, world: World, common: services.Surroundings, service: Service, number: int
) -> Replica:
    name = f"{services.TITLES[service]}-{number}"
    database = await stack.enter_async_context(Proxy(f"{name} to PostgreSQL", world.postgres.port))
    vapi_port = urlsplit(world.sandbox_url).port
    assert vapi_port is not None
    vapi = await stack.enter_async_context(Proxy(f"{name} to Vapi", vapi_port))
    direct, port = world.database(service), free_port()
    proxied = DatabaseUrls(direct.owner, _through(direct.service, database), direct.admin)
    env = common.env(service, proxied, port) | {
        "VAPI_BASE_URL": f"http://{HOST}:{vapi.port}",
        "LOG_FILE": str(world.folder / f"{name}.jsonl"),
        "OTEL_EXPORTER_OTLP_ENDPOINT": "",
        **(world.times.tool_sync if service == "tool_sync" else world.times.assistant_api),
    }
    return Replica(name, service, port, env, world.folder, database, vapi)


def _through(url: str, proxy: Proxy) -> str:
    parts = urlsplit(url)
    user = parts.netloc.rpartition("@")[0]
    return urlunsplit(parts._replace(netloc=f"{user}@{HOST}:{proxy.port}"))


async def _until_started(start: Callable[[], Awaitable[T]]) -> T:
    deadline = time.monotonic() + RESTART_SECONDS_MAX
    while True:
        try:
            return await start()
        except DevstackError:
            if time.monotonic() > deadline:
                raise


async def _stop_all(world: World) -> None:
    for replica in world.replicas:
        replica.signal(signal.SIGCONT)
    await asyncio.gather(*(replica.child.stop(5) for replica in world.replicas if replica.child is not None))


async def _stop_servers(world: World) -> None:
    await asyncio.gather(world.broker.stop(), world.postgres.stop())


async def _cancel(tasks: Sequence[asyncio.Task[None]]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.wait(tasks)
