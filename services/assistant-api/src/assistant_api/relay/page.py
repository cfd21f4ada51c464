"""A page of the outbox, and its records."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from assistant_api.db import Connection
from assistant_api.settings import Settings
from zerotouch_contracts.accounts import VapiAccount, account_record
from zerotouch_contracts.compacted import CompactedRecord, Stamp
from zerotouch_contracts.envelope import Record, to_record
from zerotouch_contracts.events import (
    ASSISTANT_MESSAGES,
    ERASURE_MESSAGES,
    TOOL_CALL_MESSAGES,
    AssistantMessage,
    ErasureMessage,
    PatientErased,
    ToolCallHandled,
    ToolCallMessage,
)
from zerotouch_contracts.names import DisplayName, Named, name_record

# All rows are looked at, not those above the last id: ids are given before their transactions commit.
_READ: Final = """
SELECT id, org_id, message_id, type, body, traceparent, occurred_at FROM outbox ORDER BY id LIMIT $1
"""
_DELETE: Final = "DELETE FROM outbox WHERE id = ANY($1::bigint[])"
# From here on no restore brings the patient back. In the statement that forgets the messages, so that a receipt never
# says less than is so for longer than this takes.
_DELETE_LISTED: Final = """
WITH sent AS (DELETE FROM outbox WHERE id = ANY($1::bigint[]))
UPDATE erasures SET listed_at = now() WHERE id = ANY($2::uuid[]) AND listed_at IS NULL
"""

_BY_TYPE: Final[dict[str, type[AssistantMessage | ToolCallMessage | ErasureMessage]]] = {
    model.TYPE: model for model in (*ASSISTANT_MESSAGES, *TOOL_CALL_MESSAGES, *ERASURE_MESSAGES)
}


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

    def topic(self, settings: Settings) -> str:
        """Where it goes."""
        others = {
            DisplayName.TYPE: settings.display_names_topic,
            VapiAccount.TYPE: settings.vapi_accounts_topic,
            PatientErased.TYPE: settings.erasures_topic,
            ToolCallHandled.TYPE: settings.tool_calls_topic,
        }
        return others.get(self.type, settings.assistants_topic)

    def record(self, *, topic: str, log_id: UUID, traceparent: str) -> Record | CompactedRecord:
        """The Kafka record, which carries the context of the span that sends it."""
        how: Stamp = {"id": self.message_id, "time": self.occurred_at, "log_id": log_id, "traceparent": traceparent}
        if self.type == DisplayName.TYPE:
            named = Named(self.org_id, self.body["agent_id"])
            message = None if self.body["name"] is None else DisplayName.model_validate(self.body)
            return replace(name_record(named, message, **how), topic=topic)
        if self.type == VapiAccount.TYPE:
            account = None if self.body["account"] is None else VapiAccount.model_validate(self.body)
            return replace(account_record(self.org_id, account, **how), topic=topic)
        record = to_record(_BY_TYPE[self.type].model_validate(self.body), **how)
        return record if record.topic == topic else replace(record, topic=topic)


async def read_page(connection: Connection, limit: int) -> Sequence[Row]:
    """The oldest rows, in order."""
    return [Row(**dict(row)) for row in await connection.fetch(_READ, limit)]


async def delete_page(connection: Connection, rows: Sequence[Row]) -> None:
    """Forget rows that Kafka has; receipts of erasures say that it has them."""
    ids, erasures = [row.id for row in rows], [row.message_id for row in rows if row.type == PatientErased.TYPE]
    if erasures:
        await connection.execute(_DELETE_LISTED, ids, erasures)
    else:
        await connection.execute(_DELETE, ids)
