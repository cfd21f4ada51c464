"""This service's tracing: spans are always made, as their ids are answered, stored and sent on."""

from typing import Final

from opentelemetry.sdk.trace.export import SpanExporter
from opentelemetry.sdk.trace.sampling import ALWAYS_ON
from opentelemetry.trace import Span, format_trace_id

from zerotouch_platform import telemetry
from zerotouch_platform.telemetry import Telemetry
from zerotouch_platform.traceparent import written
from zerotouch_platform.worker import Worker, instance_id

SERVICE_NAME: Final = "assistant-api"


def set_up(endpoint: str | None, *, exporter: SpanExporter | None = None, worker: Worker | None = None) -> Telemetry:
    """Tracing to ``exporter`` where one is given, else to the OTLP ``endpoint``, else to nowhere.

    Every request is sampled whatever the caller's flag says: a flag from outside must not hide a save.
    """
    return telemetry.set_up(SERVICE_NAME, resource_of(worker), endpoint, exporter=exporter, sampler=ALWAYS_ON)


def resource_of(worker: Worker | None) -> dict[str, str]:
    """This process, as spans and counters name it."""
    return {"service.name": SERVICE_NAME, "service.instance.id": instance_id(worker)}


def own_traceparent(span: Span) -> str:
    """The ``traceparent`` of a span of this service, which has one always."""
    return written(span.get_span_context())


def own_trace_id(span: Span) -> str:
    """The trace id, 32 hex digits, of a span of this service."""
    return format_trace_id(span.get_span_context().trace_id)
