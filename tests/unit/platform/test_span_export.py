"""The bytes of exported spans, read back by OpenTelemetry's own classes beside those of its own encoder."""

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import Event, ReadableSpan
from opentelemetry.sdk.trace.export import SpanExportResult
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import Link, SpanContext, SpanKind, Status, StatusCode, TraceFlags, TraceState

from zerotouch_platform.span_export import OtlpExporter, encode

TEXTS = st.text(st.characters(codec="utf-8"), max_size=200)
SCALARS = st.one_of(TEXTS, st.booleans(), st.integers(-(2**63), 2**63 - 1), st.floats(allow_nan=False))
VALUES = st.one_of(
    SCALARS, st.lists(TEXTS, max_size=4), st.lists(st.integers(-5, 300), max_size=4), st.binary(max_size=9)
)
ATTRIBUTES = st.dictionaries(TEXTS, VALUES, max_size=4)
STATES = st.sampled_from([TraceState(), TraceState([("a", "1"), ("b", "2")])])
CONTEXTS = st.builds(
    SpanContext,
    st.integers(1, 2**128 - 1),
    st.integers(1, 2**64 - 1),
    st.booleans(),
    st.just(TraceFlags(1)),
    STATES,
)
RESOURCES = (Resource({"service.name": "tool-sync", "n": 1}, "https://schema.test/1"), Resource({"service.name": "x"}))
SCOPES = (InstrumentationScope("tool_sync", "1.2"), InstrumentationScope("other"))
TIMES = st.integers(0, 2**63)
STATUSES = st.one_of(
    st.sampled_from([Status(StatusCode.UNSET), Status(StatusCode.OK)]),
    st.builds(Status, st.just(StatusCode.ERROR), TEXTS),
)


@st.composite
def spans(draw: st.DrawFn) -> ReadableSpan:
    return ReadableSpan(
        name=draw(TEXTS),
        context=draw(CONTEXTS),
        parent=draw(st.none() | CONTEXTS),
        resource=RESOURCES[0],
        attributes=draw(ATTRIBUTES),
        events=[Event(draw(TEXTS), draw(ATTRIBUTES), draw(TIMES)) for _ in range(draw(st.integers(0, 2)))],
        links=[Link(draw(CONTEXTS), draw(ATTRIBUTES)) for _ in range(draw(st.integers(0, 2)))],
        kind=draw(st.sampled_from(SpanKind)),
        instrumentation_scope=SCOPES[0],
        status=draw(STATUSES),
        start_time=draw(TIMES),
        end_time=draw(TIMES),
    )


def read(body: bytes) -> ExportTraceServiceRequest:
    request: ExportTraceServiceRequest = ExportTraceServiceRequest.FromString(body)
    return request


@given(st.lists(spans(), max_size=5))
def test_what_is_exported_reads_as_what_opentelemetry_would_have_exported(made: list[ReadableSpan]) -> None:
    assert read(encode(made)) == read(encode_spans(made).SerializeToString())


def test_spans_stay_with_the_resource_and_the_scope_that_made_them() -> None:
    context = SpanContext(1, 2, is_remote=False)
    made = [
        ReadableSpan(
            f"{resource.attributes['service.name']!s} {scope.name}",
            context,
            None,
            resource,
            instrumentation_scope=scope,
        )
        for scope in SCOPES
        for resource in RESOURCES
    ]
    found = {
        (of.resource.attributes[0].value.string_value, scoped.scope.name, span.name)
        for of in read(encode(made)).resource_spans
        for scoped in of.scope_spans
        for span in scoped.spans
    }
    assert found == {(n, s, f"{n} {s}") for n in ("tool-sync", "x") for s in ("tool_sync", "other")}


def test_half_an_emoji_in_one_span_does_not_cost_the_others() -> None:
    context = SpanContext(1, 2, is_remote=False)
    made = [
        ReadableSpan(name, context, resource=RESOURCES[0], attributes={"said": name})
        for name in ("half \ud83d", "whole")
    ]
    names = [span.name for span in read(encode(made)).resource_spans[0].scope_spans[0].spans]
    assert names == ["half \\ud83d", "whole"]


@contextmanager
def collector(statuses: Sequence[int]) -> Iterator[tuple[str, list[tuple[str, bytes]]]]:
    received: list[tuple[str, bytes]] = []
    rest = list(statuses)

    class Collector(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            received.append((self.headers["content-type"], body))
            self.send_response(rest.pop(0))
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Collector)
    serving = threading.Thread(target=server.serve_forever, daemon=True)
    serving.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/v1/traces", received
    finally:
        server.shutdown()
        server.server_close()
        serving.join()


@pytest.mark.parametrize(
    ("statuses", "result"),
    [((200,), SpanExportResult.SUCCESS), ((503, 200), SpanExportResult.SUCCESS), ((400,), SpanExportResult.FAILURE)],
)
def test_a_batch_is_sent_repeated_and_given_up_as_opentelemetry_does(
    statuses: tuple[int, ...], result: SpanExportResult
) -> None:
    made = [ReadableSpan("one", SpanContext(1, 2, is_remote=False))]
    with collector(statuses) as (url, received):
        exporter = OtlpExporter(endpoint=url, timeout=10)
        assert exporter.export(made) is result
        exporter.shutdown()  # type: ignore[no-untyped-call]
        assert exporter.export(made) is SpanExportResult.FAILURE
    assert received == [("application/x-protobuf", encode(made))] * len(statuses)
