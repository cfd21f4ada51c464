"""The traces of a run: its own span, and those of the saves that it settles."""

from itertools import islice
from uuid import UUID

from opentelemetry.trace import Span, StatusCode

from tool_sync import telemetry
from tool_sync.domain.events import AssistantSynced, AssistantSyncFailed
from tool_sync.domain.toolset import UNREADABLE, Toolset
from tool_sync.sync.context import Context
from zerotouch_platform.telemetry import LINKS_MAX
from zerotouch_platform.traceparent import trace_id_of, traceparent_of


def start_span(context: Context, org_id: UUID, state: Toolset) -> Span:
    """The span of a run: in the trace of the first save that it settles, linked to the others."""
    requests = (request for mine in state.open_requests.values() for request in mine)
    traces = list(dict.fromkeys(r.traceparent for r in islice(requests, LINKS_MAX) if r.traceparent))
    agents = [agent_id for agent_id in islice(state.open_requests, 16) if agent_id != UNREADABLE]
    return context.telemetry.start(
        telemetry.SYNC_SPAN,
        traceparent=traces[0] if traces else None,
        linked=traces[1:],
        attributes={telemetry.ORG_ID: str(org_id), telemetry.AGENT_IDS: ",".join(agents)},
    )


def other_traces(state: Toolset, run: Span) -> dict[UUID, str]:
    """The traces of open saves that the run does not belong to, by request id."""
    own = trace_id_of(traceparent_of(run))
    requests = (request for mine in state.open_requests.values() for request in mine)
    return {r.asked.request_id: r.traceparent for r in requests if r.traceparent and own != trace_id_of(r.traceparent)}


def note_outcome(span: Span, event: AssistantSynced | AssistantSyncFailed) -> None:
    """Enough to find a failed sync by its tags."""
    if isinstance(event, AssistantSyncFailed):
        if event.assistant_id is not None:
            span.set_attribute(telemetry.ASSISTANT_ID, event.assistant_id)
        span.set_attribute(telemetry.ERROR_CODE, event.code)
        span.set_status(StatusCode.ERROR, event.code)
