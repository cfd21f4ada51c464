"""What is known of an org: its tools and its history."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated, Any, Final
from uuid import UUID

import asyncpg
from fastapi import APIRouter, Depends, Query, Request, Security
from fastapi.security import HTTPBearer

from tool_sync.auth import Caller, OrgMember
from tool_sync.db import Connection, Pool, tenant_tx
from tool_sync.http import reads
from tool_sync.http.problems import MEDIA_TYPE, Problem
from tool_sync.http.state import state_of
from zerotouch_contracts.errors import ErrorCode

HISTORY_LIMIT_DEFAULT: Final = 100
HISTORY_LIMIT_MAX: Final = 500
POSITION_MAX: Final = 2**63 - 1

_PROBLEM: Final = {"content": {MEDIA_TYPE: {"schema": {"type": "object"}}}}
_PROBLEMS: Final[dict[int | str, dict[str, Any]]] = {
    401: {"description": "The token is missing, wrong or expired.", **_PROBLEM},
    404: {"description": "There is no such organization for this caller.", **_PROBLEM},
    422: {"description": "The request does not have the documented form.", **_PROBLEM},
    503: {"description": "The database does not answer.", **_PROBLEM},
}

_bearer = HTTPBearer(auto_error=False, bearerFormat="JWT", description="Role `platform`, or `org` with `org_id`.")


def _caller(request: Request, _documented: Annotated[object, Security(_bearer)]) -> Caller:
    return state_of(request).verifier.caller_of(request.headers.get("authorization"))


def _readable_org(org_id: UUID, caller: Annotated[Caller, Depends(_caller)]) -> UUID:
    """The org of the path, where the caller may read it: another one's existence is not told."""
    if isinstance(caller, OrgMember) and caller.org_id != org_id:
        raise Problem(404, ErrorCode.NOT_FOUND)
    return org_id


ReadableOrg = Annotated[UUID, Depends(_readable_org)]

router = APIRouter(prefix="/v1/orgs/{org_id}", tags=["organizations"], responses=_PROBLEMS)


@router.get("/tools", summary="The tools that an organization has in Vapi")
async def get_tools(request: Request, org_id: ReadableOrg) -> reads.OrgTools:
    """All of them, by name; a disabled one was deleted at Vapi by somebody else and is being made anew."""
    async with _reading(state_of(request).pool, org_id) as connection:
        return _found(await reads.tools_of(connection, org_id))


@router.get("/history", summary="What happened to an organization")
async def get_history(
    request: Request,
    org_id: ReadableOrg,
    after: Annotated[int, Query(ge=0, le=POSITION_MAX, description="Only events above this position.")] = 0,
    limit: Annotated[int, Query(ge=1, le=HISTORY_LIMIT_MAX)] = HISTORY_LIMIT_DEFAULT,
) -> reads.History:
    """Its events, oldest first, a page at a time: pass `next_after` as `after` for the next one."""
    async with _reading(state_of(request).pool, org_id) as connection:
        return _found(await reads.history_of(connection, org_id, after=after, limit=limit))


def _found(answer: reads.T | None) -> reads.T:
    if answer is None:
        raise Problem(404, ErrorCode.NOT_FOUND)
    return answer


@asynccontextmanager
async def _reading(pool: "Pool | None", org_id: UUID) -> AsyncIterator[Connection]:
    """A read as this one tenant, whoever asks: row-level security stands behind the check of the path."""
    if pool is None:
        raise Problem(503, ErrorCode.NOT_READY)
    try:
        async with tenant_tx(pool, org_id) as connection:
            yield connection
    except (OSError, TimeoutError, asyncpg.InterfaceError, asyncpg.PostgresError) as error:
        raise Problem(503, ErrorCode.NOT_READY) from error
