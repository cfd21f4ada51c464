"""Dead letters as the audit sees them."""

from dataclasses import dataclass
from datetime import datetime

from tool_sync.db import Connection
from tool_sync.queries.audit.history import Place

_PARKED = """
SELECT topic, partition, "offset", reason, recorded_at, acknowledged_reason, replayed_at FROM dead_letters
"""
_ACKNOWLEDGE = """
UPDATE dead_letters SET acknowledged_at = clock_timestamp(), acknowledged_reason = $4
 WHERE topic = $1 AND partition = $2 AND "offset" = $3 AND acknowledged_at IS NULL
RETURNING id
"""


@dataclass(frozen=True, slots=True)
class Parked:
    """A record that was set aside. ``closed_by``: why somebody closed it, or that it was replayed; None while open."""

    place: Place
    reason: str
    recorded_at: datetime
    closed_by: str | None


async def parked_records(connection: Connection) -> dict[Place, Parked]:
    """Every dead letter by its place."""
    found = {}
    for row in await connection.fetch(_PARKED):
        place = Place(row["topic"], row["partition"], row["offset"])
        closed_by = row["acknowledged_reason"] or ("replayed" if row["replayed_at"] else None)
        found[place] = Parked(place, row["reason"], row["recorded_at"], closed_by)
    return found


async def acknowledge(connection: Connection, place: Place, reason: str) -> bool:
    """Close a dead letter; False where there is none at that place that is still open."""
    found = await connection.fetchval(_ACKNOWLEDGE, place.topic, place.partition, place.offset, reason)
    return found is not None
