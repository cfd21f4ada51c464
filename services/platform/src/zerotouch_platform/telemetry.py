"""Tracing: its set-up, how spans are started, and contexts in which tasks run.

Loops are started by :func:`start_loop`, which gives them an empty context: ``asyncio.create_task`` would otherwise put
every later span into the trace of whoever started them. Every other hop names its parent (`traceparent`).
"""

import asyncio
import contextvars
import threading
from collections.abc import Coroutine, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final, TypeVar

from opentelemetry.context import Context, attach
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import SpanLimits, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter
from opentelemetry.sdk.trace.sampling import Sampler
from opentelemetry.trace import (
    INVALID_SPAN,
    Link,
    NoOpTracer,
    Span,
    SpanKind,
    Status,
    StatusCode,
    Tracer,
    get_current_span,
    set_span_in_context,
)
from opentelemetry.util.types import AttributeValue

from zerotouch_platform.traceparent import links_to, parent_context

T = TypeVar("T")

SHUTDOWN_SECONDS_MAX: Final = 3.0
LINKS_MAX: Final = 128


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
        start_time_ns: int | None = None,
    ) -> Span:
        """Start a span whose parent is ``traceparent`` (a root span without one), linked to ``linked``.

        It is not made current and must be ended by the caller. When tracing is off it is a span that records nothing
        and carries the parent's identity, so that what is passed on stays in the caller's trace. ``start_time_ns``: of
        the Unix epoch, where it began before now.
        """
        parent = parent_context(traceparent)
        if not self.enabled:
            return get_current_span(parent)
        links = links_to(linked)
        return self.tracer.start_span(
            name, context=parent, kind=kind, links=links, attributes=attributes, start_time=start_time_ns
        )

    def start_child(self, name: str, *, kind: SpanKind, attributes: Mapping[str, AttributeValue]) -> Span:
        """Start a span whose parent is the current span. Not made current; ended by the caller."""
        if not self.enabled:
            return INVALID_SPAN
        return self.tracer.start_span(name, kind=kind, attributes=attributes)

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

    async def shutdown(self, seconds_max: float = SHUTDOWN_SECONDS_MAX) -> None:
        """Export what is left; the last spans are lost where the collector does not answer within ``seconds_max``."""
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
            async with asyncio.timeout(seconds_max):
                await done.wait()
        except TimeoutError:
            return


def set_up(
    scope: str,
    resource: Mapping[str, str],
    endpoint: str | None,
    *,
    exporter: SpanExporter | None = None,
    sampler: Sampler | None = None,
) -> Telemetry:
    """Tracing to ``exporter``, else to an OTLP endpoint (http/protobuf; ``/v1/traces`` is appended), else to nowhere.

    Spans are recorded in each case. ``scope`` names who makes them, ``resource`` the process; without a ``sampler``
    the caller's flag decides.
    """
    provider = TracerProvider(
        resource=Resource.create(dict(resource)),
        sampler=sampler,
        span_limits=SpanLimits(max_links=LINKS_MAX),
        shutdown_on_exit=False,
    )
    if exporter is None and endpoint is not None:
        # Imported here: it brings requests and protobuf, which a process without tracing need not hold.
        from zerotouch_platform.otlp_session import OtlpSession
        from zerotouch_platform.span_export import OtlpExporter

        url = f"{endpoint.rstrip('/')}/v1/traces"
        exporter = OtlpExporter(endpoint=url, timeout=SHUTDOWN_SECONDS_MAX, session=OtlpSession())
    if exporter is not None:
        provider.add_span_processor(
            BatchSpanProcessor(exporter, max_queue_size=16384, max_export_batch_size=512, schedule_delay_millis=1000)
        )
    tracer = provider.get_tracer(scope, resource.get("service.version"))
    return Telemetry(tracer, enabled=True, provider=provider)


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
