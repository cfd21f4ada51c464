"""`Idempotency-Key` on everything that writes: the first answer is kept and given again.

Ids that a request makes (its request id, the id of a new agent) come from a seed in the key's row. So a request whose
process died half-way can simply be run again: it finds what the first try wrote. A key that was pruned has no row and
no seed any more, and is a new request (ADR 23).
"""

import hashlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Annotated, Final
from uuid import UUID, uuid5

import uuid_utils.compat as uuids
from fastapi import Depends, Header, Request
from starlette.responses import Response

from assistant_api.db import Connection
from assistant_api.http.body import read_bytes
from assistant_api.http.dependencies import CallerOf, Dependencies, DependenciesOf
from assistant_api.http.problems import to_response
from assistant_api.problem import Problem, invalid
from zerotouch_contracts.errors import ErrorCode
from zerotouch_contracts.text import require_storable
from zerotouch_platform.auth import Caller, OrgMember
from zerotouch_platform.limits.answer import STATUS as STATUS_TOO_MANY

NAMESPACE: Final = UUID("5a0d7a52-6f0e-4c1e-9a5e-3b1f1c9a7e01")
KEY_CHARACTERS_MAX: Final = 255
SCOPE_CHARACTERS_MAX: Final = 500

# A lock that has run out belongs to a request that died: whoever asks next takes its place, and its seed.
_TAKE: Final = """
INSERT INTO idempotency_keys (scope, key, request_hash, locked_until, seed)
VALUES ($1, $2, $3, now() + make_interval(secs => $4), $5)
ON CONFLICT (scope, key) DO UPDATE SET locked_until = excluded.locked_until
WHERE idempotency_keys.status IS NULL AND idempotency_keys.locked_until < now()
  AND idempotency_keys.request_hash = excluded.request_hash
RETURNING true AS taken, seed
"""
_READ: Final = "SELECT request_hash, status, body, content_type FROM idempotency_keys WHERE scope = $1 AND key = $2"
# Once: what was kept within a transaction may since have lost the name of a clinic that was deleted.
_KEEP: Final = """
UPDATE idempotency_keys SET status = $3, body = $4, content_type = $5 WHERE scope = $1 AND key = $2 AND status IS NULL
"""
# Not deleted: what failed may have been written all the same, and the next try finds it by the seed.
_FREE: Final = """
UPDATE idempotency_keys SET locked_until = now() - interval '1 second' WHERE scope = $1 AND key = $2 AND status IS NULL
"""


@dataclass(frozen=True, slots=True)
class Ids:
    """Where the ids that a request makes come from: chance, or the seed of its idempotency key."""

    seed: str | None = None

    def make(self, what: str) -> UUID:
        """An id for ``what``; the same for the same seed."""
        return uuids.uuid7() if self.seed is None else uuid5(NAMESPACE, f"{self.seed}|{what}")


def scope_of(caller: Caller) -> str:
    """Whose keys these are: one caller's never meet another's.

    The subject is whatever the issuer of tokens makes it. One that is long or cannot be stored is hashed; `#` stands
    where no plain scope has it.
    """
    org = str(caller.org_id) if isinstance(caller, OrgMember) else ""
    plain = f"{caller.role}|{org}|{caller.subject}"
    if len(plain) <= SCOPE_CHARACTERS_MAX and is_storable(plain):
        return plain
    return f"{caller.role}#{org}#{hashlib.sha256(caller.subject.encode('utf-8', 'surrogatepass')).hexdigest()}"


def is_storable(text: str) -> bool:
    """Whether PostgreSQL takes a text."""
    try:
        require_storable(text)
    except ValueError:
        return False
    return True


class Once:
    """A request that writes: what it says, and its first answer, which its key brings again."""

    def __init__(self, request: Request, parts: Dependencies, caller: Caller, key: str | None) -> None:
        self._request, self._database, self._settings = request, parts.database, parts.settings
        self._caller, self._key = caller, key

    async def body(self) -> bytes:
        """The raw body."""
        return await read_bytes(self._request, self._settings.body_bytes_max)

    async def answer(self, route: str, raw: bytes, answer: Callable[[Ids], Awaitable[Response]]) -> Response:
        """Run ``answer``, or give the kept answer of the first request with this key.

        422 where the key came with another route or body, 409 while the first is still being answered. Answers from 500
        on are not kept: the next try takes up where the first one ended. Nor is a 429, which asks for a next try.
        """
        key = self._key
        if key is None:
            return await answer(Ids())
        # Bytes of any encoding reach us as characters up to U+00FF, of which only ASCII's control characters are
        # refused.
        if not 0 < len(key) <= KEY_CHARACTERS_MAX or any(char < " " or char == "\x7f" for char in key):
            raise invalid(f"Idempotency-Key must have 1 to {KEY_CHARACTERS_MAX} printable characters")
        scope = scope_of(self._caller)
        request_hash = hashlib.sha256(route.encode() + b"\n" + raw).hexdigest()
        lock_seconds = self._settings.idempotency_lock_seconds
        async with self._database.connection() as connection:
            taken = await connection.fetchrow(_TAKE, scope, key, request_hash, lock_seconds, uuids.uuid4())
            kept = None if taken else await connection.fetchrow(_READ, scope, key)
        if kept is not None:
            return _kept(kept["request_hash"] == request_hash, kept["status"], kept["body"], kept["content_type"])
        if not taken:
            raise _in_progress()
        try:
            response = await _answer_or_problem(answer, Ids(str(taken["seed"])))
        except BaseException:
            async with self._database.connection() as connection:
                await connection.execute(_FREE, scope, key)
            raise
        async with self._database.connection() as connection:
            if response.status_code >= 500 or response.status_code == STATUS_TOO_MANY:
                await connection.execute(_FREE, scope, key)
            else:
                await self.keep_within(connection, response)
        return response

    async def keep_within(self, connection: Connection, answer: Response) -> None:
        """Keep an answer in the transaction that makes it true.

        For what leaves no row behind that a second try could find: a process that dies after the commit has answered.
        """
        if self._key is not None:
            key, text = (scope_of(self._caller), self._key), bytes(answer.body).decode()
            await connection.execute(_KEEP, *key, answer.status_code, text, answer.media_type)


async def _once(
    request: Request,
    parts: DependenciesOf,
    caller: CallerOf,
    key: Annotated[
        str | None,
        Header(alias="Idempotency-Key", description="Repeat a request with its key, and its first answer comes again."),
    ] = None,
) -> Once:
    return Once(request, parts, caller, key)


OnceOf = Annotated[Once, Depends(_once)]


async def _answer_or_problem(answer: Callable[[Ids], Awaitable[Response]], ids: Ids) -> Response:
    try:
        return await answer(ids)
    except Problem as problem:  # an answer like any other, and kept like any other
        return to_response(problem)


def _kept(same_request: bool, status: int | None, body: str | None, content_type: str | None) -> Response:
    if not same_request:
        raise Problem(422, ErrorCode.IDEMPOTENCY_MISMATCH, "this Idempotency-Key was used before, with another request")
    if status is None:
        raise _in_progress()
    return Response(body, status, {"Idempotent-Replayed": "true"}, content_type)


def _in_progress() -> Problem:
    return Problem(409, ErrorCode.IDEMPOTENCY_IN_PROGRESS, "the first request with this key is still being answered")
