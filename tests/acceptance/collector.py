"""A collector of spans and gauges for tests: the part of OTLP over HTTP that the services' exporters speak.

It serves in a thread of its own, because the tests' event loop stands still between two tests.
"""

import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)


@dataclass(frozen=True, slots=True)
class CollectedSpan:
    """A span as it was exported; ids in hexadecimal, `parent_id` empty for a root, `raw` its protobuf bytes."""

    service: str
    name: str
    trace_id: str
    span_id: str
    parent_id: str
    kind: int
    raw: bytes


class Collector:
    """Keeps every exported span, in the order of arrival, and the newest value of every gauge.

    Field: endpoint (a base URL).
    """

    def __init__(self, endpoint: str) -> None:
        self.endpoint = endpoint
        self._spans: list[CollectedSpan] = []
        self._gauges: dict[tuple[str, str], float] = {}
        self._lock = threading.Lock()

    def take(self, body: bytes) -> None:
        """Decode one export request and keep its spans; raises `DecodeError` for anything else."""
        found = list(_spans_of(ExportTraceServiceRequest.FromString(body)))
        with self._lock:
            self._spans += found

    def take_gauges(self, body: bytes) -> None:
        """Decode one export request and keep its gauges; raises `DecodeError` for anything else."""
        found = dict(_gauges_of(ExportMetricsServiceRequest.FromString(body)))
        with self._lock:
            self._gauges |= found

    def gauges(self) -> dict[tuple[str, str], float]:
        """The newest values, by service and name."""
        with self._lock:
            return dict(self._gauges)

    def spans(self, trace_id: str | None = None) -> list[CollectedSpan]:
        """All spans so far, or those of one trace."""
        with self._lock:
            return [span for span in self._spans if trace_id in (None, span.trace_id)]


@contextmanager
def collecting(tls: ssl.SSLContext | None = None) -> Iterator[Collector]:
    """Lends a collector on a free port of the loopback interface, behind TLS where a context is given."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            assert self.path in ("/v1/traces", "/v1/metrics"), self.path
            assert self.headers["content-type"] == "application/x-protobuf", self.headers["content-type"]
            if self.path == "/v1/traces":
                collector.take(body)
            else:
                collector.take_gauges(body)
            answer = ExportTraceServiceResponse().SerializeToString()  # an empty message, as of metrics
            self.send_response(200)
            self.send_header("content-type", "application/x-protobuf")
            self.send_header("content-length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class' name
            """Requests are no news; what they bring is looked at."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    if tls is not None:  # each connection shakes hands in its own thread, and a stranger's failure is its alone
        server.socket = tls.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
        server.handle_error = lambda *_: None  # type: ignore[method-assign]
    collector = Collector(f"{'http' if tls is None else 'https'}://127.0.0.1:{server.server_address[1]}")
    thread = threading.Thread(target=server.serve_forever, name="collector", daemon=True)
    thread.start()
    try:
        yield collector
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def _spans_of(request: ExportTraceServiceRequest) -> Iterator[CollectedSpan]:
    for resource in request.resource_spans:
        attributes = {item.key: item.value.string_value for item in resource.resource.attributes}
        for scope in resource.scope_spans:
            for span in scope.spans:
                yield CollectedSpan(
                    service=attributes["service.name"],
                    name=span.name,
                    trace_id=span.trace_id.hex(),
                    span_id=span.span_id.hex(),
                    parent_id=span.parent_span_id.hex(),
                    kind=int(span.kind),
                    raw=span.SerializeToString(),
                )


def _gauges_of(request: ExportMetricsServiceRequest) -> Iterator[tuple[tuple[str, str], float]]:
    for resource in request.resource_metrics:
        attributes = {item.key: item.value.string_value for item in resource.resource.attributes}
        for scope in resource.scope_metrics:
            for metric in scope.metrics:
                for point in metric.gauge.data_points:
                    value = point.as_double if point.WhichOneof("value") == "as_double" else float(point.as_int)
                    yield (attributes["service.name"], metric.name), value
