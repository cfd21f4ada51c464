"""Outcomes into the database: one statement for a batch, the newest of an assistant wins, repeats change nothing."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID, uuid5

from assistant_api.db import Connection
from assistant_api.telemetry import trace_id_in
from zerotouch_contracts.events import AssistantDiverged, OutcomeMessage, ToolsSynced, ToolSyncFailed

REPAIR_NAMESPACE: Final = UUID("c2c3e0d4-2a3c-4a57-8f2d-6f6b4a0f7e02")

# A foreign key would refuse an outcome whose organization was deleted meanwhile; the join leaves it out.
_UPSERT: Final = """
INSERT INTO outcomes AS kept (org_id, agent_id, sequence, event_id, synced, assistant_id, revision, tools, failed_tools,
                              code, message, cause, trace_id, occurred_at, reason)
SELECT DISTINCT ON (n.org_id, n.agent_id)
       n.org_id, n.agent_id, n.sequence, n.event_id, n.synced, n.assistant_id, n.revision,
       string_to_array(n.tools, ','), string_to_array(n.failed_tools, ','),
       n.code, n.message, n.cause, n.trace_id, n.occurred_at, n.reason
FROM unnest($1::uuid[], $2::text[], $3::bigint[], $4::text[], $5::boolean[], $6::text[], $7::bigint[], $8::text[],
            $9::text[], $10::text[], $11::text[], $12::text[], $13::text[], $14::timestamptz[],
            $15::text[])
     AS n(org_id, agent_id, sequence, event_id, synced, assistant_id, revision, tools, failed_tools, code, message,
          cause, trace_id, occurred_at, reason)
JOIN organizations o ON o.id = n.org_id
ORDER BY n.org_id, n.agent_id, n.sequence DESC
ON CONFLICT (org_id, agent_id) DO UPDATE SET
       sequence = excluded.sequence, event_id = excluded.event_id, synced = excluded.synced,
       assistant_id = excluded.assistant_id, revision = excluded.revision, tools = excluded.tools,
       failed_tools = excluded.failed_tools, code = excluded.code, message = excluded.message, cause = excluded.cause,
       trace_id = excluded.trace_id, occurred_at = excluded.occurred_at,
       reason = excluded.reason
WHERE kept.sequence < excluded.sequence
RETURNING org_id, agent_id, sequence
"""


@dataclass(frozen=True, slots=True)
class Heard:
    """A message of tool-sync's and where it stands."""

    message: OutcomeMessage
    event_id: str
    occurred_at: datetime
    traceparent: str | None


async def apply_outcomes(connection: Connection, heard: Sequence[Heard]) -> set[tuple[UUID, str, int]]:
    """Store the outcomes among ``heard``; (org, agent, sequence) of those that became the newest.

    One whose request was unreadable names no agent; it stays in tool-sync's history and is not shown here.
    """
    rows = [row for item in heard if (row := _row(item)) is not None]
    if not rows:
        return set()
    columns = [list(column) for column in zip(*rows, strict=True)]
    return {(row["org_id"], row["agent_id"], row["sequence"]) for row in await connection.fetch(_UPSERT, *columns)}


async def repair(connection: Connection, heard: Heard, diverged: AssistantDiverged, per_hour_max: int) -> str:
    """Have a diverged assistant written again: `healed`, `outdated` (a newer save will do) or `exhausted`.

    The request id follows from the event, and a heal raises the revision, so a repeat changes nothing.
    """
    return str(
        await connection.fetchval(
            "SELECT heal($1, $2, $3, $4, $5, $6)",
            diverged.org_id,
            diverged.agent_id,
            diverged.revision,
            uuid5(REPAIR_NAMESPACE, heard.event_id),
            heard.traceparent,
            per_hour_max,
        )
    )


def _row(heard: Heard) -> tuple[object, ...] | None:
    message = heard.message
    if not isinstance(message, ToolsSynced | ToolSyncFailed) or message.agent_id is None:
        return None
    failed = isinstance(message, ToolSyncFailed)
    return (
        message.org_id,
        message.agent_id,
        message.sequence,
        heard.event_id,
        not failed,
        message.assistant_id,
        message.revision,
        ",".join(tool.name for tool in message.tools),
        ",".join(tool.name for tool in message.failed_tools),
        message.code if isinstance(message, ToolSyncFailed) else None,
        message.message if isinstance(message, ToolSyncFailed) else "",
        message.cause,
        trace_id_in(heard.traceparent),
        heard.occurred_at,
        message.reason if isinstance(message, ToolsSynced) else None,
    )
