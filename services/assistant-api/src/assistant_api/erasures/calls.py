"""Phone calls of erased patients at Vapi, which keeps transcripts and recordings: deleted in the background.

    kept        not by us: the setting was off, or what is known of the call is no id of Vapi's
    to_delete   until Vapi has deleted it, for as long as that takes; its 404 says that it is gone
    deleted

A DELETE may be sent twice, which changes nothing. The key's pauses and its rate are those of all our calls.
"""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, assert_never
from uuid import UUID

import structlog

from assistant_api.db import DATABASE_AWAY, Database
from assistant_api.settings import Settings
from assistant_api.vapi.accounts import Accounts
from assistant_api.vapi.answers import Found, Gone, Later, Refused, Unknown, Write
from assistant_api.vapi.claims import Claims, Clinics
from assistant_api.vapi.client import VapiClient
from zerotouch_contracts.errors import ErrorCode
from zerotouch_platform.loops import Wake, in_one_line
from zerotouch_platform.postgres.pool import Connection

_log: Final = structlog.get_logger()

# Vapi's ids of calls are UUIDs. What else a conversation was known by (a chat, a gateway's session) is a hash here.
_ADD: Final = """
INSERT INTO erased_calls (erasure_id, org_id, call_id, state)
SELECT $1, $2, n.call_id, CASE WHEN $4 AND n.call_id ~* '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$'
                               THEN 'to_delete' ELSE 'kept' END
FROM unnest($3::text[]) AS n (call_id) ON CONFLICT DO NOTHING
"""
# `next_due` is the lease, too: whoever dies with a call leaves it to the next.
_CLAIM: Final = """
UPDATE erased_calls c SET next_due = now() + make_interval(secs => $2)
FROM (SELECT erasure_id, call_id FROM erased_calls WHERE state = 'to_delete' AND next_due <= now()
        AND ($3::uuid[] IS NULL OR org_id = ANY ($3::uuid[])) AND org_id <> ALL ($4::uuid[])
      ORDER BY next_due LIMIT $1 FOR UPDATE SKIP LOCKED) AS due
WHERE c.erasure_id = due.erasure_id AND c.call_id = due.call_id
RETURNING c.erasure_id, c.org_id, c.call_id, c.failures,
          coalesce((SELECT account FROM vapi_accounts a WHERE a.org_id = c.org_id), $5) AS account
"""
_DELETED: Final = """
UPDATE erased_calls SET state = 'deleted', failure_code = NULL WHERE erasure_id = $1 AND call_id = $2
"""
_LATER: Final = """
UPDATE erased_calls SET next_due = now() + make_interval(secs => $3), failure_code = $4, failures = failures + $5
WHERE erasure_id = $1 AND call_id = $2 AND state = 'to_delete'
"""


async def add_calls(
    connection: Connection, erasure_id: UUID, org_id: UUID, calls: Sequence[str], *, delete: bool
) -> None:
    """Put the phone calls of an erasure on its receipt; ``delete``: they are to be deleted at Vapi."""
    await connection.execute(_ADD, erasure_id, org_id, list(calls), delete)


@dataclass(frozen=True, slots=True)
class _Call:
    erasure_id: UUID
    org_id: UUID
    call_id: str
    failures: int
    account: str


class CallDeletions:
    """Deletes what is due, at most `removal_concurrency_max` at a time."""

    def __init__(
        self,
        database: Database,
        accounts: Accounts,
        settings: Settings,
        claims: Claims,
        *,
        writes_suspended: Callable[[], bool],
    ) -> None:
        self._database, self._accounts, self._settings = database, accounts, settings
        self._claims, self._writes_suspended = claims, writes_suspended
        self.wake: Final = Wake()

    async def run_once(self) -> int:
        """Delete the calls that are due, to their ends; how many were tried."""
        if self._writes_suspended():
            return 0
        async with self._database.connection() as connection:

            async def take(limit: int, clinics: Clinics) -> Sequence[_Call]:
                lease_seconds, platform = self._settings.removal_lease_seconds, self._settings.vapi_account
                whose = clinics.only, list(clinics.but)
                rows = await connection.fetch(_CLAIM, limit, lease_seconds, *whose, platform)
                return [_Call(**dict(row)) for row in rows]

            calls = await self._claims.of(connection, self._settings.removal_concurrency_max, take)
        await asyncio.gather(*(self._try(call) for call in calls))
        return len(calls)

    async def _try(self, call: _Call) -> None:
        try:
            await self._delete(call)
        except DATABASE_AWAY as error:  # tried again when the lease is over
            _log.warning("erased_call_interrupted", erasure_id=str(call.erasure_id), reason=in_one_line(error))

    async def _delete(self, call: _Call) -> None:
        async with self._accounts.of(call.org_id, call.account) as at:
            answer = at if isinstance(at, Later) else await _deleted(at.vapi, call.call_id)
        match answer:
            case Found() | Gone():
                async with self._database.connection() as connection:
                    await connection.execute(_DELETED, call.erasure_id, call.call_id)
                _log.info("erased_call_deleted", org_id=str(call.org_id), erasure_id=str(call.erasure_id))
            case Later():
                await self._later(call, answer)
            case Unknown(code):
                await self._later(call, Later(code))
            case Refused(status):
                _log.error("erased_call_refused", erasure_id=str(call.erasure_id), status=status, alarm=True)
                await self._later(call, Later(ErrorCode.CALL_REFUSED, self._settings.retry_seconds_max))
            case _:
                assert_never(answer)

    async def _later(self, call: _Call, later: Later) -> None:
        seconds = later.delay_seconds(self._settings, call.failures)
        async with self._database.connection() as connection:
            await connection.execute(
                _LATER, call.erasure_id, call.call_id, seconds, later.code.value, int(later.counts_as_attempt)
            )


async def _deleted(vapi: VapiClient, call_id: str) -> Write:
    ticket = await vapi.key.admit(save=False)
    return ticket if isinstance(ticket, Later) else await vapi.delete_call(call_id, ticket)
