"""What there is of one patient, for the patient: the appointments of a number, and what was answered in their calls."""

from typing import Any, Final
from uuid import UUID

from assistant_api.access_log.entry import Entry
from assistant_api.access_log.record import record
from assistant_api.appointments.access import as_calendar
from assistant_api.appointments.listing import COLUMNS, shown
from assistant_api.erasures.names import ByPhone, appointments_of, country_of, is_of, names_of
from assistant_api.shown_rows import as_json
from zerotouch_platform.postgres.pool import Connection

_APPOINTMENTS: Final = f"""
SELECT {COLUMNS} FROM appointments WHERE org_id = $1 AND id = ANY($2::uuid[]) ORDER BY starts_at, id
"""  # noqa: S608 - a constant
_CALLS: Final = """
WITH theirs AS (
    SELECT org_id, call_id, tool_call_id FROM appointments WHERE org_id = $1 AND id = ANY($2::uuid[])
    UNION SELECT org_id, call_id, tool_call_id FROM appointment_calls
    WHERE org_id = $1 AND appointment_id = ANY($2::uuid[]))
SELECT call_id, tool_call_id, t.tool, t.code, t.answer, t.handled_at
FROM theirs LEFT JOIN tool_calls t USING (org_id, call_id, tool_call_id)
ORDER BY t.handled_at NULLS FIRST, call_id, tool_call_id
"""


async def export(connection: Connection, org_id: UUID, said: str, entry: Entry) -> dict[str, Any]:
    """All of it as JSON, in the caller's transaction; ``entry`` is its row in the access log.

    Raises what :mod:`.names` does. A call whose answer is not kept any more has nothing but its ids.
    """
    await record(connection, entry)
    country = await country_of(connection, org_id)
    async with as_calendar(connection, org_id):
        patient = ByPhone(said)
        names = await names_of(connection, org_id, patient, country)
        there = await appointments_of(connection, org_id, country)
        found = [one.id for one in there if is_of(patient, names, one)]
        appointments = await connection.fetch(_APPOINTMENTS, org_id, found)
        calls = await connection.fetch(_CALLS, org_id, found)
    return {
        "orgId": str(org_id),
        "appointments": [shown(row, country) for row in appointments],
        "calls": [_call(row) for row in calls],
    }


def _call(row: Any) -> dict[str, Any]:
    at = row["handled_at"]
    return as_json(row) | {"handledAt": None if at is None else at.isoformat(timespec="milliseconds")}
