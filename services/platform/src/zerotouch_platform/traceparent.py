"""W3C ``traceparent``: how a trace is carried on through rows, headers and events.

A trace never travels by the ambient context between loops: every hop takes the ``traceparent`` that was stored with
the record, row or event, and starts its span with that parent.
"""

from collections.abc import Iterable
from functools import lru_cache
from typing import Final

from opentelemetry.context import Context
from opentelemetry.trace import Link, NonRecordingSpan, Span, SpanContext, TraceFlags, set_span_in_context

_NO_CONTEXT: Final = Context()
_HEX: Final = frozenset("0123456789abcdef")
_CHARACTERS_MAX: Final = 128
"""Of 55 in version 00; later versions may add to it. What is longer is no key for the cache below."""


def parent_context(traceparent: str | None) -> Context:
    """The context that continues ``traceparent``; an empty one, never the ambient one, without a well-formed one."""
    span = _span_context(traceparent)
    return _NO_CONTEXT if span is None else set_span_in_context(NonRecordingSpan(span), _NO_CONTEXT)


def links_to(traceparents: Iterable[str | None]) -> list[Link]:
    """Links to the spans that the well-formed ones name."""
    contexts = (_span_context(traceparent) for traceparent in traceparents)
    return [Link(context) for context in contexts if context is not None]


def traceparent_of(span: Span) -> str | None:
    """The ``traceparent`` that makes others continue this span; None where it belongs to no trace."""
    context = span.get_span_context()
    return written(context) if context.is_valid else None


def trace_id_of(traceparent: str | None) -> str | None:
    """The trace id, 32 hex digits, of a well-formed ``traceparent``; else None."""
    context = _span_context(traceparent)
    return None if context is None else f"{context.trace_id:032x}"


def valid_traceparent(traceparent: str | None) -> str | None:
    """The ``traceparent`` where it is well-formed, normalised; else None."""
    context = _span_context(traceparent)
    return None if context is None else written(context)


def written(context: SpanContext) -> str:
    """A span's context in the form of a ``traceparent``."""
    return f"00-{context.trace_id:032x}-{context.span_id:016x}-{context.trace_flags:02x}"


def _span_context(traceparent: str | None) -> SpanContext | None:
    return None if traceparent is None or len(traceparent) > _CHARACTERS_MAX else _read(traceparent)


@lru_cache(maxsize=4096)
def _read(traceparent: str) -> SpanContext | None:
    # Read by hand: the SDK's propagator costs a tenth of a sync, as each hop needs it.
    parts = traceparent.split("-")
    if len(parts) < 4 or [len(part) for part in parts[:4]] != [2, 32, 16, 2] or parts[0] == "ff":
        return None
    if not all(_HEX.issuperset(part) for part in parts[:4]) or (parts[0] == "00" and len(parts) > 4):
        return None
    context = SpanContext(
        int(parts[1], 16), int(parts[2], 16), is_remote=True, trace_flags=TraceFlags(int(parts[3], 16))
    )
    return context if context.is_valid else None
