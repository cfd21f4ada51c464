"""Trying assistants again whose newest outcome failed: an event in their organization's stream each."""

from collections.abc import Sequence
from typing import Final
from uuid import uuid4

from tool_sync.admin.operator import ACTOR
from tool_sync.domain.events import RetryRequested
from tool_sync.log import AppendRejected, EventLog, fact, org_stream
from tool_sync.queries.failures import Failed
from tool_sync.release import SERVICE_VERSION

SOURCE: Final = "/zerotouch/tool-sync/operations"
APPENDS_AT_ONCE: Final = 500


async def retry_failures(
    log: EventLog, failed: Sequence[Failed], reason: str, *, actor: str = ACTOR, correlation_id: str | None = None
) -> int:
    """Ask for each of them to be tried again, whatever it waits for; returns how many were asked for.

    A success is published as ``ToolsSynced`` with cause ``recovered``. Asking twice does no harm; under one
    ``correlation_id`` each is asked for once.
    """
    requests = [
        fact(
            org_stream(one.org_id), one.org_id, RetryRequested(one.agent_id, reason), source=SOURCE, actor=actor,
            cause=f"{correlation_id}/{one.agent_id}" if correlation_id else str(uuid4()),
            service_version=SERVICE_VERSION, correlation_id=correlation_id,
        )
        for one in failed
    ]  # fmt: skip
    asked = 0
    for begin in range(0, len(requests), APPENDS_AT_ONCE):
        answers = await log.append_all(requests[begin : begin + APPENDS_AT_ONCE])
        asked += sum(not isinstance(answer, AppendRejected) for answer in answers)
    return asked
