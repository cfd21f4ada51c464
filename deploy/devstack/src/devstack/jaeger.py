"""Jaeger 2, where there is a `jaeger` binary on the PATH or in `JAEGER_BIN`: one process, traces in memory."""

import os
import secrets
import shutil
import time
from dataclasses import dataclass
from pathlib import Path

import httpx

from devstack import process
from devstack.errors import NotPossible
from devstack.ports import HOST, listening

OTLP_PORT, UI_PORT = 4318, 16686  # the binary's own defaults, which its built-in configuration names
START_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class Jaeger:
    """A running Jaeger: where spans go (OTLP over HTTP) and where the pages are."""

    otlp_endpoint: str
    ui_url: str
    child: process.Child


def binary() -> str | None:
    """Returns the Jaeger binary to use, or None; raises `NotPossible` where `JAEGER_BIN` names none."""
    given = os.environ.get("JAEGER_BIN")
    if given and shutil.which(given) is None:
        raise NotPossible(f"JAEGER_BIN={given} is not a program")
    return given or shutil.which("jaeger")


async def start(program: str, *, log: Path, detached: bool = False) -> Jaeger:
    """Starts Jaeger on its default ports; returns once a span that was sent can be read back."""
    for port in (OTLP_PORT, UI_PORT):
        if await listening(port):
            raise NotPossible(
                f"port {port} is taken, so Jaeger cannot start; to use the Jaeger that runs there, "
                f"set OTEL_EXPORTER_OTLP_ENDPOINT=http://{HOST}:{OTLP_PORT}"
            )
    child = process.start("Jaeger", [program], log=log, detached=detached)
    jaeger = Jaeger(f"http://{HOST}:{OTLP_PORT}", f"http://{HOST}:{UI_PORT}", child)
    trace_id = secrets.token_hex(16)
    await child.ready(lambda: _not_answering(jaeger, trace_id), START_SECONDS)
    return jaeger


async def _not_answering(jaeger: Jaeger, trace_id: str) -> str | None:
    now = str(time.time_ns())
    span = {
        "traceId": trace_id,
        "spanId": trace_id[:16],
        "name": "devstack health check",
        "kind": 1,
        "startTimeUnixNano": now,
        "endTimeUnixNano": now,
    }
    service = {"attributes": [{"key": "service.name", "value": {"stringValue": "devstack"}}]}
    body = {"resourceSpans": [{"resource": service, "scopeSpans": [{"spans": [span]}]}]}
    try:
        async with httpx.AsyncClient(timeout=5) as client:
            sent = await client.post(f"{jaeger.otlp_endpoint}/v1/traces", json=body)
            read = await client.get(f"{jaeger.ui_url}/api/traces/{trace_id}")
    except httpx.HTTPError as error:
        return f"{type(error).__name__}: {error}"
    if sent.status_code != 200 or read.status_code != 200:
        return f"sending a span answers {sent.status_code}, reading it {read.status_code}"
    return None
