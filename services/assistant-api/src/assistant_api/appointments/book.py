"""Booking: the constraint decides who gets a slot, not this code."""

from datetime import datetime
from typing import Final

import uuid_utils.compat as uuids

from assistant_api.appointments.calendar import Clinic, look_from, starts_at
from assistant_api.appointments.clinic import minute_of
from assistant_api.appointments.offers import next_free
from assistant_api.appointments.outcomes import Booked, Refused
from assistant_api.appointments.patients import patient_key
from assistant_api.appointments.phones import Phone, keys_of, read
from assistant_api.db import Connection
from zerotouch_contracts.tools import BookClinicAppointment

# ON CONFLICT waits for a transaction that holds the slot, and needs neither a savepoint nor deadlock detection.
_INSERT: Final = """
INSERT INTO appointments (org_id, id, calendar, patient_name, patient_phone, phone_e164, service, notes,
                          starts_at, ends_at, call_id, tool_call_id)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)
ON CONFLICT DO NOTHING RETURNING true
"""
# A statement of its own: it sees what was committed while the one above waited.
_OWN: Final = """
SELECT id, patient_name, patient_phone, phone_e164 FROM appointments
WHERE org_id = $1 AND starts_at = $2 AND status = 'booked' AND call_id = $3 FOR UPDATE
"""
# The caller's last words count: what was said about the same appointment before is replaced, where anything was said.
_AMEND: Final = """
UPDATE appointments SET service = $3, notes = CASE WHEN $4 = '' THEN notes ELSE $4 END, updated_at = now()
WHERE org_id = $1 AND id = $2 AND (service <> $3 OR (notes <> $4 AND $4 <> ''))
"""


async def book(
    connection: Connection,
    clinic: Clinic,
    wish: BookClinicAppointment,
    *,
    conversation: str,
    tool_call_id: str,
    now: datetime,
    days_ahead_max: int,
) -> Booked | Refused:
    """Book what a caller asks for, or say why not and what is free. Writes in the caller's transaction."""
    phone = read(wish.patient_phone, clinic.country)
    if phone is None or not phone.possible:
        return Refused("no_number")
    minute = minute_of(wish.appointment_time)
    starts = starts_at(clinic, wish.appointment_date, minute, now=now, days_ahead_max=days_ahead_max)
    if isinstance(starts, str):
        earliest = look_from(clinic, wish.appointment_date, minute, now=now, why_not=starts)
        return Refused(starts, await next_free(connection, clinic, earliest))
    service = service_of(clinic, wish.service)
    if service is None:
        return Refused("unknown_service", await next_free(connection, clinic, starts[0]), clinic.services)
    for start in starts:
        made = await connection.fetchval(
            _INSERT,
            clinic.org_id,
            uuids.uuid7(),
            clinic.number,
            wish.patient_name,
            wish.patient_phone,
            phone.e164,
            service,
            wish.notes,
            start,
            start + clinic.slot,
            conversation,
            tool_call_id,
        )
        if made or await _is_own(connection, clinic, wish, phone, service, start, conversation):
            return Booked(start, already=not made)
    return Refused("taken", await next_free(connection, clinic, starts[0]))


async def _is_own(
    connection: Connection,
    clinic: Clinic,
    wish: BookClinicAppointment,
    phone: Phone,
    service: str,
    start: datetime,
    conversation: str,
) -> bool:
    """Whether the slot was booked in the same conversation for the same number and patient.

    A model that asks twice must not be told that its own booking is in the way. The patient counts: one mother calls
    for two children.
    """
    if not conversation:
        return False
    found = await connection.fetchrow(_OWN, clinic.org_id, start, conversation)
    if found is None or patient_key(found["patient_name"]) != patient_key(wish.patient_name):
        return False
    if not phone.is_one_of(keys_of(found["patient_phone"], found["phone_e164"], clinic.country)):
        return False
    await connection.execute(_AMEND, clinic.org_id, found["id"], service, wish.notes)
    return True


def service_of(clinic: Clinic, wished: str) -> str | None:
    """The service as the clinic spells it; as wished where it has no list; None where it does not have it."""
    if not clinic.services:
        return wished
    return next((service for service in clinic.services if service.casefold() == wished.casefold()), None)
