"""The row of a tool call that was answered, and the message that says so; neither has any content."""

from typing import Any, Final
from uuid import UUID

import uuid_utils.compat as uuids

from assistant_api.db import Connection
from assistant_api.tool_calls.answers import Answer
from zerotouch_contracts.events import ToolCallHandled

# Where the row is there already, nothing is written and nothing returned: somebody else answered this call.
_RECORD: Final = """
WITH recorded AS (
    INSERT INTO tool_calls (org_id, call_id, tool_call_id, tool, definition_version, code, failed, answer)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
    ON CONFLICT DO NOTHING RETURNING org_id
)
INSERT INTO outbox (org_id, message_id, type, body, traceparent)
SELECT org_id, $9, $10, $11, $12 FROM recorded
"""


async def record(
    connection: Connection,
    *,
    org_id: UUID,
    call_id: str,
    tool_call_id: str,
    tool: str,
    version: int | None,
    answer: Answer,
    duration_ms: int,
    traceparent: str,
) -> bool:
    """Keep an answer and publish `ToolCallHandled`; False where the call has an answer, and then nothing is written."""
    message = ToolCallHandled(
        org_id=org_id, tool=tool, definition_version=version, code=answer.code, duration_ms=duration_ms
    )
    body: dict[str, Any] = message.model_dump(mode="json")
    done = await connection.execute(
        _RECORD,
        org_id,
        call_id,
        tool_call_id,
        tool,
        version,
        answer.code,
        answer.failed,
        answer.text,
        uuids.uuid7(),
        ToolCallHandled.TYPE,
        body,
        traceparent,
    )
    return bool(done == "INSERT 0 1")
