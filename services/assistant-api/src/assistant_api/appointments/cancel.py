"""Cancelling: the row stays, its slot is free."""

from datetime import datetime
from typing import Final

from assistant_api.appointments.calendar import Clinic
from assistant_api.appointments.find import find_one
from assistant_api.appointments.outcomes import Cancelled, Refused
from assistant_api.db import Connection
from zerotouch_contracts.tools import CancelAppointment

_CANCEL: Final = "UPDATE appointments SET status = 'cancelled', updated_at = now() WHERE org_id = $1 AND id = $2"


async def cancel(
    connection: Connection, clinic: Clinic, wish: CancelAppointment, *, now: datetime
) -> Cancelled | Refused:
    """Cancel the appointment of that number on that day. Writes in the caller's transaction."""
    found = await find_one(connection, clinic, wish.patient_phone, wish.appointment_date, now=now)
    if isinstance(found, Refused):
        return found
    appointment_id, start = found
    await connection.execute(_CANCEL, clinic.org_id, appointment_id)
    return Cancelled(start)
