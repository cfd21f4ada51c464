"""Spans as OTLP's protobuf, written without a message object for each of their parts.

OpenTelemetry's exporter makes six Python objects per span and serialises them: a tenth of what a sync costs. It still
sends, repeats and gives up here, with its own configuration; only the bytes are made here (opentelemetry-proto 1.x,
``ExportTraceServiceRequest``). A test reads them back beside those of its own encoder.
"""

import struct
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Any, Final

from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import Event, ReadableSpan
from opentelemetry.sdk.trace.export import SpanExportResult
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import Link, SpanContext, Status

_LOCAL: Final = b"\x00\x01\x00\x00"
_REMOTE: Final = b"\x00\x03\x00\x00"
"""Flags of a span: where its parent is, after the bit that says that this is known."""
_ONE_BYTE: Final = tuple(bytes((size,)) for size in range(128))
_fixed64: Final = struct.Struct("<Q").pack
_times: Final = struct.Struct("<BQBQ").pack
_double: Final = struct.Struct("<d").pack


class OtlpExporter(OTLPSpanExporter):
    """The exporter of OTLP over http with these bytes as its body."""

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """Send a batch; FAILURE where it is lost."""
        if self._shutdown:
            return SpanExportResult.FAILURE
        sent = self._client.export(encode(spans))
        return SpanExportResult.SUCCESS if sent.success else SpanExportResult.FAILURE


def encode(spans: Iterable[ReadableSpan]) -> bytes:
    """An ``ExportTraceServiceRequest``: spans by the resource and the scope that made them."""
    # By identity: a resource's hash is made anew each time, of all its attributes as JSON.
    grouped: dict[tuple[int, int], tuple[ReadableSpan, list[bytes]]] = {}
    for span in spans:
        key = (id(span.resource), id(span.instrumentation_scope))
        if key not in grouped:
            grouped[key] = (span, [])
        grouped[key][1].append(_span(span))
    return b"".join(
        _delimited(b"\x0a", _resource_spans(first.resource, first.instrumentation_scope, made))
        for first, made in grouped.values()
    )


def _resource_spans(resource: Resource, scope: InstrumentationScope | None, spans: Iterable[bytes]) -> bytes:
    named = b"" if scope is None else _scope(scope)
    url = b"" if scope is None else _text(b"\x1a", scope.schema_url or "")
    made = _delimited(b"\x12", b"".join((_delimited(b"\x0a", named), *spans, url)))
    return _delimited(b"\x0a", _attributes(b"\x0a", resource.attributes)) + made + _text(b"\x1a", resource.schema_url)


def _scope(scope: InstrumentationScope) -> bytes:
    named = _text(b"\x0a", scope.name) + _text(b"\x12", scope.version or "")
    return named + _attributes(b"\x1a", scope.attributes)


def _span(span: ReadableSpan) -> bytes:
    context, parent = span.get_span_context(), span.parent
    assert context is not None, "the SDK makes no span without one"
    parts = [
        b"\x0a\x10" + context.trace_id.to_bytes(16, "big") + b"\x12\x08" + context.span_id.to_bytes(8, "big"),
        _text(b"\x1a", _trace_state(context)) if context.trace_state else b"",
        b"" if parent is None else b"\x22\x08" + parent.span_id.to_bytes(8, "big"),
        _name(b"\x2a", span.name),
        b"\x30" + _ONE_BYTE[span.kind.value + 1],
        _times(0x39, span.start_time or 0, 0x41, span.end_time or 0),
        _attributes(b"\x4a", span.attributes),
        _count(b"\x50", span.dropped_attributes),
        *(_delimited(b"\x5a", _event(event)) for event in span.events),
        _count(b"\x60", span.dropped_events),
        *(_delimited(b"\x6a", _link(link)) for link in span.links),
        _count(b"\x70", span.dropped_links),
        _delimited(b"\x7a", _status(span.status)),
        b"\x85\x01" + _flags(parent),
    ]
    return _delimited(b"\x12", b"".join(parts))


def _trace_state(context: SpanContext) -> str:
    return ",".join(f"{key}={value}" for key, value in context.trace_state.items())


def _flags(parent: SpanContext | None) -> bytes:
    return _REMOTE if parent is not None and parent.is_remote else _LOCAL


def _status(status: Status) -> bytes:
    if status.is_unset and not status.description:
        return b""
    return _text(b"\x12", status.description or "") + _count(b"\x18", status.status_code.value)


def _event(event: Event) -> bytes:
    stamp = b"\x09" + _fixed64(event.timestamp) + _text(b"\x12", event.name)
    return stamp + _attributes(b"\x1a", event.attributes) + _count(b"\x20", event.dropped_attributes)


def _link(link: Link) -> bytes:
    context = link.context
    ids = b"\x0a\x10" + context.trace_id.to_bytes(16, "big") + b"\x12\x08" + context.span_id.to_bytes(8, "big")
    told = _attributes(b"\x22", link.attributes) + _count(b"\x28", link.dropped_attributes)
    return ids + told + b"\x35" + _flags(context)


def _attributes(tag: bytes, attributes: Mapping[str, Any] | None) -> bytes:
    if not attributes:
        return b""
    return b"".join(
        [_delimited(tag, _name(b"\x0a", key) + _delimited(b"\x12", _any_value(attributes[key]))) for key in attributes]
    )


def _any_value(value: object) -> bytes:
    match value:
        case None:
            return b""
        case str():
            return _delimited(b"\x0a", _utf8(value))
        case bool():  # before int, which it is as well
            return b"\x10" + _ONE_BYTE[value]
        case int():
            return b"\x18" + _varint(value & 0xFFFF_FFFF_FFFF_FFFF)
        case float():
            return b"\x21" + _double(value)
        case bytes():
            return _delimited(b"\x3a", value)
        case Mapping():
            return _delimited(b"\x32", _attributes(b"\x0a", {str(key): inner for key, inner in value.items()}))
        case Sequence():
            return _delimited(b"\x2a", b"".join(_delimited(b"\x0a", _any_value(inner)) for inner in value))
    raise TypeError(f"an attribute cannot be {type(value).__name__}")


@lru_cache(maxsize=512)
def _name(tag: bytes, name: str) -> bytes:
    """A text of which there are few: names of spans and attributes."""
    return _delimited(tag, _utf8(name))


def _text(tag: bytes, text: str) -> bytes:
    return _delimited(tag, _utf8(text)) if text else b""


def _utf8(text: str) -> bytes:
    # Half an emoji in one value must not cost the whole batch, as it does in OpenTelemetry's own encoder.
    return text.encode("utf-8", "backslashreplace")


def _count(tag: bytes, number: int) -> bytes:
    return tag + _varint(number) if number else b""


def _delimited(tag: bytes, payload: bytes) -> bytes:
    size = len(payload)
    return tag + (_ONE_BYTE[size] if size < 128 else _varint(size)) + payload


def _varint(number: int) -> bytes:
    digits = bytearray()
    while number > 127:
        digits.append(number & 127 | 128)
        number >>= 7
    digits.append(number)
    return bytes(digits)
