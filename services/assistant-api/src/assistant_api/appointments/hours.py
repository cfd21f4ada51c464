"""Reading and replacing a clinic's calendar settings. Appointments that are booked stay as they are."""

from typing import Final
from uuid import UUID

from assistant_api.appointments.schemas import Calendar
from assistant_api.db import Connection

_READ: Final = "SELECT time_zone, country, slot_minutes, opening_hours, services FROM organizations WHERE id = $1"
_WRITE: Final = """
UPDATE organizations SET time_zone = $2, country = $3, slot_minutes = $4, opening_hours = $5, services = $6
WHERE id = $1 RETURNING true
"""


async def read_calendar(connection: Connection, org_id: UUID) -> Calendar | None:
    """The settings, or None where there is no such organization."""
    row = await connection.fetchrow(_READ, org_id)
    return None if row is None else Calendar(**dict(row))


async def write_calendar(connection: Connection, org_id: UUID, calendar: Calendar) -> bool:
    """Replace the settings; False where there is no such organization."""
    hours = None if calendar.opening_hours is None else calendar.model_dump(mode="json")["opening_hours"]
    written = await connection.fetchval(
        _WRITE, org_id, calendar.time_zone, calendar.country, calendar.slot_minutes, hours, calendar.services
    )
    return bool(written)
