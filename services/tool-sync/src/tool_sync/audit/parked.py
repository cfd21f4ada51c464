"""Dead letters as the audit sees them, and how many assistants have their tools."""

from dataclasses import dataclass
from datetime import datetime

from tool_sync.audit.history import Place
from tool_sync.db import Connection

_PARKED = """
SELECT topic, partition, "offset", reason, recorded_at, acknowledged_reason, replayed_at FROM dead_letters
"""
_ACKNOWLEDGE = """
UPDATE dead_letters SET acknowledged_at = clock_timestamp(), acknowledged_reason = $4
 WHERE topic = $1 AND partition = $2 AND "offset" = $3 AND acknowledged_at IS NULL
RETURNING id
"""
_COVERAGE = """
SELECT count(*) AS assistants, count(*) FILTER (WHERE outcome = 'synced') AS equipped FROM assistants WHERE NOT removed
"""


@dataclass(frozen=True, slots=True)
class Parked:
    """A record that was set aside. ``closed_by``: why somebody closed it, or that it was replayed; None while open."""

    place: Place
    reason: str
    recorded_at: datetime
    closed_by: str | None


@dataclass(frozen=True, slots=True)
class Coverage:
    """How many assistants there are, and how many of them have all their tools."""

    assistants: int
    equipped: int

    @property
    def percent(self) -> float:
        """100 where there is none."""
        return 100.0 * self.equipped / self.assistants if self.assistants else 100.0


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


async def coverage_of(connection: Connection) -> Coverage:
    """Counted now, over all assistants that are not deleted."""
    row = await connection.fetchrow(_COVERAGE)
    assert row is not None
    return Coverage(row["assistants"], row["equipped"])
