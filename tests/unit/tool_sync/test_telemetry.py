"""How a trace is carried on, with tracing and without."""

import asyncio
import threading
import time

import pytest
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import get_current_span, use_span

from tool_sync import telemetry
from zerotouch_platform.telemetry import off, start_loop
from zerotouch_platform.traceparent import trace_id_of, traceparent_of, valid_traceparent

TRACE = "0af7651916cd43dd8448eb211c80319c"
TRACEPARENT = f"00-{TRACE}-b7ad6b7169203331-01"
MALFORMED = [
    None,
    "",
    "garbage",
    f"00-{'0' * 32}-b7ad6b7169203331-01",
    f"00-{TRACE}-{'0' * 16}-01",
    f"00-{TRACE.upper()}-b7ad6b7169203331-01",
    f"ff-{TRACE}-b7ad6b7169203331-01",
    TRACEPARENT + "-more",
    TRACEPARENT + "\n",
]


def test_a_well_formed_traceparent_names_its_trace() -> None:
    assert valid_traceparent(TRACEPARENT) == TRACEPARENT
    assert trace_id_of(TRACEPARENT) == TRACE


@pytest.mark.parametrize("traceparent", MALFORMED)
def test_a_malformed_traceparent_is_no_trace(traceparent: str | None) -> None:
    assert valid_traceparent(traceparent) is None
    assert trace_id_of(traceparent) is None


async def test_a_span_continues_its_parent_and_links() -> None:
    exporter = InMemorySpanExporter()
    tracing = telemetry.set_up(None, exporter=exporter)
    span = tracing.start("work", traceparent=TRACEPARENT, linked=[TRACEPARENT, None, "garbage"])
    assert trace_id_of(traceparent_of(span)) == TRACE
    span.end()
    await tracing.shutdown()
    (finished,) = exporter.get_finished_spans()
    assert finished.parent is not None
    assert f"{finished.parent.span_id:016x}" == "b7ad6b7169203331"
    assert [f"{link.context.trace_id:032x}" for link in finished.links] == [TRACE]
    assert finished.resource.attributes["service.name"] == "tool-sync"


async def test_the_ambient_span_is_never_a_parent() -> None:
    exporter = InMemorySpanExporter()
    tracing = telemetry.set_up(None, exporter=exporter)
    ambient = tracing.start("ambient")
    with use_span(ambient):
        root = tracing.start("root")

        async def current() -> bool:
            return get_current_span().get_span_context().is_valid

        assert not await start_loop(current(), name="loop")
        assert await asyncio.create_task(current())
    root.end()
    await tracing.shutdown()
    (finished,) = exporter.get_finished_spans()
    assert finished.parent is None


def test_without_tracing_a_span_hands_its_parents_trace_on() -> None:
    tracing = off()
    assert not tracing.enabled
    assert traceparent_of(tracing.start("work", traceparent=TRACEPARENT)) == TRACEPARENT
    assert traceparent_of(tracing.start("work")) is None


async def test_a_collector_that_is_away_holds_the_stop_up_for_three_seconds_at_most() -> None:
    never = threading.Event()

    class Away(SpanExporter):
        def export(self, spans: object) -> SpanExportResult:
            never.wait(30)
            return SpanExportResult.FAILURE

    tracing = telemetry.set_up(None, exporter=Away())
    tracing.start("work").end()
    began = time.monotonic()
    await tracing.shutdown()
    assert 2.5 < time.monotonic() - began < 4
    never.set()
