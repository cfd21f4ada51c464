"""What waits for an outcome, and how far behind the service is."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from tool_sync.db import Connection

_WAITING: Final = """
SELECT count(*) AS requests, count(DISTINCT e.org_id) AS organizations, min(e.recorded_at) AS oldest
  FROM pending_syncs p
  JOIN events e ON e.org_id = p.org_id AND e.position > p.settled AND e.position <= p.requested
       AND e.type = 'SyncRequested' AND e.data ->> 'agent_id' = p.agent_id
 WHERE p.requested > p.settled AND p.agent_id NOT IN ('', '?')
"""
# Cheap, as it is read every few seconds: from rows of open work, found by their index, and of one event, as times never
# fall with positions.
BACKLOG: Final = """
SELECT (SELECT count(DISTINCT org_id) FROM pending_syncs WHERE requested > settled) AS pending,
       (SELECT coalesce(extract(epoch FROM clock_timestamp() - min(e.recorded_at)), 0)::float8
          FROM events e
         WHERE e.position = (SELECT min(save_requested) FROM pending_syncs
                              WHERE requested > settled AND (save_requested > settled)::int = 1)) AS oldest_seconds,
       (SELECT count(*) FROM dead_letters WHERE acknowledged_at IS NULL AND replayed_at IS NULL) AS dead_letters,
       (SELECT coalesce(max(position), 0) FROM events) AS head,
       (SELECT coalesce(max(position), 0) FROM cursors WHERE name = 'outcomes-relay') AS published
"""


@dataclass(frozen=True, slots=True)
class Waiting:
    """Saves and syncs without an outcome, of how many organizations, and when the oldest arrived."""

    requests: int
    organizations: int
    oldest: datetime | None


@dataclass(frozen=True, slots=True)
class Backlog:
    """``pending`` organizations have open work, the oldest save of theirs is ``oldest_seconds`` old.

    ``dead_letters`` are open; the log stands at ``head``, and its outcomes are published up to ``published``.
    """

    pending: int
    oldest_seconds: float
    dead_letters: int
    head: int
    published: int


async def waiting(connection: Connection) -> Waiting:
    """What waits for an outcome now; while the key is paused, all of it waits for the key."""
    row = await connection.fetchrow(_WAITING)
    assert row is not None
    return Waiting(**dict(row))


async def backlog(connection: Connection) -> Backlog:
    """What is measured all the time."""
    row = await connection.fetchrow(BACKLOG)
    assert row is not None
    return Backlog(**dict(row))
