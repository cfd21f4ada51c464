"""Moving an appointment: one statement, so that a caller never loses the old slot without having the new one."""

from datetime import date, datetime
from typing import Final
from uuid import UUID

import asyncpg

from assistant_api.appointments.calendar import Clinic, look_from, starts_at
from assistant_api.appointments.claims import Claim
from assistant_api.appointments.clinic import minute_of
from assistant_api.appointments.find import find_one
from assistant_api.appointments.offers import next_free
from assistant_api.appointments.outcomes import ChangeRefused, Rescheduled
from assistant_api.db import Connection

_MOVE: Final = """
UPDATE appointments SET starts_at = $3, ends_at = $4, updated_at = now() WHERE org_id = $1 AND id = $2
"""


async def reschedule(
    connection: Connection,
    clinic: Clinic,
    claim: Claim,
    new_date: date,
    new_time: str,
    *,
    now: datetime,
    days_ahead_max: int,
) -> Rescheduled | ChangeRefused:
    """Move the caller's appointment to ``new_time`` (`HH:MM`), or say why not and what is free."""
    found = await find_one(connection, clinic, claim, now=now)
    if isinstance(found, ChangeRefused):
        return found
    minute = minute_of(new_time)
    starts = starts_at(clinic, new_date, minute, now=now, days_ahead_max=days_ahead_max)
    if isinstance(starts, str):
        earliest = look_from(clinic, new_date, minute, now=now, why_not=starts)
        return ChangeRefused(starts, await next_free(connection, clinic, earliest))
    appointment_id, _ = found
    for start in starts:
        if await _move(connection, clinic, appointment_id, start):
            return Rescheduled(start, appointment_id)
    return ChangeRefused("taken", await next_free(connection, clinic, starts[0]))


async def _move(connection: Connection, clinic: Clinic, appointment_id: UUID, start: datetime) -> bool:
    try:
        async with connection.transaction():  # a savepoint: the refusal has to be written in the same transaction
            await connection.execute(_MOVE, clinic.org_id, appointment_id, start, start + clinic.slot)
    except asyncpg.ExclusionViolationError:
        return False
    return True
