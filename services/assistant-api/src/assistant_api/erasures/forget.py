"""What goes when a patient is erased, in the caller's transaction, under the role of the clinic's calendar.

The appointments are deleted. Of the phone calls in which they were made or changed, kept answers are blanked: a late
repeat of such a tool call must find its row, or it would book anew. The row's hash of what was asked stays as long as
the row (`TOOL_CALLS_KEEP_DAYS`). Counts of wrong tries go with the calls and the number.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Final
from uuid import UUID

from assistant_api.appointments.phones import Phone
from assistant_api.appointments.tries import scope_of
from assistant_api.settings.commands import ErasureSettings
from assistant_api.tool_calls.answers import ERASED
from assistant_api.tool_calls.identity import NOBODY_KNOWS, request_secret
from zerotouch_platform.postgres.pool import Connection

_CALLS: Final = """
SELECT call_id, tool_call_id FROM appointments WHERE org_id = $1 AND id = ANY($2::uuid[])
UNION SELECT call_id, tool_call_id FROM appointment_calls WHERE org_id = $1 AND appointment_id = ANY($2::uuid[])
"""
_DELETE: Final = "DELETE FROM appointments WHERE org_id = $1 AND id = ANY($2::uuid[])"
# All of a phone call; where no call is known, the very tool calls.
_BLANK: Final = """
UPDATE tool_calls t SET code = $4, failed = true, answer = $5
WHERE org_id = $1 AND code <> $4 AND EXISTS (
    SELECT FROM unnest($2::text[], $3::text[]) AS n (call_id, tool_call_id)
    WHERE t.call_id = n.call_id AND (n.call_id <> '' OR t.tool_call_id = n.tool_call_id))
"""
_TRIES: Final = "DELETE FROM missed_claims WHERE org_id = $1 AND scope = ANY($2::text[])"
_NOW: Final = "SELECT now()"


@dataclass(frozen=True, slots=True)
class Forgotten:
    """How many appointments went and kept answers were blanked, and in which phone calls they were made or changed."""

    appointments: int
    answers: int
    calls: tuple[str, ...]


async def forget(
    connection: Connection,
    org_id: UUID,
    appointments: Sequence[UUID],
    names: Collection[str],
    settings: ErasureSettings,
) -> Forgotten:
    """Forget these appointments, and what else tells of them. ``names`` are the patient's number's."""
    ids = list(appointments)
    rows = await connection.fetch(_CALLS, org_id, ids)
    deleted = await connection.execute(_DELETE, org_id, ids)
    pairs = [(row["call_id"], row["tool_call_id"]) for row in rows]
    blanked = await connection.execute(
        _BLANK, org_id, [call for call, _ in pairs], [one for _, one in pairs], ERASED.code, ERASED.text
    )
    calls = sorted({call for call, _ in pairs} - {NOBODY_KNOWS})
    tries = await _scopes_of(connection, names, settings)
    await connection.execute(_TRIES, org_id, [*calls, *tries])
    return Forgotten(_count(deleted), _count(blanked), tuple(calls))


async def _scopes_of(connection: Connection, names: Collection[str], settings: ErasureSettings) -> list[str]:
    """Where tries without a conversation were counted: by number and hour, for as long as that is kept."""
    now = await connection.fetchval(_NOW)
    secret = request_secret(settings.vapi_api_key.get_secret_value())
    phones = [Phone(None, name, possible=True) for name in names]
    hours = [now - timedelta(hours=hour) for hour in range(-1, 24 * settings.tool_calls_keep_days + 1)]
    return [scope_of(NOBODY_KNOWS, phone, secret=secret, now=hour) for phone in phones for hour in hours]


def _count(status: str) -> int:
    return int(status.rpartition(" ")[2])
