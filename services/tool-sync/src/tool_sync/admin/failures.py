"""Trying assistants again whose newest outcome failed."""

from collections.abc import Sequence
from typing import Final
from uuid import uuid4

from tool_sync.domain.events import RetryRequested
from tool_sync.log import AppendRequest, EventLog, Meta, NewEvent, event_id, org_stream
from tool_sync.queries.failures import Failed

SOURCE: Final = "/zerotouch/tool-sync/operations"
ACTOR: Final = "operator"
APPENDS_AT_ONCE: Final = 500


async def retry_failures(log: EventLog, failed: Sequence[Failed], service_version: str) -> int:
    """Ask for each of them to be tried again, whatever it waits for; returns how many were asked for.

    A success is published as ``ToolsSynced`` with cause ``recovered``. Asking twice does no harm.
    """
    requests = [_request(one, service_version) for one in failed]
    for begin in range(0, len(requests), APPENDS_AT_ONCE):
        await log.append_all(requests[begin : begin + APPENDS_AT_ONCE])
    return len(requests)


def _request(failed: Failed, service_version: str) -> AppendRequest:
    stream, cause = org_stream(failed.org_id), str(uuid4())
    event = RetryRequested(failed.agent_id)
    return AppendRequest(
        stream=stream,
        org_id=failed.org_id,
        expected_version=None,
        events=(NewEvent(event_id(stream, SOURCE, cause, type(event).__name__, 0), event),),
        meta=Meta(
            causation_id=cause, correlation_id=cause, traceparent=None, actor=ACTOR, service_version=service_version
        ),
    )
