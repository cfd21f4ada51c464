"""What became of failures that were tried again in one go: read from the log, under the id that all of them have."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from tool_sync.db import Connection
from tool_sync.queries.assistants import OUTCOME_NOW

# A retry is a wish of the whole clinic: it was carried out once the clinic's wishes up to it are settled.
_PROGRESS: Final = f"""
SELECT count(*) AS asked, count(*) FILTER (WHERE open) AS open, max(recorded_at) AS newest,
       count(*) FILTER (WHERE NOT open AND outcome = 'synced') AS healed,
       count(*) FILTER (WHERE NOT open AND outcome = 'failed') AS failing
  FROM (
    SELECT r.recorded_at, p.settled < r.position AS open,
           CASE WHEN NOT a.removed AND NOT o.closed THEN {OUTCOME_NOW} END AS outcome
      FROM events r
      JOIN organizations o ON o.id = r.org_id
      JOIN pending_syncs p ON p.org_id = r.org_id AND p.agent_id = ''
      JOIN assistants a ON a.org_id = r.org_id AND a.agent_id = r.data ->> 'agent_id'
     WHERE r.type = 'RetryRequested' AND r.meta ->> 'correlation_id' = $1) each
"""  # noqa: S608 - made of constants
_OPEN: Final = """
SELECT count(*) FROM (
    SELECT FROM pending_syncs p
     WHERE p.requested > p.settled AND p.agent_id = ''
       AND EXISTS (SELECT FROM events r WHERE r.type = 'RetryRequested' AND r.meta ->> 'correlation_id' = $1
                      AND r.org_id = p.org_id AND r.position > p.settled)
     LIMIT $2) open
"""


@dataclass(frozen=True, slots=True)
class RetryProgress:
    """``asked`` so far: ``open`` are not tried yet, ``healed`` work now, ``failing`` fail again; of the others the
    assistant or its clinic is gone, or something newer waits. ``newest``: when one was asked for last."""

    asked: int
    open: int
    healed: int
    failing: int
    newest: datetime | None

    @property
    def gone(self) -> int:
        """That nothing is to be said of any more."""
        return self.asked - self.open - self.healed - self.failing


async def retry_progress(connection: Connection, correlation_id: str) -> RetryProgress:
    """As of now; reads each of them."""
    (row,) = await connection.fetch(_PROGRESS, correlation_id)
    return RetryProgress(**dict(row))


async def clinics_being_retried(connection: Connection, correlation_id: str, at_most: int) -> int:
    """Of how many clinics something is not tried yet, up to ``at_most``; reads clinics with open work alone."""
    return int(await connection.fetchval(_OPEN, correlation_id, at_most))
