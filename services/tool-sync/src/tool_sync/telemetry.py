"""Tracing: its set-up, the names of spans and attributes, and how a trace is carried on.

A trace never travels by the ambient context between loops: every hop takes the ``traceparent`` that was stored with
the record or event, and starts its span with that parent. Loops are started by :func:`start_loop`, which gives them an
empty context, as ``asyncio.create_task`` would otherwise put every later span into the trace of whoever started them.

Without an endpoint nothing is exported and a "span" only hands its parent's ``traceparent`` on.
Names: OpenTelemetry messaging conventions, status Development, read 2026-11-24.
"""

import asyncio
import contextvars
import threading
from collections.abc import Coroutine, Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from importlib.metadata import version
from typing import Any, Final, TypeVar

from opentelemetry.context import Context, attach
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import SpanLimits, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter
from opentelemetry.trace import (
    INVALID_SPAN,
    Link,
    NonRecordingSpan,
    NoOpTracer,
    Span,
    SpanContext,
    SpanKind,
    TraceFlags,
    Tracer,
    get_current_span,
    set_span_in_context,
)
from opentelemetry.util.types import AttributeValue

T = TypeVar("T")

SERVICE_NAME: Final = "tool-sync"
SERVICE_VERSION: Final = version("zerotouch-tool-sync")
SHUTDOWN_SECONDS_MAX: Final = 3.0
LINKS_MAX: Final = 128

# Attributes.
MESSAGING_SYSTEM: Final = "messaging.system"
MESSAGING_OPERATION_NAME: Final = "messaging.operation.name"
MESSAGING_OPERATION_TYPE: Final = "messaging.operation.type"
MESSAGING_DESTINATION: Final = "messaging.destination.name"
MESSAGING_PARTITION: Final = "messaging.destination.partition.id"
MESSAGING_GROUP: Final = "messaging.consumer.group.name"
MESSAGING_BATCH_COUNT: Final = "messaging.batch.message_count"
MESSAGING_MESSAGE_ID: Final = "messaging.message.id"
MESSAGING_OFFSET: Final = "messaging.kafka.offset"
ERROR_TYPE: Final = "error.type"
HTTP_METHOD: Final = "http.request.method"
HTTP_STATUS: Final = "http.response.status_code"
HTTP_ROUTE: Final = "url.template"
ERROR_CODE: Final = "error.code"
ORG_ID: Final = "org_id"
AGENT_ID: Final = "agent_id"
AGENT_IDS: Final = "agent_ids"
ASSISTANT_ID: Final = "assistant_id"

SYNC_SPAN: Final = "sync org"
"""One run of one org: what the reconciler does for the saves that it settles."""
SETTLED_SPAN: Final = "settled"
"""The end of a save's trace where the run that settled it belongs to another save's; it links to that run."""

_NO_CONTEXT: Final = Context()
_HEX: Final = frozenset("0123456789abcdef")


def process_span_name(topic: str) -> str:
    """The name of the span for one record that is taken in."""
    return f"process {topic}"


def batch_span_name(topic: str) -> str:
    """The name of the span for the one append of a batch of records."""
    return f"receive {topic}"


def send_span_name(topic: str) -> str:
    """The name of the span for one record that is published."""
    return f"send {topic}"


def parent_context(traceparent: str | None) -> Context:
    """The context that continues ``traceparent``; an empty one, never the ambient one, without a well-formed one."""
    span = _span_context(traceparent)
    return _NO_CONTEXT if span is None else set_span_in_context(NonRecordingSpan(span), _NO_CONTEXT)


@lru_cache(maxsize=4096)
def _span_context(traceparent: str | None) -> SpanContext | None:
    """A W3C ``traceparent``, read by hand: the SDK's propagator costs a tenth of a sync, as each hop needs it."""
    parts = (traceparent or "").split("-")
    if len(parts) < 4 or [len(part) for part in parts[:4]] != [2, 32, 16, 2] or parts[0] == "ff":
        return None
    if not all(_HEX.issuperset(part) for part in parts[:4]) or (parts[0] == "00" and len(parts) > 4):
        return None
    context = SpanContext(
        int(parts[1], 16), int(parts[2], 16), is_remote=True, trace_flags=TraceFlags(int(parts[3], 16))
    )
    return context if context.is_valid else None


def traceparent_of(span: Span) -> str | None:
    """The ``traceparent`` that makes others continue this span; None where it belongs to no trace."""
    context = span.get_span_context()
    if not context.is_valid:
        return None
    return f"00-{context.trace_id:032x}-{context.span_id:016x}-{context.trace_flags:02x}"


def trace_id_of(traceparent: str | None) -> str | None:
    """The trace id, 32 hex digits, of a well-formed ``traceparent``; else None."""
    context = _span_context(traceparent)
    return None if context is None else f"{context.trace_id:032x}"


def valid_traceparent(traceparent: str | None) -> str | None:
    """The ``traceparent`` where it is well-formed, normalised; else None."""
    context = _span_context(traceparent)
    return None if context is None else traceparent_of(NonRecordingSpan(context))


@dataclass(frozen=True, slots=True)
class Telemetry:
    """Starts spans. ``enabled`` is False where nothing is exported: then costly attributes need not be computed."""

    tracer: Tracer
    enabled: bool
    provider: TracerProvider | None = None

    def start(
        self,
        name: str,
        *,
        kind: SpanKind = SpanKind.INTERNAL,
        traceparent: str | None = None,
        linked: Iterable[str | None] = (),
        attributes: Mapping[str, AttributeValue] | None = None,
    ) -> Span:
        """Start a span whose parent is ``traceparent`` (a root span without one), linked to ``linked``.

        It is not made current and must be ended by the caller. When tracing is off it is a span that records nothing
        and carries the parent's identity, so that what is passed on stays in the caller's trace.
        """
        parent = parent_context(traceparent)
        if not self.enabled:
            return get_current_span(parent)
        contexts = (_span_context(other) for other in linked)
        links = [Link(context) for context in contexts if context is not None]
        return self.tracer.start_span(name, context=parent, kind=kind, links=links, attributes=attributes)

    def start_child(self, name: str, *, kind: SpanKind, attributes: Mapping[str, AttributeValue]) -> Span:
        """Start a span whose parent is the current span. Not made current; ended by the caller."""
        if not self.enabled:
            return INVALID_SPAN
        return self.tracer.start_span(name, kind=kind, attributes=attributes)

    async def shutdown(self) -> None:
        """Export what is left, for at most 3 s; the last spans are lost where the collector does not answer in time."""
        if self.provider is None:
            return
        loop, done = asyncio.get_running_loop(), asyncio.Event()
        provider = self.provider

        def export_and_tell() -> None:
            provider.shutdown()
            if not loop.is_closed():
                loop.call_soon_threadsafe(done.set)

        # The exporter blocks. A daemon thread, as the end of a process waits for every thread of an executor.
        threading.Thread(target=export_and_tell, name="telemetry shutdown", daemon=True).start()
        try:
            async with asyncio.timeout(SHUTDOWN_SECONDS_MAX):
                await done.wait()
        except TimeoutError:
            return


def set_up(endpoint: str | None, *, exporter: SpanExporter | None = None) -> Telemetry:
    """Tracing to an OTLP endpoint (http/protobuf; ``/v1/traces`` is appended), to ``exporter``, or off with neither."""
    if exporter is None:
        if endpoint is None:
            return off()
        # Imported here: it brings requests and protobuf, which a process without tracing need not hold.
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter

        exporter = OTLPSpanExporter(endpoint=f"{endpoint.rstrip('/')}/v1/traces", timeout=SHUTDOWN_SECONDS_MAX)
    provider = TracerProvider(
        resource=Resource.create({"service.name": SERVICE_NAME, "service.version": SERVICE_VERSION}),
        span_limits=SpanLimits(max_links=LINKS_MAX),
        shutdown_on_exit=False,
    )
    provider.add_span_processor(
        BatchSpanProcessor(exporter, max_queue_size=16384, max_export_batch_size=512, schedule_delay_millis=1000)
    )
    return Telemetry(provider.get_tracer("tool_sync", SERVICE_VERSION), enabled=True, provider=provider)


def off() -> Telemetry:
    """Tracing that records nothing and passes every trace on."""
    return Telemetry(NoOpTracer(), enabled=False)


def context_of(span: Span) -> contextvars.Context:
    """A context for tasks in which ``span`` is the current span, and nothing else is set."""
    context = contextvars.Context()
    context.run(attach, set_span_in_context(span, Context()))
    return context


def start_loop(coroutine: Coroutine[Any, Any, T], *, name: str) -> asyncio.Task[T]:
    """A task with an empty context, so that none of its spans lands in the trace of whoever started it."""
    return asyncio.create_task(coroutine, name=name, context=contextvars.Context())
