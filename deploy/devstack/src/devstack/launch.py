"""The whole system, brought up with a progress line and a real round trip for each part.

What is independent starts side by side, and a failure stops all that had started.

    PostgreSQL, Kafka, Vapi sandbox, Jaeger,
    sign-in provider                          side by side
    databases, topics, migrations             of both services
    assistant-api, tool-sync                  ready when /readyz says so

    async with running(Options()) as stack:
        stack.assistant_api_url, stack.bootstrap_servers, stack.signer.platform_token()

With the sandbox the data are new at every start, because the sandbox forgets; with the real Vapi they are kept.
"""

import asyncio
import base64
import secrets
import shutil
import time
import uuid
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from devstack import (
    databases,
    jaeger,
    kafka,
    kafka_security,
    postgres,
    process,
    provider,
    sandbox,
    services,
    state,
    tokens,
    topics,
)
from devstack.errors import NotPossible
from devstack.jars import VERSION as KAFKA_VERSION
from devstack.options import Options, choose_ports
from devstack.ports import HOST
from devstack.stack import Stack, stop_children

VAPI_LIVE_URL = "https://api.vapi.ai"
TOOL_CALLS_PATH = "/api/vapi/tool-calls"


@asynccontextmanager
async def running(options: Options) -> AsyncIterator[Stack]:
    """Lends a running system and stops it afterwards, however the block ends."""
    stack = await launch(options)
    try:
        yield stack
    finally:
        await stack.stop()


async def launch(options: Options) -> Stack:
    """Brings the system up and returns it; stops what was started when a part fails or we are cancelled.

    Raises `process.StartFailed`, `jars.JarsMissing`, `databases.MigrationFailed`, or `NotPossible` where a port is
    taken or a stack of this folder runs already.
    """
    launching = _Launch(options, options.state_dir.resolve())
    launching.take_folder()
    try:
        return await launching.run()
    except BaseException:
        await stop_children(launching.children)
        state.remove(launching.folder)
        raise


@dataclass(slots=True)
class _Launch:
    options: Options
    folder: Path
    children: dict[str, process.Child] = field(default_factory=dict)
    ports: dict[str, int] = field(default_factory=dict)

    async def run(self) -> Stack:
        self.ports = await choose_ports(self.options.fixed_ports)
        signer = tokens.signer(self.folder)
        database_url, bootstrap_servers, (vapi_url, vapi_key), (otlp_endpoint, jaeger_url), sign_in = await _together(
            self._postgres(), self._kafka(), self._vapi(), self._jaeger(), self._provider()
        )
        surroundings = services.Surroundings(
            bootstrap_servers=bootstrap_servers,
            vapi_base_url=vapi_url,
            vapi_api_key=vapi_key,
            jwt_public_key=signer.public_key,
            tool_server_url=services.base_url(self.ports["assistant-api"]) + TOOL_CALLS_PATH,
            webhook_token=self._kept("webhook-token", lambda: secrets.token_urlsafe(32)),
            installation_id=self._kept("installation-id", lambda: str(uuid.uuid4())),
            log_file=self.options.log_file.resolve(),
            otlp_endpoint=otlp_endpoint,
            jaeger_ui_url=jaeger_url,
            assistant_api_url=services.base_url(self.ports["assistant-api"]),
            platform_token=signer.platform_token(lifetime_seconds=tokens.SERVICE_LIFETIME_SECONDS),
            kafka_env=self._kafka_env(),
            log_signing_key=tokens.log_signing_key(self.folder).resolve(),
            envelope_keys=self._kept("envelope-keys", lambda: f"k1:{_random_key()}"),
            console_key=self._kept("console-key", _random_key),
            notices_key=self._kept("notices-key", _random_key),
            sign_in_env=sign_in,
        )
        surroundings.log_file.parent.mkdir(parents=True, exist_ok=True)
        stack = Stack(self.options, self.ports, database_url, surroundings, signer, jaeger_url, self.children)
        await _together(*(self._migrate(stack, service) for service in databases.SERVICES))
        if self.options.run_services:
            await _together(*(self._service(stack, service) for service in databases.SERVICES))
        stack.save_state()
        return stack

    def take_folder(self) -> None:
        found = state.load(self.folder)
        if found and any(entry.running for entry in found.entries):
            raise NotPossible(f"a stack of {self.folder} runs already: `python -m devstack down` stops it")
        state.remove(self.folder)
        if not self.options.vapi_live_key:
            for part in ("postgres", "kafka", "logs"):
                if (self.folder / part).exists():
                    shutil.rmtree(self.folder / part)

    def _started(self, child: process.Child) -> None:
        self.children[child.name] = child
        state.save(self.folder, state.State(tuple(map(state.entry, self.children.values())), {}))

    def _log(self, name: str) -> Path:
        return self.folder / "logs" / f"{name}.log"

    def _done(self, name: str, started: float, where: str = "") -> None:
        self.options.say(f"  ✔ {name:<24} {time.monotonic() - started:5.1f} s  {where}".rstrip())

    async def _postgres(self) -> str:
        started = time.monotonic()
        server = await postgres.start(
            self.folder / "postgres",
            log=self._log("postgres"),
            fsync=self.options.fsync,
            detached=self.options.detached,
        )
        self._started(server.child)
        await databases.bootstrap(server.admin_url)
        self._done(f"PostgreSQL {postgres.VERSION}", started, f"{HOST}:{server.port}")
        return server.admin_url

    async def _kafka(self) -> str:
        started = time.monotonic()
        broker = await kafka.start(
            self.folder / "kafka",
            log=self._log("kafka"),
            detached=self.options.detached,
            secured=self.options.secured_kafka,
            say=self.options.say,
        )
        self._started(broker.child)
        await topics.create_contract_topics(broker.bootstrap_servers, partitions=self.options.partitions)
        if self.options.secured_kafka is not None:
            await kafka_security.allow(kafka.acls_command(), broker.bootstrap_servers)
        self._done(f"Kafka {KAFKA_VERSION}", started, broker.bootstrap_servers)
        return broker.bootstrap_servers

    def _kafka_env(self) -> dict[databases.Service, dict[str, str]]:
        if self.options.secured_kafka is None:
            return {}
        return {service: self.options.secured_kafka.env(services.TITLES[service]) for service in databases.SERVICES}

    async def _vapi(self) -> tuple[str, str]:
        started = time.monotonic()
        if self.options.vapi_live_key:
            reason = await sandbox.not_answering(VAPI_LIVE_URL, self.options.vapi_live_key)
            if reason is not None:
                raise NotPossible(f"the real Vapi cannot be used: {reason}")
            self._done("Vapi (the real one)", started, VAPI_LIVE_URL)
            return VAPI_LIVE_URL, self.options.vapi_live_key
        server = await sandbox.start(
            log=self._log("vapi-sandbox"),
            port=self.ports["Vapi sandbox"],
            detached=self.options.detached,
            webhook_token=self._kept("webhook-token", lambda: secrets.token_urlsafe(32)),
        )
        self._started(server.child)
        self._done("Vapi sandbox", started, server.url)
        return server.url, server.api_key

    async def _jaeger(self) -> tuple[str | None, str | None]:
        if self.options.otlp_endpoint:
            self.options.say(f"  - spans go to the given collector, {self.options.otlp_endpoint}")
            return self.options.otlp_endpoint, None
        program = jaeger.binary()
        if program is None:
            self.options.say("  - no Jaeger: there is no `jaeger` on the PATH and JAEGER_BIN is not set")
            return None, None
        started = time.monotonic()
        found = await jaeger.start(program, log=self._log("jaeger"), detached=self.options.detached)
        self._started(found.child)
        self._done("Jaeger", started, found.ui_url)
        return found.otlp_endpoint, found.ui_url

    async def _provider(self) -> dict[str, str]:
        """tool-sync's settings with a provider of this machine, where people are to sign in at one."""
        if not self.options.sign_in_provider or self.options.vapi_live_key:
            return {}
        started = time.monotonic()
        running = await provider.start(
            f"{services.base_url(self.ports['tool-sync'])}/console",
            log=self._log("sign-in-provider"),
            port=self.ports["sign-in provider"],
            detached=self.options.detached,
        )
        self._started(running.child)
        self._done("sign-in provider", started, running.issuer)
        return running.env()

    async def _migrate(self, stack: Stack, service: databases.Service) -> None:
        started = time.monotonic()
        await databases.migrate(service, stack.database(service).owner)
        self._done(f"{services.TITLES[service]} migrated", started)

    async def _service(self, stack: Stack, service: databases.Service) -> None:
        started = time.monotonic()
        await stack.start_service(service)
        self._done(services.TITLES[service], started, stack.service_url(service))

    def _kept(self, name: str, make: Callable[[], str]) -> str:
        """What is made once for this folder and kept in it."""
        file = self.folder / name
        if not file.exists():
            file.touch(mode=0o600)
            file.write_text(make())
        return file.read_text()


def _random_key() -> str:
    """32 bytes in base64."""
    return base64.b64encode(secrets.token_bytes(32)).decode()


async def _together(*parts: Coroutine[Any, Any, Any]) -> list[Any]:
    """Runs all parts; the first failure cancels the others and is raised as it is."""
    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(part) for part in parts]
    except BaseExceptionGroup as failed:
        raise failed.exceptions[0] from failed
    return [task.result() for task in tasks]
