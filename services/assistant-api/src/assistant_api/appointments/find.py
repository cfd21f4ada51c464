"""Finding the appointment that a caller names, if it is the caller's."""

from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from assistant_api.appointments.calendar import Clinic
from assistant_api.appointments.claims import Candidate, Claim, claimed
from assistant_api.appointments.outcomes import ChangeRefused
from assistant_api.appointments.phones import keys_of
from assistant_api.appointments.tries import may_try, note_miss
from assistant_api.db import Connection

# All of the day, two days around, because local days are not UTC's. Numbers are compared here and not by an index:
# which number a row has depends on the country that is known today.
_DAY: Final = """
SELECT id, starts_at, patient_name, patient_phone, phone_e164 FROM appointments
WHERE org_id = $1 AND status = 'booked' AND starts_at > $2 AND starts_at < $3 ORDER BY starts_at
"""
_HOLD: Final = "SELECT true FROM appointments WHERE org_id = $1 AND id = $2 AND starts_at = $3 FOR UPDATE"
# Moves of one clinic's appointments wait for each other: two that want the same slot would otherwise be a deadlock,
# as each has its row in the index before it looks. The constraint decides all the same. Tries wait, too, to be counted.
_LOCK: Final = "SELECT pg_advisory_xact_lock($1, hashtext($2))"
_LOCK_SPACE: Final = 0x7A74_0003
_AHEAD_MAX: Final = timedelta(days=366 * 5)


async def find_one(
    connection: Connection, clinic: Clinic, claim: Claim, *, now: datetime
) -> tuple[UUID, datetime] | ChangeRefused:
    """Id and start of the one appointment that is the caller's and has not begun; locked.

    Every miss is the same refusal, by the same statements, whatever was wrong with it: nobody is to learn who has an
    appointment. It is counted, and after three even the right one is a miss.
    """
    await connection.execute(_LOCK, _LOCK_SPACE, str(clinic.org_id))
    may = await may_try(connection, clinic.org_id, claim.scope)
    found = claimed(claim, await _candidates(connection, clinic, claim, now))
    if found is None or not may or not await connection.fetchval(_HOLD, clinic.org_id, found.id, found.start):
        await note_miss(connection, clinic.org_id, claim.scope)
        return ChangeRefused("no_appointment")
    return found.id, found.start


async def _candidates(connection: Connection, clinic: Clinic, claim: Claim, now: datetime) -> list[Candidate]:
    today = clinic.local(now).date()
    day = min(max(claim.day, today), today + _AHEAD_MAX)  # what PostgreSQL can count with
    noon = datetime.combine(day, datetime.min.time(), tzinfo=clinic.zone) + timedelta(hours=12)
    rows = await connection.fetch(_DAY, clinic.org_id, max(now, noon - timedelta(days=2)), noon + timedelta(days=2))
    return [
        Candidate(appointment_id, start, keys_of(said, e164, clinic.country), patient)
        for appointment_id, start, patient, said, e164 in rows
        if clinic.local(start).date() == claim.day
    ]
