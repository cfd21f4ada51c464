"""Booking: the constraint decides who gets a slot, not this code."""

from datetime import datetime
from typing import Final

import uuid_utils.compat as uuids

from assistant_api.appointments.calendar import Clinic, look_from, starts_at
from assistant_api.appointments.clinic import minute_of
from assistant_api.appointments.offers import next_free
from assistant_api.appointments.outcomes import Booked, Refused
from assistant_api.db import Connection
from zerotouch_contracts.tools import BookClinicAppointment

# ON CONFLICT waits for a transaction that holds the slot, and needs neither a savepoint nor deadlock detection.
# 'own': what is there was booked in the same phone call for the same number, before this statement began.
_INSERT: Final = """
WITH made AS (
    INSERT INTO appointments (org_id, id, calendar, patient_name, patient_phone, service, notes, starts_at, ends_at,
                              call_id, tool_call_id)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)
    ON CONFLICT DO NOTHING RETURNING true
)
SELECT CASE WHEN EXISTS (SELECT FROM made) THEN 'made'
            WHEN $10 <> '' AND EXISTS (
                SELECT FROM appointments
                WHERE org_id = $1 AND starts_at = $8 AND status = 'booked' AND call_id = $10
                  AND phone_key = ltrim($5, '+0')) THEN 'own' END
"""


async def book(
    connection: Connection,
    clinic: Clinic,
    wish: BookClinicAppointment,
    *,
    call_id: str,
    tool_call_id: str,
    now: datetime,
    days_ahead_max: int,
) -> Booked | Refused:
    """Book what a caller asks for, or say why not and what is free. Writes in the caller's transaction."""
    minute = minute_of(wish.appointment_time)
    starts = starts_at(clinic, wish.appointment_date, minute, now=now, days_ahead_max=days_ahead_max)
    if isinstance(starts, str):
        earliest = look_from(clinic, wish.appointment_date, minute, now=now, why_not=starts)
        return Refused(starts, await next_free(connection, clinic, earliest))
    service = service_of(clinic, wish.service)
    if service is None:
        return Refused("unknown_service", await next_free(connection, clinic, starts[0]), clinic.services)
    for start in starts:
        found = await connection.fetchval(
            _INSERT,
            clinic.org_id,
            uuids.uuid7(),
            clinic.number,
            wish.patient_name,
            wish.patient_phone,
            service,
            wish.notes,
            start,
            start + clinic.slot,
            call_id,
            tool_call_id,
        )
        if found is not None:
            # A model that asks twice in one conversation must not be told that its own booking is in the way.
            return Booked(start, already=found == "own")
    return Refused("taken", await next_free(connection, clinic, starts[0]))


def service_of(clinic: Clinic, wished: str) -> str | None:
    """The service as the clinic spells it; as wished where it has no list; None where it does not have it."""
    if not clinic.services:
        return wished
    return next((service for service in clinic.services if service.casefold() == wished.casefold()), None)
