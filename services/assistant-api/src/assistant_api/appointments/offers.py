"""The next free slots of a clinic."""

from bisect import bisect_left
from datetime import datetime, timedelta
from itertools import islice
from typing import Final

from assistant_api.appointments.calendar import Clinic, slots_from
from assistant_api.db import Connection

OFFERS_MAX: Final = 3
_WINDOWS_DAYS: Final = (2, 26)
"""How far is looked, first a little, then far: most clinics have something free within days."""

_TAKEN: Final = """
SELECT starts_at, ends_at FROM appointments
WHERE org_id = $1 AND status = 'booked' AND starts_at > $2 AND starts_at < $3 ORDER BY starts_at
"""
_APPOINTMENT_MAX: Final = timedelta(hours=8)
"""The longest slot that a clinic may have: what overlaps a window does not start earlier than this before it."""


async def next_free(connection: Connection, clinic: Clinic, earliest: datetime) -> tuple[datetime, ...]:
    """At most ``OFFERS_MAX`` free starts from ``earliest`` on, in order; fewer where the next weeks are full."""
    offers: tuple[datetime, ...] = ()
    for days in _WINDOWS_DAYS:
        rows = await connection.fetch(
            _TAKEN, clinic.org_id, earliest - _APPOINTMENT_MAX, earliest + timedelta(days=days + 1)
        )
        begins, ends = [row["starts_at"] for row in rows], [row["ends_at"] for row in rows]
        free = (start for start in slots_from(clinic, earliest, days=days) if _is_free(start, clinic, begins, ends))
        offers = tuple(islice(free, OFFERS_MAX))
        if len(offers) == OFFERS_MAX:
            break
    return offers


def _is_free(start: datetime, clinic: Clinic, begins: list[datetime], ends: list[datetime]) -> bool:
    """Appointments never overlap, so only the last one that begins before the slot ends can be in the way."""
    before = bisect_left(begins, start + clinic.slot)
    return before == 0 or ends[before - 1] <= start
