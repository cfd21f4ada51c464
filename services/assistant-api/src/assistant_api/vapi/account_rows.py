"""The table `vapi_accounts`: which clinics have an account of their own at Vapi, with its sealed key (ADR 76).

Triggers say each change on `vapi-accounts.v1`, and refuse one that would leave something of the clinic's behind.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

import asyncpg

from assistant_api.db import Connection
from assistant_api.problem import Problem, not_found
from zerotouch_contracts.errors import ErrorCode
from zerotouch_platform.postgres.pool import Connection as AnyConnection
from zerotouch_platform.vapi.envelope import Sealed

_ACCOUNT: Final = "SELECT coalesce((SELECT account FROM vapi_accounts WHERE org_id = $1), $2)"
# Of several clinics with one key the smallest rate that any of them was given holds for the key.
_SEALED: Final = """
SELECT a.account, a.sealed_key, a.key_fingerprint,
       (SELECT min(requests_per_minute) FROM vapi_accounts s WHERE s.key_fingerprint = a.key_fingerprint) AS rate
FROM vapi_accounts a WHERE a.org_id = $1
"""
_RATE: Final = (
    "SELECT count(*) AS clinics, min(requests_per_minute) AS rate FROM vapi_accounts WHERE key_fingerprint = $1"
)
_SHOWN: Final = """
SELECT account, key_fingerprint, tool_server_credential_id, requests_per_minute, changed_at, changed_by
FROM vapi_accounts WHERE org_id = $1 AND closed_at IS NULL
"""
_LISTED: Final = """
SELECT org_id, account, key_fingerprint, tool_server_credential_id, requests_per_minute, revision, changed_at,
       changed_by, closed_at, split_part(sealed_key, '.', 1) AS envelope
FROM vapi_accounts ORDER BY org_id
"""
_IS_CLINIC: Final = "SELECT EXISTS (SELECT FROM organizations WHERE id = $1)"
_FOR_TRIGGERS: Final = "SELECT set_config('app.traceparent', $1, true)"
# Before the account's row: whoever deletes a clinic locks them in this order, too.
_LOCK: Final = "SELECT true FROM organizations WHERE id = $1 FOR UPDATE"
_STORE: Final = """
INSERT INTO vapi_accounts AS a (org_id, account, sealed_key, key_fingerprint, tool_server_credential_id,
                                requests_per_minute, changed_by)
VALUES ($1, $2, $3, $4, $5, $6, $7)
ON CONFLICT (org_id) DO UPDATE
SET account = excluded.account, sealed_key = excluded.sealed_key, key_fingerprint = excluded.key_fingerprint,
    tool_server_credential_id = excluded.tool_server_credential_id,
    requests_per_minute = excluded.requests_per_minute, changed_by = excluded.changed_by
"""
_DELETE: Final = "DELETE FROM vapi_accounts WHERE org_id = $1 AND closed_at IS NULL"
_CANNOT_CHANGE: Final = (
    "the clinic has agents, or something of it is still to be deleted at Vapi: its account stays as it is. Another key"
    " of the same account can be stored at any time; for another account delete the clinic's agents first, and wait"
    " until their assistants are gone from Vapi"
)


@dataclass(frozen=True, slots=True)
class SealedRow:
    """A sealed key, and what its key may make of requests a minute; None: what Vapi's 429 says."""

    sealed: Sealed
    requests_per_minute: int | None


@dataclass(frozen=True, slots=True)
class Given:
    """What is stored beside the key."""

    tool_server_credential_id: str | None
    requests_per_minute: int | None
    by: str


async def account_of(connection: Connection, org_id: UUID, platform: str) -> str:
    """The account that a clinic is served with; ``platform``: what the platform's is called."""
    account: str = await connection.fetchval(_ACCOUNT, org_id, platform)
    return account


async def sealed_of(connection: Connection, org_id: UUID) -> SealedRow | None:
    """The clinic's sealed key; None where it has no account of its own."""
    row = await connection.fetchrow(_SEALED, org_id)
    if row is None:
        return None
    return SealedRow(Sealed(org_id, row["account"], row["sealed_key"], row["key_fingerprint"]), row["rate"])


async def rate_of(connection: Connection, fingerprint: str) -> tuple[bool, int | None]:
    """Whether a key is one of a clinic's own accounts, and its requests a minute."""
    row = await connection.fetchrow(_RATE, fingerprint)
    assert row is not None
    return row["clinics"] > 0, row["rate"]


async def is_clinic(connection: Connection, org_id: UUID) -> bool:
    """Whether there is such a clinic."""
    return bool(await connection.fetchval(_IS_CLINIC, org_id))


async def shown(connection: Connection, org_id: UUID) -> dict[str, Any]:
    """The clinic's own account, as anybody may see it: the columns of :data:`_SHOWN`. 404 where it has none."""
    row = await connection.fetchrow(_SHOWN, org_id)
    if row is None:
        raise not_found()
    return dict(row)


async def listed(connection: AnyConnection) -> list[dict[str, Any]]:
    """All of them, by clinic, for operators; ``envelope``: the id of the envelope key."""
    return [dict(row) for row in await connection.fetch(_LISTED)]


async def store(connection: Connection, sealed: Sealed, given: Given, traceparent: str) -> dict[str, Any]:
    """Give a clinic an account, or another key of the one that it has, inside the caller's transaction.

    404 without such a clinic, 409 where its account cannot be changed now.
    """
    if not await connection.fetchval(_LOCK, sealed.org_id):
        raise not_found()
    values: Sequence[Any] = (
        sealed.org_id, sealed.account, sealed.text, sealed.fingerprint, given.tool_server_credential_id,
        given.requests_per_minute, given.by,
    )  # fmt: skip
    await _changed(connection, _STORE, values, traceparent)
    return await shown(connection, sealed.org_id)


async def delete(connection: Connection, org_id: UUID, traceparent: str) -> None:
    """Let a clinic be served with the platform's account again, inside the caller's transaction. 404 and 409."""
    await connection.fetchval(_LOCK, org_id)
    if await _changed(connection, _DELETE, (org_id,), traceparent) == "DELETE 0":
        raise not_found()


async def _changed(connection: Connection, statement: str, values: Sequence[Any], traceparent: str) -> str:
    await connection.execute(_FOR_TRIGGERS, traceparent)
    try:
        return str(await connection.execute(statement, *values))
    except asyncpg.RestrictViolationError:
        raise Problem(409, ErrorCode.VAPI_ACCOUNT_UNAVAILABLE, _CANNOT_CHANGE) from None
