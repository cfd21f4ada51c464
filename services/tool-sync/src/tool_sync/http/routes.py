"""What is known of an org: its tools, what changed for them, and its history."""

from typing import Annotated, Final, TypeVar
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Request

from tool_sync.http.access import AnyCaller, reading, require_readable
from tool_sync.http.problems import PROBLEMS, Problem
from tool_sync.http.state import state_of
from tool_sync.http.times import At
from tool_sync.log.read import POSITION_MAX
from tool_sync.queries.changes import ToolChanges, changes_of
from tool_sync.queries.org_tools import OrgTools, tools_at, tools_of
from tool_sync.queries.timeline import Timeline, history_of
from zerotouch_contracts.errors import ErrorCode

T = TypeVar("T")

HISTORY_LIMIT_DEFAULT: Final = 100
HISTORY_LIMIT_MAX: Final = 500


def _readable_org(org_id: UUID, caller: AnyCaller) -> UUID:
    """The org of the path, where the caller may read it: another one's existence is not told."""
    require_readable(caller, org_id)
    return org_id


ReadableOrg = Annotated[UUID, Depends(_readable_org)]

router = APIRouter(prefix="/v1/orgs/{org_id}", tags=["organizations"], responses=PROBLEMS)


@router.get("/tools", summary="List the tools that an organization has in Vapi")
async def get_tools(request: Request, org_id: ReadableOrg, at: At = None) -> OrgTools:
    """All of them, by name, now or at a time. A disabled one is not wanted any more, or somebody deleted it.

    `settings` are what is set for its tools, also for those that it does not have.
    """
    async with reading(state_of(request).pool, org_id) as connection:
        return _found(await (tools_of(connection, org_id) if at is None else tools_at(connection, org_id, at)))


@router.get("/changes", summary="List what changed for an organization's tools")
async def get_changes(
    request: Request,
    org_id: ReadableOrg,
    before: Annotated[
        int, Query(ge=1, le=POSITION_MAX, description="Only changes below this position.")
    ] = POSITION_MAX,
    limit: Annotated[int, Query(ge=1, le=HISTORY_LIMIT_MAX)] = HISTORY_LIMIT_DEFAULT,
) -> ToolChanges:
    """Settings with who made them, and tools with their versions, newest first.

    Pass `next_before` as `before` for the next page.
    """
    async with reading(state_of(request).pool, org_id) as connection:
        return _found(await changes_of(connection, org_id, before=before, limit=limit))


@router.get("/history", summary="List what happened to an organization")
async def get_history(
    request: Request,
    org_id: ReadableOrg,
    after: Annotated[int, Query(ge=0, le=POSITION_MAX, description="Only events above this position.")] = 0,
    limit: Annotated[int, Query(ge=1, le=HISTORY_LIMIT_MAX)] = HISTORY_LIMIT_DEFAULT,
) -> Timeline:
    """Its events, oldest first, a page at a time: pass `next_after` as `after` for the next one."""
    async with reading(state_of(request).pool, org_id) as connection:
        return _found(await history_of(connection, org_id, after=after, limit=limit))


def _found(answer: T | None) -> T:
    if answer is None:
        raise Problem(404, ErrorCode.NOT_FOUND)
    return answer
