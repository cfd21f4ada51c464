"""Spans: what an exception leaves in them."""

import pytest
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import StatusCode

from assistant_api.telemetry import set_up
from zerotouch_platform.telemetry import Telemetry


@pytest.fixture
def exported() -> InMemorySpanExporter:
    """What was exported."""
    return InMemorySpanExporter()


@pytest.fixture
def telemetry(exported: InMemorySpanExporter) -> Telemetry:
    """Spans are exported at once."""
    telemetry = set_up(None)
    assert telemetry.provider is not None
    telemetry.provider.add_span_processor(SimpleSpanProcessor(exported))
    return telemetry


def test_an_exception_leaves_its_type_and_neither_its_text_nor_its_stack(
    telemetry: Telemetry, exported: InMemorySpanExporter
) -> None:
    with pytest.raises(ValueError, match="Erika"), telemetry.span("work"):
        raise ValueError("Erika Mustermann, +49 89 123")

    [span] = exported.get_finished_spans()
    assert span.status.status_code is StatusCode.ERROR
    assert dict(span.attributes or {}) == {"error.type": "ValueError"}
    assert "Erika" not in span.to_json()
    assert span.events == ()


def test_a_span_is_the_parent_of_what_begins_within_it(telemetry: Telemetry, exported: InMemorySpanExporter) -> None:
    with telemetry.span("outer") as outer, telemetry.span("inner"):
        pass

    inner, _ = exported.get_finished_spans()
    assert inner.parent is not None
    assert inner.parent.span_id == outer.get_span_context().span_id
    assert inner.status.status_code is StatusCode.UNSET
