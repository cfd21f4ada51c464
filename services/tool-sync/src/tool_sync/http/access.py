"""Who asks, and reading as them."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated, Final
from uuid import UUID

from fastapi import Depends, Request, Security
from fastapi.security import HTTPBearer

from tool_sync import db
from tool_sync.db import Connection, Pool, tenant_tx
from tool_sync.http.problems import Problem
from tool_sync.http.state import state_of
from zerotouch_contracts.errors import ErrorCode
from zerotouch_platform.auth import Caller, OrgMember
from zerotouch_platform.postgres.pool import ACQUIRE_SECONDS

_bearer: Final = HTTPBearer(
    auto_error=False, bearerFormat="JWT", description="Role `platform`, or `org` with `org_id`."
)


def _caller(request: Request, _documented: Annotated[object, Security(_bearer)]) -> Caller:
    return state_of(request).verifier.caller_of(request.headers.get("authorization"))


AnyCaller = Annotated[Caller, Depends(_caller)]


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
async def reading(pool: "Pool | None", org_id: UUID | None) -> AsyncIterator[Connection]:
    """A read as one tenant, whoever asks for it: row-level security stands behind every check; None: of everything."""
    if pool is None:
        raise Problem(503, ErrorCode.NOT_READY)
    try:
        if org_id is None:
            async with pool.acquire(timeout=ACQUIRE_SECONDS) as connection:
                yield connection
        else:
            async with tenant_tx(pool, org_id) as connection:
                yield connection
    except db.TRANSIENT_ERRORS as error:  # fmt: skip
        raise Problem(503, ErrorCode.NOT_READY) from error
