"""The row of a tool call that was answered, the message that says so, and its row in the access log; no content."""

import time
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

import uuid_utils.compat as uuids

from assistant_api.access_log.entry import Entry
from assistant_api.db import Connection
from assistant_api.tool_calls.answers import Answer
from assistant_api.tool_calls.arguments import Fit, Unfit
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
), told AS (
    INSERT INTO outbox (org_id, message_id, type, body, traceparent)
    SELECT org_id, $9, $10, $11, $12 FROM recorded
), linked AS (
    INSERT INTO appointment_calls (org_id, appointment_id, call_id, tool_call_id)
    SELECT org_id, $21, $2, $3 FROM recorded WHERE $21::uuid IS NOT NULL
    ON CONFLICT DO NOTHING
)
INSERT INTO access_log (org_id, principal, role, action, object_id, result, code, trace_id)
SELECT org_id, $15, $16, $17, $3, $18, $19, $20 FROM recorded
"""


@dataclass(frozen=True, slots=True)
class Delivery:
    """A call that is somebody's, and when it came. Conversation, tool-call id and request as :mod:`.identity` stores
    them."""

    conversation: str
    caller: str | None
    assistant_id: str | None
    tool_call_id: str
    request: str
    checked: Fit | Unfit
    started: float

    @property
    def tool(self) -> str:
        """The tool's name."""
        return self.checked.definition.name if isinstance(self.checked, Fit) else self.checked.tool

    @property
    def duration_ms(self) -> int:
        """How long it has taken until now."""
        return int((time.monotonic() - self.started) * 1000)


@dataclass(frozen=True, slots=True)
class Decided:
    """The answer, the version that was asked for, and the appointment that was made or changed."""

    answer: Answer
    version: int | None
    appointment_id: UUID | None = None


async def record(
    connection: Connection, delivery: Delivery, decided: Decided, entry: Entry, *, traceparent: str
) -> bool:
    """Keep an answer, publish `ToolCallHandled` and log the access; False where the request has an answer.

    Then nothing is written.
    """
    org_id, answer = delivery.checked.org_id, decided.answer
    message = ToolCallHandled(
        org_id=org_id,
        tool=delivery.tool,
        definition_version=decided.version,
        code=answer.code,
        duration_ms=delivery.duration_ms,
        assistant_id=delivery.assistant_id,
    )
    body: dict[str, Any] = message.model_dump(mode="json")
    call = org_id, delivery.conversation, delivery.tool_call_id, delivery.tool, decided.version
    said = answer.code, answer.failed, answer.text
    told = uuids.uuid7(), ToolCallHandled.TYPE, body, traceparent, delivery.request, REPEAT_SECONDS
    logged = entry.who.principal, entry.who.role, entry.action.value, entry.result.value, entry.code, entry.who.trace_id
    done = await connection.execute(_RECORD, *call, *said, *told, *logged, decided.appointment_id)
    return bool(done == "INSERT 0 1")
