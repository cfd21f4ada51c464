"""Finding a caller's appointment: by the number it was booked with and its local day."""

from datetime import date, datetime, timedelta
from typing import Final
from uuid import UUID

from assistant_api.appointments.calendar import Clinic
from assistant_api.appointments.outcomes import Refused
from assistant_api.db import Connection

# Two days around, because local days are not UTC's; the row is kept from changing until the transaction ends.
_FIND: Final = """
SELECT id, starts_at FROM appointments
WHERE org_id = $1 AND phone_key = ltrim($2, '+0') AND status = 'booked' AND starts_at > $3 AND starts_at < $4
ORDER BY starts_at FOR UPDATE
"""
# Moves of one clinic's appointments wait for each other: two that want the same slot would otherwise be a deadlock,
# as each has its row in the index before it looks. The constraint decides all the same.
_LOCK: Final = "SELECT pg_advisory_xact_lock($1, hashtext($2))"
_LOCK_SPACE: Final = 0x7A74_0003


async def find_one(
    connection: Connection, clinic: Clinic, phone: str, day: date, *, now: datetime
) -> tuple[UUID, datetime] | Refused:
    """Id and start of the one appointment of that number on that day which has not begun; locked.

    Refused where there is none, or where there are several, as nothing that a caller says tells them apart.
    """
    today = clinic.local(now).date()
    if not today <= day <= today + timedelta(days=366 * 5):
        return Refused("in_the_past" if day < today else "no_appointment")
    await connection.execute(_LOCK, _LOCK_SPACE, str(clinic.org_id))
    noon = datetime.combine(day, datetime.min.time(), tzinfo=clinic.zone) + timedelta(hours=12)
    rows = await connection.fetch(
        _FIND, clinic.org_id, phone, max(now, noon - timedelta(days=2)), noon + timedelta(days=2)
    )
    found = [(row["id"], row["starts_at"]) for row in rows if clinic.local(row["starts_at"]).date() == day]
    match found:
        case []:
            return Refused("no_appointment")
        case [one]:
            return one
        case _:
            return Refused("several_appointments")
