"""The clinic's view of its appointments: pages in order of their start."""

from datetime import datetime
from typing import Any, Final
from uuid import UUID

import asyncpg

from assistant_api.access_log.entry import Entry
from assistant_api.access_log.record import beside
from assistant_api.appointments.access import calendar_of
from assistant_api.appointments.clinic import country_of_clinic
from assistant_api.appointments.phones import read
from assistant_api.db import Database
from assistant_api.paging import cursor_text, time_and_id
from assistant_api.problem import not_found
from assistant_api.shown_rows import as_json

PAGE_MAX: Final = 200

_ORGANIZATION: Final = "SELECT country, time_zone FROM organizations WHERE id = $1"
COLUMNS: Final = (
    "id, org_id, patient_name, patient_phone, phone_e164 AS patient_phone_e164, service, notes, starts_at AS start,"
    ' ends_at AS "end", status, call_id, tool_call_id, created_at, updated_at'
)
_PAGE: Final = f"""
SELECT {COLUMNS} FROM appointments
WHERE org_id = $1 AND ($2::timestamptz IS NULL OR starts_at >= $2)
AND ($3::timestamptz IS NULL OR (starts_at, id) > ($3, $4::uuid))
ORDER BY starts_at, id LIMIT $5
"""  # noqa: S608 - a constant


async def page(
    database: Database, org_id: UUID, entry: Entry, *, earliest: datetime | None, limit: int, after: str | None
) -> dict[str, Any]:
    """A page of an organization's appointments; ``next`` is the cursor of the following one, None at the end.

    ``entry`` is the row of the access log; what is returned is committed with it.
    """
    after_start, after_id = time_and_id(after)
    async with calendar_of(database, org_id) as connection:
        clinic = await connection.fetchrow(*beside(entry, _ORGANIZATION, org_id))
        if clinic is None:
            raise not_found()
        rows = await connection.fetch(_PAGE, org_id, earliest, after_start, after_id, limit + 1)
    last = rows[limit - 1] if len(rows) > limit else None
    following = None if last is None else cursor_text(last["start"].isoformat(), str(last["id"]))
    country = country_of_clinic(clinic["country"], clinic["time_zone"])
    return {"items": [shown(row, country) for row in rows[:limit]], "next": following}


def shown(row: asyncpg.Record, country: str | None) -> dict[str, Any]:
    """An appointment with ``COLUMNS``, as HTTP shows it; ``country`` says how national numbers are read."""
    phone = read(row["patient_phone"], country)
    return as_json(row) | {"patientPhoneE164": row["patient_phone_e164"] or (phone and phone.e164)}
