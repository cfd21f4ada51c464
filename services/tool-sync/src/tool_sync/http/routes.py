"""What is known of orgs: which is meant by a name; its tools, what changed for them, its history, and its calls."""

from dataclasses import dataclass
from typing import Annotated, Final
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Request

from tool_sync.http.access import AnyCaller, PlatformCaller, reading, require_readable
from tool_sync.http.problems import Problem, found
from tool_sync.http.state import state_of
from tool_sync.http.times import At
from tool_sync.log.read import POSITION_MAX
from tool_sync.queries.changes import ToolChanges, changes_of
from tool_sync.queries.display_names import FOUND_MAX, FoundOrg, find
from tool_sync.queries.org_tools import OrgTools, tools_at, tools_of
from tool_sync.queries.organizations import is_known
from tool_sync.queries.timeline import Timeline, history_of
from tool_sync.queries.tool_calls import DAYS, DAYS_MAX, OrgCalls, calls_of
from zerotouch_contracts.errors import ErrorCode
from zerotouch_contracts.text import Identifier

FOUND_LIMIT_DEFAULT: Final = 20
NAME_CHARACTERS_MAX: Final = 200
HISTORY_LIMIT_DEFAULT: Final = 100
HISTORY_LIMIT_MAX: Final = 500


async def _readable_org(org_id: UUID, caller: AnyCaller) -> UUID:
    """The org of the path, where the caller may read it: another one's existence is not told."""
    require_readable(caller, org_id)
    return org_id


ReadableOrg = Annotated[UUID, Depends(_readable_org)]


@dataclass(frozen=True, slots=True)
class FoundOrgs:
    """Organizations whose name holds the text. ``more``: there may be others, too."""

    organizations: tuple[FoundOrg, ...]
    more: bool


router = APIRouter(prefix="/v1/orgs", tags=["organizations"])


@router.get("", summary="Find organizations by their name")
async def get_orgs(
    request: Request,
    _: PlatformCaller,
    name: Annotated[
        str, Query(min_length=1, max_length=NAME_CHARACTERS_MAX, description="A part of the name, in capitals or not.")
    ],
    limit: Annotated[int, Query(ge=1, le=FOUND_MAX)] = FOUND_LIMIT_DEFAULT,
) -> FoundOrgs:
    """Those whose name begins with the text come first. Deleted ones have no name any more."""
    async with reading(state_of(request), None) as connection:
        found = await find(connection, name, limit + 1)
    return FoundOrgs(tuple(found[:limit]), more=len(found) > limit)


@router.get("/{org_id}/tools", summary="List the tools that an organization has in Vapi")
async def get_tools(request: Request, org_id: ReadableOrg, at: At = None) -> OrgTools:
    """All of them, by name, now or at a time. A disabled one is not wanted any more, or somebody deleted it.

    `settings` are what is set for its tools, also for those that it does not have.
    """
    async with reading(state_of(request), org_id) as connection:
        return found(await (tools_of(connection, org_id) if at is None else tools_at(connection, org_id, at)))


@router.get("/{org_id}/changes", summary="List what changed for an organization's tools")
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
    async with reading(state_of(request), org_id) as connection:
        return found(await changes_of(connection, org_id, before=before, limit=limit))


@router.get("/{org_id}/history", summary="List what happened to an organization")
async def get_history(
    request: Request,
    org_id: ReadableOrg,
    after: Annotated[int, Query(ge=0, le=POSITION_MAX, description="Only events above this position.")] = 0,
    limit: Annotated[int, Query(ge=1, le=HISTORY_LIMIT_MAX)] = HISTORY_LIMIT_DEFAULT,
) -> Timeline:
    """Its events, oldest first, a page at a time: pass `next_after` as `after` for the next one."""
    async with reading(state_of(request), org_id) as connection:
        return found(await history_of(connection, org_id, after=after, limit=limit))


@router.get("/{org_id}/calls", summary="Count how often an organization's tools were called, by day and result")
async def get_calls(
    request: Request,
    org_id: ReadableOrg,
    assistant_id: Annotated[Identifier | None, Query(description="Only this assistant's, by its id at Vapi.")] = None,
    days: Annotated[int, Query(ge=1, le=DAYS_MAX, description="So many days, today among them.")] = DAYS,
) -> OrgCalls:
    """The newest day first, by the organization's clock: what callers have booked, and what was refused to them.

    `missing` names what may not be counted, a sentence each. Never counted is what assistant-api has answered and not
    published yet. Nobody's name or number is kept here.
    """
    async with reading(state_of(request), org_id) as connection:
        if not await is_known(connection, org_id):
            raise Problem(404, ErrorCode.NOT_FOUND)
        return await calls_of(connection, org_id, assistant_id, days=days)
