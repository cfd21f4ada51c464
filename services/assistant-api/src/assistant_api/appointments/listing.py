"""The clinic's view of its appointments: pages in order of their start."""

from datetime import datetime
from typing import Any, Final
from uuid import UUID

import asyncpg

from assistant_api.appointments.access import calendar_of
from assistant_api.appointments.clinic import country_of_clinic
from assistant_api.appointments.phones import read
from assistant_api.db import Database
from assistant_api.paging import cursor_text, time_and_id
from assistant_api.problem import not_found

PAGE_MAX: Final = 200

_ORGANIZATION: Final = "SELECT country, time_zone FROM organizations WHERE id = $1"
_PAGE: Final = """
SELECT id, org_id, patient_name, patient_phone, phone_e164, service, notes, starts_at, ends_at, status, call_id,
tool_call_id, created_at, updated_at FROM appointments
WHERE org_id = $1 AND ($2::timestamptz IS NULL OR starts_at >= $2)
AND ($3::timestamptz IS NULL OR (starts_at, id) > ($3, $4::uuid))
ORDER BY starts_at, id LIMIT $5
"""


async def page(
    database: Database, org_id: UUID, *, earliest: datetime | None, limit: int, after: str | None
) -> dict[str, Any]:
    """A page of an organization's appointments; ``next`` is the cursor of the following one, None at the end."""
    after_start, after_id = time_and_id(after)
    async with calendar_of(database, org_id, readonly=True) as connection:
        clinic = await connection.fetchrow(_ORGANIZATION, org_id)
        if clinic is None:
            raise not_found()
        rows = await connection.fetch(_PAGE, org_id, earliest, after_start, after_id, limit + 1)
    last = rows[limit - 1] if len(rows) > limit else None
    following = None if last is None else cursor_text(last["starts_at"].isoformat(), str(last["id"]))
    country = country_of_clinic(clinic["country"], clinic["time_zone"])
    return {"items": [_shown(row, country) for row in rows[:limit]], "next": following}


def _shown(row: asyncpg.Record, country: str | None) -> dict[str, Any]:
    phone = read(row["patient_phone"], country)
    return {
        "id": str(row["id"]),
        "orgId": str(row["org_id"]),
        "patientName": row["patient_name"],
        "patientPhone": row["patient_phone"],
        "patientPhoneE164": row["phone_e164"] or (phone and phone.e164),
        "service": row["service"],
        "notes": row["notes"],
        "start": _time(row["starts_at"]),
        "end": _time(row["ends_at"]),
        "status": row["status"],
        "callId": row["call_id"],
        "toolCallId": row["tool_call_id"],
        "createdAt": _time(row["created_at"]),
        "updatedAt": _time(row["updated_at"]),
    }


def _time(time: datetime) -> str:
    return time.isoformat(timespec="milliseconds").replace("+00:00", "Z")
