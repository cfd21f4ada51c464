"""The two services as processes: their environment, their start, and the health check that waits for `/readyz`."""

import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
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

    `jaeger_ui_url`: where the pages of traces are, if anywhere. `assistant_api_url`, `platform_token`: where tool-sync
    tries tools out, if anywhere. `log_signing_key`: what tool-sync signs heads of its log with, if anything.
    `console_key`: what seals the console's cookies; without one there is no console. `envelope_keys`: what seals the
    keys of clinics' own Vapi accounts, `notices_key`: the secrets of clinics' webhooks.
    `sign_in_env`: tool-sync's settings of whoever people sign in with, if with anybody.
    `kafka_env`: how a service speaks to Kafka, where that is not as devstack does.
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
    assistant_api_url: str | None = None
    platform_token: str | None = None
    log_signing_key: Path | None = None
    console_key: str | None = None
    envelope_keys: str | None = None
    notices_key: str | None = None
    sign_in_env: Mapping[str, str] = field(default_factory=dict)
    kafka_env: Mapping[Service, Mapping[str, str]] = field(default_factory=dict)

    def env(self, service: Service, database: DatabaseUrls, port: int) -> dict[str, str]:
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
        asking = {"ASSISTANT_API_URL": self.assistant_api_url, "ASSISTANT_API_TOKEN": self.platform_token}
        tracing = {"OTEL_EXPORTER_OTLP_ENDPOINT": self.otlp_endpoint, "JAEGER_UI_URL": self.jaeger_ui_url}
        signing = {"LOG_SIGNING_KEY_FILE": None if self.log_signing_key is None else str(self.log_signing_key)}
        sealing = {
            "CONSOLE_KEY": self.console_key,
            "VAPI_KEY_ENVELOPE_KEYS": self.envelope_keys,
            "NOTICES_KEY": self.notices_key,
        }
        optional = {name: value for name, value in (tracing | asking | signing | sealing).items() if value}
        return {**settings, **optional, **self.sign_in_env, **self.kafka_env.get(service, {})}


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
        env=surroundings.env(service, database, port),
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
