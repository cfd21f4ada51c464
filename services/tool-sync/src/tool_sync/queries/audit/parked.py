"""Dead letters as the audit sees them."""

from dataclasses import dataclass
from datetime import datetime

from tool_sync.db import Connection
from tool_sync.queries.audit.history import Place
from tool_sync.queries.dead_letters import closed_by

_PARKED = """
SELECT topic, partition, "offset", reason, recorded_at, acknowledged_reason, replayed_at FROM dead_letters
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
        found[place] = Parked(place, row["reason"], row["recorded_at"], closed_by(row))
    return found
