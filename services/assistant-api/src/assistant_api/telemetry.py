"""Traces: one provider, passed down; the names of spans; W3C `traceparent` in and out of rows and headers.

Every hop takes its parent from what was stored (a row, a header), never from an ambient context: loops are started in
an empty one. Without an endpoint spans are still made, because their ids are answered, stored and sent on.
"""

import asyncio
import contextvars
from collections.abc import Coroutine, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final

from opentelemetry.context import Context
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter
from opentelemetry.sdk.trace.sampling import ALWAYS_ON
from opentelemetry.trace import Link, Span, SpanKind, Status, StatusCode, Tracer, format_trace_id, get_current_span
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator
from opentelemetry.util.types import AttributeValue

SERVICE_NAME: Final = "assistant-api"

_PROPAGATOR: Final = TraceContextTextMapPropagator()


@dataclass(frozen=True, slots=True)
class Telemetry:
    """The tracer of this service and what ends it."""

    tracer: Tracer
    provider: TracerProvider

    @contextmanager
    def span(
        self,
        name: str,
        *,
        parent: Context | None = None,
        kind: SpanKind = SpanKind.INTERNAL,
        links: Sequence[Link] | None = None,
        attributes: Mapping[str, AttributeValue] | None = None,
    ) -> Iterator[Span]:
        """A span that is the current one within the block; without ``parent``, a child of the one that is.

        An exception leaves its type only: its text may hold what belongs to a patient, and its stack is in the log. To
        format one for each of 200 steps that lose the database together held up the event loop for a tenth of a second.
        """
        with self.tracer.start_as_current_span(
            name,
            parent,
            kind=kind,
            links=links,
            attributes=attributes,
            record_exception=False,
            set_status_on_exception=False,
        ) as span:
            try:
                yield span
            except Exception as error:
                span.set_attribute("error.type", type(error).__name__)
                span.set_status(Status(StatusCode.ERROR))
                raise

    async def stop(self, timeout_seconds: float = 2) -> None:
        """Export what is left; gives up after ``timeout_seconds``, as the exporter knows no deadline."""
        try:
            async with asyncio.timeout(timeout_seconds):
                await asyncio.to_thread(self.provider.shutdown)
        except TimeoutError:
            return


def build(endpoint: str | None, *, exporter: SpanExporter | None = None, instance: str = "") -> Telemetry:
    """Make the provider. Spans go to ``exporter`` where one is given, else to the OTLP ``endpoint``, else nowhere.

    Every request is sampled whatever the caller's flag says: a flag from outside must not hide a save.
    """
    resource = Resource.create({"service.name": SERVICE_NAME, "service.instance.id": instance})
    provider = TracerProvider(resource=resource, sampler=ALWAYS_ON, shutdown_on_exit=False)
    if exporter is None and endpoint is not None:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter  # slow import, rarely needed

        exporter = OTLPSpanExporter(endpoint=f"{endpoint}/v1/traces")
    if exporter is not None:
        provider.add_span_processor(BatchSpanProcessor(exporter, schedule_delay_millis=500))
    return Telemetry(provider.get_tracer(SERVICE_NAME), provider)


def parent_of(traceparent: str | None) -> Context:
    """The context that a stored ``traceparent`` names; an empty one where it is missing or malformed."""
    if not traceparent:
        return Context()
    return _PROPAGATOR.extract({"traceparent": traceparent}, context=Context())


def parent_from_headers(headers: Mapping[str, str]) -> Context:
    """The context that a request came with. Baggage and tracestate stay outside."""
    return parent_of(headers.get("traceparent"))


def links_to(traceparents: list[str]) -> list[Link]:
    """Links to the spans that these name."""
    contexts = [get_current_span(parent_of(text)).get_span_context() for text in traceparents]
    return [Link(context) for context in contexts if context.is_valid]


def traceparent_of(span: Span) -> str:
    """The W3C form of a span's context, for a row or a header."""
    context = span.get_span_context()
    return f"00-{context.trace_id:032x}-{context.span_id:016x}-{context.trace_flags:02x}"


def trace_id_of(span: Span) -> str:
    """The trace id, 32 hex digits."""
    return format_trace_id(span.get_span_context().trace_id)


def trace_id_in(traceparent: str | None) -> str | None:
    """The trace id of a stored ``traceparent``, or None where there is none that is valid."""
    context = get_current_span(parent_of(traceparent)).get_span_context()
    return format_trace_id(context.trace_id) if context.is_valid else None


def start_loop(loop: Coroutine[Any, Any, None], name: str) -> asyncio.Task[None]:
    """Start a loop in an empty context, so that its spans belong to nobody's request."""
    return asyncio.create_task(loop, name=name, context=contextvars.Context())
