"""The two services as processes: their environment, their start, and the health check that waits for `/readyz`."""

import sys
from dataclasses import dataclass
from pathlib import Path

import httpx

from devstack import process, tokens
from devstack.databases import DatabaseUrls, Service
from devstack.ports import HOST

START_SECONDS = 60.0
TITLES: dict[Service, str] = {"assistant_api": "assistant-api", "tool_sync": "tool-sync"}


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What both services are told about the world. `otlp_endpoint` None switches the export of spans off.

    `jaeger_ui_url`: where the pages of traces are, if anywhere.
    """

    bootstrap_servers: str
    vapi_base_url: str
    vapi_api_key: str
    jwt_public_key: str
    tool_server_url: str
    webhook_token: str
    installation_id: str
    log_file: Path
    otlp_endpoint: str | None
    jaeger_ui_url: str | None = None

    def env(self, database: DatabaseUrls, port: int) -> dict[str, str]:
        """Returns the settings of one service as environment variables."""
        settings = {
            "DATABASE_URL": database.service,
            "MIGRATE_DATABASE_URL": database.owner,
            "KAFKA_BOOTSTRAP_SERVERS": self.bootstrap_servers,
            "VAPI_BASE_URL": self.vapi_base_url,
            "VAPI_API_KEY": self.vapi_api_key,
            "JWT_PUBLIC_KEY": self.jwt_public_key,
            "JWT_ISSUER": tokens.ISSUER,
            "JWT_AUDIENCE": tokens.AUDIENCE,
            "PORT": str(port),
            "TOOL_SERVER_URL": self.tool_server_url,
            "VAPI_WEBHOOK_TOKENS": self.webhook_token,
            "INSTALLATION_ID": self.installation_id,
            "LOG_FILE": str(self.log_file),
        }
        tracing = {"OTEL_EXPORTER_OTLP_ENDPOINT": self.otlp_endpoint, "JAEGER_UI_URL": self.jaeger_ui_url}
        return settings | {name: value for name, value in tracing.items() if value}


def base_url(port: int) -> str:
    """Returns the base URL of a service on this machine."""
    return f"http://{HOST}:{port}"


async def start(
    service: Service, surroundings: Surroundings, database: DatabaseUrls, port: int, *, log: Path, detached: bool
) -> process.Child:
    """Runs a service; returns once `/readyz` answers 200, raises `process.StartFailed` with its reasons otherwise."""
    child = process.start(
        TITLES[service],
        [sys.executable, "-m", service, "run"],
        log=log,
        env=surroundings.env(database, port),
        detached=detached,
    )
    await child.ready(lambda: not_ready(base_url(port)), START_SECONDS)
    return child


async def not_ready(url: str) -> str | None:
    """A health check: asks `/readyz`; says what it answers, or None for 200."""
    try:
        async with httpx.AsyncClient(timeout=5) as client:
            answer = await client.get(f"{url}/readyz")
    except httpx.HTTPError as error:
        return f"{type(error).__name__}: {error}"
    return None if answer.status_code == 200 else f"GET {url}/readyz answers {answer.status_code}: {answer.text[:500]}"
