"""Assistants whose newest outcome failed."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

from tool_sync.db import Connection
from tool_sync.queries.assistants import OUTCOME_NOW

_LIST: Final = f"""
SELECT a.org_id, a.agent_id, a.assistant_id, a.code, a.settled_revision AS revision, e.recorded_at AS failed_at,
       a.look_at, e.meta ->> 'correlation_id' AS trace_id
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
    return [Failed(**dict(row)) for row in await connection.fetch(_LIST, org_id, code, since, limit)]
