"""The two ways in which the peers call Vapi and trace: as one writes it, and with what our services use.

`httpx`   httpx over `httpx-aiohttp`, spans of OpenTelemetry's SDK started by hand where an instrumentation would
`ours`    tool-sync's client over the platform's transport, and tool-sync's set-up of spans
"""

import os
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import httpx
from httpx_aiohttp import AiohttpTransport
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import SpanKind, Tracer

from tool_sync import telemetry
from tool_sync.vapi.client import VapiClient
from zerotouch_platform.telemetry import off
from zerotouch_platform.vapi.transport import PooledTransport

CONNECTIONS_MAX = 1_000
SECONDS_MAX = 10.0
SPANS_WAITING_MAX = 16_384
"""As in our services: the default of 2,048 would drop spans under load, and what is dropped costs nothing."""


class Vapi(Protocol):
    """The three calls. JSON in and out; raises for any answer that is no success."""

    async def create_tool(self, payload: Mapping[str, object]) -> dict[str, Any]:
        """``POST /tool``."""

    async def get_assistant(self, assistant_id: str) -> dict[str, Any]:
        """``GET /assistant/{id}``."""

    async def update_assistant(self, assistant_id: str, changes: Mapping[str, object]) -> dict[str, Any]:
        """``PATCH /assistant/{id}``."""

    async def close(self) -> None:
        """Close all connections."""


@dataclass(frozen=True, slots=True)
class Client:
    """A way to call Vapi, and the tracer of the same kind; ``flush`` exports what spans are left."""

    vapi: Vapi
    tracer: Tracer
    flush: Callable[[], Awaitable[None]]


class HttpxVapi:
    """The calls as one writes them with httpx: one client, one span a call."""

    def __init__(self, base_url: str, key: str, tracer: Tracer) -> None:
        self._tracer = tracer
        self._http = httpx.AsyncClient(
            base_url=base_url,
            headers={"authorization": f"Bearer {key}"},
            timeout=SECONDS_MAX,
            transport=AiohttpTransport(limits=httpx.Limits(max_connections=CONNECTIONS_MAX)),
        )

    async def create_tool(self, payload: Mapping[str, object]) -> dict[str, Any]:
        """See :class:`Vapi`."""
        return await self._json("POST", "/tool", "/tool", payload)

    async def get_assistant(self, assistant_id: str) -> dict[str, Any]:
        """See :class:`Vapi`."""
        return await self._json("GET", "/assistant/{id}", f"/assistant/{assistant_id}")

    async def update_assistant(self, assistant_id: str, changes: Mapping[str, object]) -> dict[str, Any]:
        """See :class:`Vapi`."""
        return await self._json("PATCH", "/assistant/{id}", f"/assistant/{assistant_id}", changes)

    async def close(self) -> None:
        """See :class:`Vapi`."""
        await self._http.aclose()

    async def _json(
        self, method: str, route: str, path: str, body: Mapping[str, object] | None = None
    ) -> dict[str, Any]:
        attributes = {telemetry.HTTP_METHOD: method, telemetry.HTTP_ROUTE: route}
        with self._tracer.start_as_current_span(
            f"{method} {route}", kind=SpanKind.CLIENT, attributes=attributes
        ) as span:
            answer = await self._http.request(method, path, json=body)
            span.set_attribute("http.response.status_code", answer.status_code)
            answer.raise_for_status()
            found: dict[str, Any] = answer.json()
            return found


def as_one_writes_it() -> Client:
    """httpx and the SDK's own spans."""
    provider = TracerProvider(resource=Resource.create({"service.name": "plain-handler"}))
    exporter = OTLPSpanExporter(endpoint=f"{os.environ['OTEL_EXPORTER_OTLP_ENDPOINT']}/v1/traces")
    provider.add_span_processor(BatchSpanProcessor(exporter, max_queue_size=SPANS_WAITING_MAX))
    tracer = provider.get_tracer("plain_handler")

    async def flush() -> None:
        provider.shutdown()

    return Client(HttpxVapi(os.environ["VAPI_BASE_URL"], os.environ["VAPI_API_KEY"], tracer), tracer, flush)


def ours(*, traced: bool = True) -> Client:
    """The services' client and spans; without ``traced`` there are none."""
    tracing = telemetry.set_up(os.environ["OTEL_EXPORTER_OTLP_ENDPOINT"]) if traced else off()
    vapi = VapiClient(
        os.environ["VAPI_BASE_URL"],
        lambda: os.environ["VAPI_API_KEY"],
        account="platform",
        deadline_seconds=SECONDS_MAX,
        transport=PooledTransport(CONNECTIONS_MAX),
        telemetry=tracing,
    )
    return Client(vapi, tracing.tracer, tracing.shutdown)


CLIENTS: Mapping[str, Callable[[], Client]] = {"httpx": as_one_writes_it, "ours": ours}
