"""This service's tracing: its set-up, and the names of its spans and attributes.

Without an endpoint nothing is exported and a "span" only hands its parent's ``traceparent`` on.
Names: OpenTelemetry messaging conventions, status Development, read 2026-11-24.
"""

from typing import Final

from opentelemetry.sdk.trace.export import SpanExporter

from tool_sync.release import SERVICE_VERSION
from zerotouch_platform import telemetry
from zerotouch_platform.telemetry import Telemetry
from zerotouch_platform.worker import Worker, instance_id

SERVICE_NAME: Final = "tool-sync"

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
HTTP_ROUTE: Final = "url.template"
ERROR_CODE: Final = "error.code"
ORG_ID: Final = "org_id"
ROLLOUT_ID: Final = "rollout_id"
AGENT_IDS: Final = "agent_ids"
ASSISTANT_ID: Final = "assistant_id"

SYNC_SPAN: Final = "sync org"
"""One run of one org: what the reconciler does for the saves that it settles."""
SETTLED_SPAN: Final = "settled"
"""The end of a save's trace where the run that settled it belongs to another save's; it links to that run."""


def set_up(endpoint: str | None, *, exporter: SpanExporter | None = None, worker: Worker | None = None) -> Telemetry:
    """Tracing to an OTLP endpoint, to ``exporter``, or off with neither. The caller's flag decides what is sampled."""
    if endpoint is None and exporter is None:
        return telemetry.off()
    return telemetry.set_up("tool_sync", resource_of(worker), endpoint, exporter=exporter)


def resource_of(worker: Worker | None) -> dict[str, str]:
    """This process, as spans and metrics name it."""
    return {
        "service.name": SERVICE_NAME,
        "service.version": SERVICE_VERSION,
        "service.instance.id": instance_id(worker),
    }


def process_span_name(topic: str) -> str:
    """The name of the span for one record that is taken in."""
    return f"process {topic}"


def batch_span_name(topic: str) -> str:
    """The name of the span for the one append of a batch of records."""
    return f"receive {topic}"


def send_span_name(topic: str) -> str:
    """The name of the span for one record that is published."""
    return f"send {topic}"
