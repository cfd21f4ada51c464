"""Whose save it was: by the request's id, or the trace's. An index finds both, whatever the length of the log."""

from typing import Final
from uuid import UUID

from tool_sync.db import Connection

FOUND_MAX: Final = 20

# The type is written out, as in the indexes events_save_request and events_save_trace.
_SAVES: Final = """
SELECT DISTINCT org_id, data ->> 'agent_id' AS agent_id FROM events
 WHERE type = 'SyncRequested' AND data ->> '{key}' = $1 ORDER BY org_id, agent_id LIMIT $2
"""
_OF_REQUEST: Final = _SAVES.format(key="request_id")
_OF_TRACE: Final = _SAVES.format(key="trace_id")


async def saved_by_request(connection: Connection, request_id: UUID) -> list[tuple[UUID, str]]:
    """(org, agent) of the save with this request id; none where this role may not see it."""
    return await _found(connection, _OF_REQUEST, str(request_id))


async def saved_in_trace(connection: Connection, trace_id: str) -> list[tuple[UUID, str]]:
    """(org, agent) of the saves of this trace, 32 hexadecimal digits in lower case; the first twenty of many."""
    return await _found(connection, _OF_TRACE, trace_id)


async def _found(connection: Connection, statement: str, text: str) -> list[tuple[UUID, str]]:
    return [(row["org_id"], row["agent_id"]) for row in await connection.fetch(statement, text, FOUND_MAX)]
