"""The newest try of a tool that failed, by clinic: its code, and when it is tried again by itself."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

from tool_sync.db import Connection
from tool_sync.domain.subject import tool_subject

# The newest of each clinic, which an index on (org_id, position) finds; what has worked since is no failure.
_FAILED: Final = """
SELECT o.org_id, e.code, e.retry_at
  FROM unnest($1::uuid[]) AS o (org_id)
 CROSS JOIN LATERAL (
       SELECT type, data ->> 'code' AS code, (data ->> 'retry_at')::timestamptz AS retry_at
         FROM events
        WHERE events.org_id = o.org_id
          AND ((type = 'SyncAttemptFailed' AND data ->> 'subject' = $2)
               OR (type IN ('ToolRegistered', 'ToolUpdated') AND data ->> 'name' = $3) OR type = 'RetryRequested')
        ORDER BY position DESC LIMIT 1) e
 WHERE e.type = 'SyncAttemptFailed'
"""


@dataclass(frozen=True, slots=True)
class FailedTry:
    """``retry_at`` is None where waiting does not help."""

    code: str
    retry_at: datetime | None


async def failed_tries(connection: Connection, tool: str, org_ids: Collection[UUID]) -> Mapping[UUID, FailedTry]:
    """Those of these clinics whose newest try of the tool failed."""
    rows = await connection.fetch(_FAILED, list(org_ids), tool_subject(tool), tool) if org_ids else []
    return {row["org_id"]: FailedTry(row["code"], row["retry_at"]) for row in rows}
