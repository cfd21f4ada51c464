"""A page of the outbox, and its records."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from assistant_api.db import Connection
from zerotouch_contracts.envelope import Record, to_record
from zerotouch_contracts.events import ASSISTANT_MESSAGES, TOOL_CALL_MESSAGES, AssistantMessage, ToolCallMessage

# All rows are looked at, not those above the last id: ids are given before their transactions commit.
_READ: Final = """
SELECT id, org_id, message_id, type, body, traceparent, occurred_at FROM outbox ORDER BY id LIMIT $1
"""
_DELETE: Final = "DELETE FROM outbox WHERE id = ANY($1::bigint[])"

_BY_TYPE: Final[dict[str, type[AssistantMessage | ToolCallMessage]]] = {
    model.TYPE: model for model in (*ASSISTANT_MESSAGES, *TOOL_CALL_MESSAGES)
}
_TOOL_CALL_TYPES: Final = frozenset(model.TYPE for model in TOOL_CALL_MESSAGES)


@dataclass(frozen=True, slots=True)
class Row:
    """One message of the outbox."""

    id: int
    org_id: UUID
    message_id: UUID
    type: str
    body: dict[str, Any]
    traceparent: str | None
    occurred_at: datetime

    @property
    def says_tool_call(self) -> bool:
        """Whether it goes to the topic of tool calls rather than to that of assistants."""
        return self.type in _TOOL_CALL_TYPES

    def record(self, *, topic: str, log_id: UUID, traceparent: str) -> Record:
        """The Kafka record, which carries the context of the span that sends it."""
        message = _BY_TYPE[self.type].model_validate(self.body)
        record = to_record(message, id=self.message_id, time=self.occurred_at, log_id=log_id, traceparent=traceparent)
        return record if record.topic == topic else replace(record, topic=topic)


async def read_page(connection: Connection, limit: int) -> Sequence[Row]:
    """The oldest rows, in order."""
    return [Row(**dict(row)) for row in await connection.fetch(_READ, limit)]


async def delete_page(connection: Connection, rows: Sequence[Row]) -> None:
    """Forget rows that Kafka has."""
    await connection.execute(_DELETE, [row.id for row in rows])
