"""Booking: the constraint decides who gets a slot, not this code."""

from datetime import datetime
from typing import Final
from uuid import UUID

import uuid_utils.compat as uuids

from assistant_api.appointments.calendar import Clinic, look_from, starts_at
from assistant_api.appointments.clinic import minute_of
from assistant_api.appointments.offers import next_free
from assistant_api.appointments.outcomes import Booked, ChangeRefused
from assistant_api.appointments.patients import patient_key
from assistant_api.appointments.phones import Phone, keys_of, read
from assistant_api.db import Connection
from zerotouch_contracts.arguments import BookClinicAppointment
from zerotouch_contracts.text import folded

# ON CONFLICT waits for a transaction that holds the slot, and needs neither a savepoint nor deadlock detection.
_INSERT: Final = """
INSERT INTO appointments (org_id, id, calendar, patient_name, patient_phone, phone_e164, service, notes,
                          starts_at, ends_at, call_id, tool_call_id)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)
ON CONFLICT DO NOTHING RETURNING id
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
# The conversation's appointments at other times, of all patients: names are compared by `patient_key`.
_OTHERS: Final = """
SELECT patient_name, starts_at FROM appointments
WHERE org_id = $1 AND starts_at > $2 AND starts_at <> $3 AND call_id = $4 AND status = 'booked' ORDER BY starts_at
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
) -> Booked | ChangeRefused:
    """Book what a caller asks for, or say why not and what is free. Writes in the caller's transaction."""
    phone = read(wish.patient_phone, clinic.country)
    if phone is None or not phone.possible:
        return ChangeRefused("no_number")
    minute = minute_of(wish.appointment_time)
    starts = starts_at(clinic, wish.appointment_date, minute, now=now, days_ahead_max=days_ahead_max)
    if isinstance(starts, str):
        earliest = look_from(clinic, wish.appointment_date, minute, now=now, why_not=starts)
        return ChangeRefused(starts, await next_free(connection, clinic, earliest))
    service = service_of(clinic, wish.service)
    if service is None:
        return ChangeRefused("unknown_service", await next_free(connection, clinic, starts[0]), clinic.services)
    said = wish.patient_name, wish.patient_phone, phone.e164, service, wish.notes
    for start in starts:
        new, slot = (clinic.org_id, uuids.uuid7(), clinic.number), (start, start + clinic.slot)
        made = await connection.fetchval(_INSERT, *new, *said, *slot, conversation, tool_call_id)
        booked = made or await _own(connection, clinic, wish, phone, service, start, conversation)
        if booked:
            earlier = await _earlier(connection, clinic, wish.patient_name, start, conversation, now)
            return Booked(start, booked, already=not made, earlier=earlier)
    return ChangeRefused("taken", await next_free(connection, clinic, starts[0]))


async def _own(
    connection: Connection,
    clinic: Clinic,
    wish: BookClinicAppointment,
    phone: Phone,
    service: str,
    start: datetime,
    conversation: str,
) -> UUID | None:
    """The appointment by which the slot was booked in the same conversation for the same number and patient, if so.

    A model that asks twice must not be told that its own booking is in the way. The patient counts: one mother calls
    for two children.
    """
    if not conversation:
        return None
    found = await connection.fetchrow(_OWN, clinic.org_id, start, conversation)
    if found is None or patient_key(found["patient_name"]) != patient_key(wish.patient_name):
        return None
    if not phone.is_one_of(keys_of(found["patient_phone"], found["phone_e164"], clinic.country)):
        return None
    appointment_id: UUID = found["id"]
    await connection.execute(_AMEND, clinic.org_id, appointment_id, service, wish.notes)
    return appointment_id


async def _earlier(
    connection: Connection, clinic: Clinic, patient_name: str, start: datetime, conversation: str, now: datetime
) -> tuple[datetime, ...]:
    """What else was booked for this patient in the same conversation: a model that changes a time books it anew, and
    must not believe that the first one is gone. Without a conversation nobody knows."""
    if not conversation:
        return ()
    rows = await connection.fetch(_OTHERS, clinic.org_id, now, start, conversation)
    patient = patient_key(patient_name)
    return tuple(row["starts_at"] for row in rows if patient_key(row["patient_name"]) == patient)


def service_of(clinic: Clinic, wished: str) -> str | None:
    """The service as the clinic spells it; as wished where it has no list; None where it does not have it."""
    if not clinic.services:
        return wished
    if wished in clinic.services:
        return wished
    alike = [service for service in clinic.services if _to_compare(service) == _to_compare(wished)]
    return alike[0] if len(alike) == 1 else None


def _to_compare(service: str) -> str:
    # Accents and words count: two services may differ in nothing else.
    return " ".join(folded(service).casefold().split())
