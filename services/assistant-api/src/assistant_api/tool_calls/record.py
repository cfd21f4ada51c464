"""The row of a tool call that was answered, and the message that says so; neither has any content."""

from typing import Any, Final
from uuid import UUID

import uuid_utils.compat as uuids

from assistant_api.db import Connection
from assistant_api.tool_calls.answers import Answer
from assistant_api.tool_calls.identity import REPEAT_SECONDS
from zerotouch_contracts.events import ToolCallHandled

# Where the row is there already, nothing is written and nothing returned: somebody else answered this request. Only the
# row of a request without a conversation makes place, once it is too old to be a repeat's.
_RECORD: Final = """
WITH recorded AS (
    INSERT INTO tool_calls AS kept
        (org_id, call_id, tool_call_id, request, tool, definition_version, code, failed, answer)
    VALUES ($1, $2, $3, $13, $4, $5, $6, $7, $8)
    ON CONFLICT (org_id, call_id, tool_call_id, request) DO UPDATE
    SET definition_version = excluded.definition_version, code = excluded.code, failed = excluded.failed,
        answer = excluded.answer, handled_at = now()
    WHERE kept.call_id = '' AND kept.handled_at <= now() - make_interval(secs => $14)
    RETURNING org_id
)
INSERT INTO outbox (org_id, message_id, type, body, traceparent)
SELECT org_id, $9, $10, $11, $12 FROM recorded
"""


async def record(
    connection: Connection,
    *,
    org_id: UUID,
    conversation: str,
    tool_call_id: str,
    request: str,
    tool: str,
    version: int | None,
    answer: Answer,
    duration_ms: int,
    traceparent: str,
) -> bool:
    """Keep an answer and publish `ToolCallHandled`; False where the request has one, and then nothing is written.

    Conversation, tool-call id and request are as :mod:`assistant_api.tool_calls.identity` stores them.
    """
    message = ToolCallHandled(
        org_id=org_id, tool=tool, definition_version=version, code=answer.code, duration_ms=duration_ms
    )
    body: dict[str, Any] = message.model_dump(mode="json")
    done = await connection.execute(
        _RECORD,
        org_id,
        conversation,
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
        request,
        REPEAT_SECONDS,
    )
    return bool(done == "INSERT 0 1")
