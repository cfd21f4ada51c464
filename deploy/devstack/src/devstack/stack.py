"""A running system: where its parts answer, and how they are started again and stopped."""

import asyncio
import os
from collections.abc import Mapping
from dataclasses import dataclass, field

from devstack import databases, kafka, process, services, state, tokens
from devstack.databases import DatabaseUrls, Service
from devstack.options import Options
from devstack.services import Surroundings
from devstack.tokens import Signer


@dataclass(frozen=True, slots=True)
class Stack:
    """A running system. `children` holds its processes by name; `jaeger_ui_url` is None where there is no Jaeger."""

    options: Options
    ports: Mapping[str, int]
    database_admin_url: str
    surroundings: Surroundings
    signer: Signer
    jaeger_ui_url: str | None = None
    children: dict[str, process.Child] = field(default_factory=dict)

    @property
    def assistant_api_url(self) -> str:
        """Base URL of assistant-api."""
        return self.service_url("assistant_api")

    @property
    def tool_sync_url(self) -> str:
        """Base URL of tool-sync."""
        return self.service_url("tool_sync")

    @property
    def bootstrap_servers(self) -> str:
        """What Kafka's clients connect to."""
        return self.surroundings.bootstrap_servers

    def service_url(self, service: Service) -> str:
        """Returns the base URL of a service, whether it runs or not."""
        return services.base_url(self.ports[services.TITLES[service]])

    def database(self, service: Service) -> DatabaseUrls:
        """Returns the addresses of a service's database."""
        return databases.urls(self.database_admin_url, service)

    async def start_service(self, service: Service) -> process.Child:
        """Starts a service, also again after it was stopped or killed; returns once it is ready."""
        title = services.TITLES[service]
        child = await services.start(
            service,
            self.surroundings,
            self.database(service),
            self.ports[title],
            log=self.options.state_dir.resolve() / "logs" / f"{title}.log",
            detached=self.options.detached,
        )
        self.children[title] = child
        return child

    def command_env(self, service: Service) -> dict[str, str]:
        """The environment of a command of a service: ours, and its settings."""
        port = self.ports[services.TITLES[service]]
        return {**os.environ, **self.surroundings.env(service, self.database(service), port)}

    def save_state(self) -> None:
        """Writes down what runs, for the other commands."""
        entries = tuple(state.entry(child) for child in self.children.values() if child.returncode is None)
        state.save(self.options.state_dir.resolve(), state.State(entries, self.env()))

    async def stop(self) -> None:
        """Stops the services first, then what they stand on; nothing of the stack is left."""
        await stop_children(self.children)
        state.remove(self.options.state_dir.resolve())

    def env(self) -> dict[str, str]:
        """The addresses of the stack as environment variables, without the key of a real Vapi account."""
        around = self.surroundings
        found = {
            "ASSISTANT_API_URL": self.assistant_api_url,
            "TOOL_SYNC_URL": self.tool_sync_url,
            "KAFKA_BOOTSTRAP_SERVERS": around.bootstrap_servers,
            "DATABASE_ADMIN_URL": self.database_admin_url,
            **{f"{s.upper()}_DATABASE_URL": self.database(s).service for s in databases.SERVICES},
            "TOOL_SERVER_URL": around.tool_server_url,
            "VAPI_BASE_URL": around.vapi_base_url,
            "VAPI_API_KEY": None if self.options.vapi_live_key else around.vapi_api_key,
            "OTEL_EXPORTER_OTLP_ENDPOINT": around.otlp_endpoint,
            "JAEGER_UI_URL": self.jaeger_ui_url,
            "LOG_FILE": str(around.log_file),
            "LOG_VERIFY_KEYS": str(tokens.log_verify_keys(self.options.state_dir.resolve())),
        }
        return {name: value for name, value in found.items() if value is not None}


async def stop_children(children: dict[str, process.Child]) -> None:
    """Stops the services first, then the rest; the dictionary is empty afterwards."""
    first = [children.pop(title) for title in services.TITLES.values() if title in children]
    await asyncio.gather(*(child.stop() for child in first))
    await asyncio.gather(*(child.stop(kafka.STOP_SECONDS) for child in children.values()))
    children.clear()
