"""Trying assistants again whose newest outcome failed."""

from collections.abc import Sequence
from typing import Final

from tool_sync.admin.operator import operator_request
from tool_sync.domain.events import RetryRequested
from tool_sync.log import EventLog
from tool_sync.queries.failures import Failed

APPENDS_AT_ONCE: Final = 500


async def retry_failures(log: EventLog, failed: Sequence[Failed], service_version: str) -> int:
    """Ask for each of them to be tried again, whatever it waits for; returns how many were asked for.

    A success is published as ``ToolsSynced`` with cause ``recovered``. Asking twice does no harm.
    """
    requests = [operator_request(one.org_id, RetryRequested(one.agent_id), service_version) for one in failed]
    for begin in range(0, len(requests), APPENDS_AT_ONCE):
        await log.append_all(requests[begin : begin + APPENDS_AT_ONCE])
    return len(requests)
