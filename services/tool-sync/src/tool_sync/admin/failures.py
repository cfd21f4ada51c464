"""Assistants whose newest outcome failed, and trying them again."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID, uuid4

from tool_sync.db import Connection
from tool_sync.domain.events import RetryRequested
from tool_sync.log import AppendRequest, EventLog, Meta, NewEvent, event_id, org_stream
from tool_sync.queries.coverage import OUTCOME_NOW

SOURCE: Final = "/zerotouch/tool-sync/operations"
ACTOR: Final = "operator"
APPENDS_AT_ONCE: Final = 500

_LIST: Final = f"""
SELECT a.org_id, a.agent_id, a.assistant_id, a.code, a.settled_revision, a.look_at, e.recorded_at,
       e.meta ->> 'correlation_id' AS trace_id
  FROM assistants a
  CROSS JOIN LATERAL (
    SELECT recorded_at, meta FROM events
     WHERE org_id = a.org_id AND position <= a.position AND type = 'AssistantSyncFailed'
       AND data ->> 'agent_id' = a.agent_id
     ORDER BY position DESC LIMIT 1) e
 WHERE {OUTCOME_NOW} = 'failed' AND NOT a.removed
   AND ($1::uuid IS NULL OR a.org_id = $1)
   AND ($2::text IS NULL OR a.code = $2)
   AND ($3::timestamptz IS NULL OR e.recorded_at >= $3)
 ORDER BY e.recorded_at DESC, a.org_id, a.agent_id
 LIMIT $4
"""  # noqa: S608 - made of constants


@dataclass(frozen=True, slots=True)
class Failed:
    """An assistant that lacks tools. ``look_at``: when it is looked at again by itself; null: it waits for a save."""

    org_id: UUID
    agent_id: str
    assistant_id: str | None
    code: str | None
    revision: int | None
    failed_at: datetime
    look_at: datetime | None
    trace_id: str


async def list_failures(
    connection: Connection, *, org_id: UUID | None, code: str | None, since: datetime | None, limit: int
) -> list[Failed]:
    """At most ``limit`` of them, the newest first."""
    return [
        Failed(
            org_id=row["org_id"],
            agent_id=row["agent_id"],
            assistant_id=row["assistant_id"],
            code=row["code"],
            revision=row["settled_revision"],
            failed_at=row["recorded_at"],
            look_at=row["look_at"],
            trace_id=row["trace_id"],
        )
        for row in await connection.fetch(_LIST, org_id, code, since, limit)
    ]


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
