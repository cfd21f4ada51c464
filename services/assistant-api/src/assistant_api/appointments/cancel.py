"""Cancelling: the row stays, its slot is free."""

from datetime import datetime
from typing import Final

from assistant_api.appointments.calendar import Clinic
from assistant_api.appointments.claims import Claim
from assistant_api.appointments.find import find_one
from assistant_api.appointments.outcomes import Cancelled, ChangeRefused
from assistant_api.db import Connection

_CANCEL: Final = "UPDATE appointments SET status = 'cancelled', updated_at = now() WHERE org_id = $1 AND id = $2"


async def cancel(connection: Connection, clinic: Clinic, claim: Claim, *, now: datetime) -> Cancelled | ChangeRefused:
    """Cancel the caller's appointment. Writes in the caller's transaction."""
    found = await find_one(connection, clinic, claim, now=now)
    if isinstance(found, ChangeRefused):
        return found
    appointment_id, start = found
    await connection.execute(_CANCEL, clinic.org_id, appointment_id)
    return Cancelled(start, appointment_id)
