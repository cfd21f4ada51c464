"""Who asks, and reading as them."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated, Final
from uuid import UUID

from fastapi import Depends, Request, Security
from fastapi.security import HTTPBearer

from tool_sync import db
from tool_sync.db import Connection, tenant_tx
from tool_sync.http.needs import need_of
from tool_sync.http.problems import Problem
from tool_sync.http.state import HttpState, ready, state_of
from zerotouch_contracts.errors import ErrorCode
from zerotouch_platform.auth import Caller, OrgMember, Platform, require
from zerotouch_platform.postgres.pool import ACQUIRE_SECONDS

_bearer: Final = HTTPBearer(auto_error=False)  # described by zerotouch_platform.openapi
SUBJECT_CHARACTERS_MAX: Final = 200


# Coroutines, though they wait for nothing: FastAPI runs a plain function in a thread, and on a busy machine a request
# that changes threads twice waits for a core, and for the interpreter, twice.
async def _caller(request: Request, _documented: Annotated[object, Security(_bearer)]) -> Caller:
    caller = state_of(request).verifier.caller_of(request.headers.get("authorization"))
    require(caller, need_of(request))
    return caller


AnyCaller = Annotated[Caller, Depends(_caller)]


async def _platform(caller: AnyCaller) -> Platform:
    if not isinstance(caller, Platform):
        raise Problem(403, ErrorCode.FORBIDDEN, "this needs a token with the role platform")
    return caller


PlatformCaller = Annotated[Platform, Depends(_platform)]
"""Who runs the platform: a clinic's token is refused, whatever is asked for."""


def actor_of(caller: Caller) -> str:
    """``org:<sub>`` or ``platform:<sub>``; the subject is the signer's word, and is stored for ever."""
    subject = "".join(letter if letter.isprintable() else "?" for letter in caller.subject[:SUBJECT_CHARACTERS_MAX])
    return f"{caller.role}:{subject}"


def narrowed(caller: Caller, org_id: UUID | None) -> UUID | None:
    """The org that a question is about; an org's token reads that org, whether it names it or not."""
    if isinstance(caller, OrgMember) and org_id is None:
        return caller.org_id
    if org_id is not None:
        require_readable(caller, org_id)
    return org_id


def require_readable(caller: Caller, org_id: UUID) -> None:
    """Refuse where the caller may not read the org: another one's existence is not told."""
    if isinstance(caller, OrgMember) and caller.org_id != org_id:
        raise Problem(404, ErrorCode.NOT_FOUND)


@asynccontextmanager
async def reading(state: HttpState, org_id: UUID | None) -> AsyncIterator[Connection]:
    """A read as one tenant, whoever asks for it: row-level security stands behind every check; None: of everything.

    In turns of those who ask: what one of them reads is not in front of what all others want.
    """
    pool = ready(state.pool)
    try:
        async with state.turns.place(ACQUIRE_SECONDS):
            lent = pool.acquire(timeout=ACQUIRE_SECONDS) if org_id is None else tenant_tx(pool, org_id)
            async with lent as connection:
                yield connection
    except db.WAITED_OUT_ERRORS as error:  # fmt: skip
        raise Problem(503, ErrorCode.NOT_READY) from error
