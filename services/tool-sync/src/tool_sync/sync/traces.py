"""The traces of a run: its own span, and those of the saves that it settles."""

from collections.abc import Sequence
from itertools import islice
from uuid import UUID

from opentelemetry.trace import Span, StatusCode

from tool_sync import telemetry
from tool_sync.domain.events import AssistantSynced, AssistantSyncFailed, ToolsetEvent
from tool_sync.domain.toolset import UNREADABLE, Toolset
from tool_sync.sync.context import Context
from zerotouch_platform.telemetry import LINKS_MAX
from zerotouch_platform.traceparent import trace_id_of, traceparent_of


class RunTraces:
    """``span`` is the run's: in the trace of the first save that it settles, linked to the others."""

    def __init__(self, context: Context, org_id: UUID, state: Toolset) -> None:
        self._telemetry, self._org_id = context.telemetry, org_id
        self.span = _start_span(context, org_id, state)
        self.traceparent = traceparent_of(self.span)
        self._others: dict[UUID, str] = {}
        self.note_open(state)

    def note_open(self, state: Toolset) -> None:
        """Keep the traces of open saves that the run does not belong to."""
        if self._telemetry.enabled:
            self._others = _other_traces(state, self.span)

    def note_written(self, events: Sequence[ToolsetEvent]) -> None:
        """Each settled save whose trace is another than the run's ends there, in a span that links to the run."""
        for event in events:
            if not isinstance(event, AssistantSynced | AssistantSyncFailed):
                continue
            _note_outcome(self.span, event)
            for request in event.requests if self._others else ():
                if traceparent := self._others.pop(request.request_id, None):
                    self._end(traceparent, event)

    def _end(self, traceparent: str, event: AssistantSynced | AssistantSyncFailed) -> None:
        span = self._telemetry.start(
            telemetry.SETTLED_SPAN,
            traceparent=traceparent,
            linked=[traceparent_of(self.span)],
            attributes={telemetry.ORG_ID: str(self._org_id)},
        )
        _note_outcome(span, event)
        span.end()


def _start_span(context: Context, org_id: UUID, state: Toolset) -> Span:
    requests = (request for mine in state.open_requests.values() for request in mine)
    traces = list(dict.fromkeys(r.traceparent for r in islice(requests, LINKS_MAX) if r.traceparent))
    agents = [agent_id for agent_id in islice(state.open_requests, 16) if agent_id != UNREADABLE]
    return context.telemetry.start(
        telemetry.SYNC_SPAN,
        traceparent=traces[0] if traces else None,
        linked=traces[1:],
        attributes={telemetry.ORG_ID: str(org_id), telemetry.AGENT_IDS: ",".join(agents)},
    )


def _other_traces(state: Toolset, run: Span) -> dict[UUID, str]:
    own = trace_id_of(traceparent_of(run))
    requests = (request for mine in state.open_requests.values() for request in mine)
    return {r.asked.request_id: r.traceparent for r in requests if r.traceparent and own != trace_id_of(r.traceparent)}


def _note_outcome(span: Span, event: AssistantSynced | AssistantSyncFailed) -> None:
    """Enough to find a failed sync by its tags."""
    if isinstance(event, AssistantSyncFailed):
        if event.assistant_id is not None:
            span.set_attribute(telemetry.ASSISTANT_ID, event.assistant_id)
        span.set_attribute(telemetry.ERROR_CODE, event.code)
        span.set_status(StatusCode.ERROR, event.code)
