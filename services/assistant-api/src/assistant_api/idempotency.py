"""`Idempotency-Key` on POSTs: the first answer is kept and given again.

Ids that a request makes (its request id, the id of a new agent) are derived from the key. So a request whose process
died half-way can simply be run again: it finds what the first try wrote.
"""

import hashlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final
from uuid import UUID, uuid5

import uuid_utils.compat as uuids
from starlette.responses import Response

from assistant_api.auth import Caller, Tenant
from assistant_api.db import Connection, Database
from assistant_api.problems import Problem, invalid, to_response
from assistant_api.settings import Settings
from zerotouch_contracts.errors import ErrorCode

NAMESPACE: Final = UUID("5a0d7a52-6f0e-4c1e-9a5e-3b1f1c9a7e01")
KEY_CHARACTERS_MAX: Final = 255

# A lock that has run out belongs to a request that died: whoever asks next takes its place.
_TAKE: Final = """
INSERT INTO idempotency_keys (scope, key, request_hash, locked_until)
VALUES ($1, $2, $3, now() + make_interval(secs => $4))
ON CONFLICT (scope, key) DO UPDATE SET locked_until = excluded.locked_until
WHERE idempotency_keys.status IS NULL AND idempotency_keys.locked_until < now()
  AND idempotency_keys.request_hash = excluded.request_hash
RETURNING true
"""
_READ: Final = "SELECT request_hash, status, body, content_type FROM idempotency_keys WHERE scope = $1 AND key = $2"
_KEEP: Final = "UPDATE idempotency_keys SET status = $3, body = $4, content_type = $5 WHERE scope = $1 AND key = $2"
_FREE: Final = "DELETE FROM idempotency_keys WHERE scope = $1 AND key = $2 AND status IS NULL"


@dataclass(frozen=True, slots=True)
class Ids:
    """Where the ids that a request makes come from: chance, or its idempotency key."""

    seed: str | None = None

    def make(self, what: str) -> UUID:
        """An id for ``what``; the same for the same key."""
        return uuids.uuid7() if self.seed is None else uuid5(NAMESPACE, f"{self.seed}|{what}")


def scope_of(caller: Caller) -> str:
    """Whose keys these are: one caller's never meet another's."""
    org = str(caller.org_id) if isinstance(caller, Tenant) else ""
    return f"{caller.role}|{org}|{caller.subject}"[:500]


async def answer_once(
    database: Database,
    settings: Settings,
    caller: Caller,
    key: str | None,
    route: str,
    raw: bytes,
    answer: Callable[[Ids], Awaitable[Response]],
) -> Response:
    """Run ``answer``, or give the kept answer of the first request with this key.

    422 where the key came with another route or body, 409 while the first is still being answered. Answers from 500 on
    are not kept: the next try is a new one.
    """
    if key is None:
        return await answer(Ids())
    if not 0 < len(key) <= KEY_CHARACTERS_MAX or not key.isprintable():
        raise invalid(f"Idempotency-Key must have 1 to {KEY_CHARACTERS_MAX} printable characters")
    scope = scope_of(caller)
    request_hash = hashlib.sha256(route.encode() + b"\n" + raw).hexdigest()
    async with database.connection() as connection:
        taken = await connection.fetchval(_TAKE, scope, key, request_hash, settings.idempotency_lock_seconds)
        kept = None if taken else await connection.fetchrow(_READ, scope, key)
    if kept is not None:
        return _kept(kept["request_hash"] == request_hash, kept["status"], kept["body"], kept["content_type"])
    if not taken:
        raise _in_progress()
    try:
        response = await _answer_or_problem(answer, Ids(f"{scope}|{key}"))
    except BaseException:
        async with database.connection() as connection:
            await connection.execute(_FREE, scope, key)
        raise
    async with database.connection() as connection:
        if response.status_code >= 500:
            await connection.execute(_FREE, scope, key)
        else:
            text = bytes(response.body).decode()
            await connection.execute(_KEEP, scope, key, response.status_code, text, response.media_type)
    return response


async def keep_within(connection: Connection, caller: Caller, key: str | None, status: int) -> None:
    """Keep an answer without a body in the transaction that makes it true.

    For what leaves no row behind that a second try could find: a process that dies after the commit has answered.
    """
    if key is not None:
        await connection.execute(_KEEP, scope_of(caller), key, status, "", None)


async def _answer_or_problem(answer: Callable[[Ids], Awaitable[Response]], ids: Ids) -> Response:
    try:
        return await answer(ids)
    except Problem as problem:  # an answer like any other, and kept like any other
        return to_response(problem)


def _kept(same_request: bool, status: int | None, body: str | None, content_type: str | None) -> Response:
    if not same_request:
        raise Problem(422, ErrorCode.IDEMPOTENCY_MISMATCH, "this Idempotency-Key came with another request before")
    if status is None:
        raise _in_progress()
    return Response(body, status, {"Idempotent-Replayed": "true"}, content_type)


def _in_progress() -> Problem:
    return Problem(409, ErrorCode.IDEMPOTENCY_IN_PROGRESS, "the first request with this key is still being answered")
