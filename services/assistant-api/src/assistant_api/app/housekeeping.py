"""Deletes what nobody needs any more, and patients' data that is too old: once an hour, a limited number at a time."""

from typing import Final

from assistant_api.db import Database
from assistant_api.settings import Settings

PAUSE_SECONDS: Final = 3600.0
ROWS_MAX: Final = 5000

_SAVES: Final = """
DELETE FROM saves WHERE request_id IN (
    SELECT request_id FROM saves WHERE state <> 'open' AND closed_at < now() - make_interval(days => $1) LIMIT $2)
"""
_KEYS: Final = """
DELETE FROM idempotency_keys WHERE (scope, key) IN (
    SELECT scope, key FROM idempotency_keys WHERE created_at < now() - make_interval(hours => $1) LIMIT $2)
"""
_APPOINTMENTS: Final = """
DELETE FROM appointments WHERE (org_id, id) IN (
    SELECT org_id, id FROM appointments WHERE ends_at < now() - make_interval(days => $1) LIMIT $2)
"""
_TOOL_CALLS: Final = """
DELETE FROM tool_calls WHERE (org_id, call_id, tool_call_id, request) IN (
    SELECT org_id, call_id, tool_call_id, request FROM tool_calls
    WHERE handled_at < now() - make_interval(days => $1) LIMIT $2)
"""
_CLAIMS: Final = """
DELETE FROM missed_claims WHERE (org_id, scope) IN (
    SELECT org_id, scope FROM missed_claims WHERE missed_at < now() - make_interval(days => $1) LIMIT $2)
"""
_ACCESS: Final = """
DELETE FROM access_log WHERE id IN (
    SELECT id FROM access_log WHERE at < now() - make_interval(days => $1) LIMIT $2)
"""
# Of a clinic that was deleted, once nothing of it is at Vapi; tool-sync has had its time to delete the tools.
_ACCOUNTS: Final = """
DELETE FROM vapi_accounts WHERE org_id IN (
    SELECT org_id FROM vapi_accounts
    WHERE closed_at < now() - make_interval(secs => $1) AND NOT is_at_vapi(org_id) LIMIT $2)
"""
GRACES_OF_ACCOUNTS: Final = 2
"""So many times the tools' grace the account of a deleted clinic is kept."""


# What Vapi still has to delete stays on its receipt.
_ERASURES: Final = """
DELETE FROM erasures WHERE id IN (
    SELECT id FROM erasures e WHERE erased_at < now() - make_interval(days => $1)
      AND NOT EXISTS (SELECT FROM erased_calls c WHERE c.erasure_id = e.id AND c.state = 'to_delete') LIMIT $2)
"""


class Housekeeping:
    """What is old, by kind."""

    def __init__(self, settings: Settings, database: Database) -> None:
        self._settings, self._database = settings, database

    async def run_once(self) -> bool:
        """Delete at most ``ROWS_MAX`` rows of each kind; whether there may be more."""
        async with self._database.connection() as connection:
            saves = await connection.execute(_SAVES, self._settings.saves_keep_days, ROWS_MAX)
            keys = await connection.execute(_KEYS, self._settings.idempotency_keep_hours, ROWS_MAX)
            old = await connection.execute(_APPOINTMENTS, self._settings.appointment_retention_days, ROWS_MAX)
            calls = await connection.execute(_TOOL_CALLS, self._settings.tool_calls_keep_days, ROWS_MAX)
            claims = await connection.execute(_CLAIMS, self._settings.tool_calls_keep_days, ROWS_MAX)
            access = await connection.execute(_ACCESS, self._settings.access_keep_days, ROWS_MAX)
            kept_seconds = GRACES_OF_ACCOUNTS * self._settings.tool_grace_seconds
            await connection.execute(_ACCOUNTS, kept_seconds, ROWS_MAX)
            erasures = await connection.execute(_ERASURES, self._settings.erasures_keep_days, ROWS_MAX)
        return f"DELETE {ROWS_MAX}" in {saves, keys, old, calls, claims, access, erasures}
