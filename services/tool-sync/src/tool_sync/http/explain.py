"""``…/why`` and ``…/explain``: reasons, for people."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Path, Query, Request

from tool_sync.db import Connection
from tool_sync.http.access import AnyCaller, narrowed, reading, require_readable
from tool_sync.http.feed import FeedRoute
from tool_sync.http.problems import FEED_ANSWERS, Problem
from tool_sync.http.state import state_of
from tool_sync.http.times import At
from tool_sync.log.read import POSITION_MAX
from tool_sync.queries.as_of import BeyondHead, StateAsOf, fleet_of, state_as_of, state_at
from tool_sync.queries.assistants import find_assistants
from tool_sync.queries.explain_assistant import AssistantExplained, explain_assistant
from tool_sync.queries.explain_tool import ToolExplained, explain_tool
from tool_sync.queries.org_wanted import OrgWanted, wanted_at
from tool_sync.vapi.rate_limit import keys_holding
from zerotouch_contracts.errors import ErrorCode
from zerotouch_contracts.text import Storable

router = APIRouter(prefix="/v1", tags=["reasons"], route_class=FeedRoute, responses=FEED_ANSWERS)


@dataclass(frozen=True, slots=True)
class Explained:
    """The assistants of this id: one, unless clinics share an agent id."""

    assistants: tuple[AssistantExplained, ...]


@router.get("/orgs/{org_id}/tools/{tool}/why", summary="Explain why an organization has a tool, or lacks it")
async def get_why(
    request: Request,
    org_id: UUID,
    tool: Annotated[str, Path(pattern=r"^[A-Za-z0-9_-]{1,64}$")],
    caller: AnyCaller,
    at: At = None,
) -> ToolExplained:
    """Whether it is wanted, by which rule, what is at Vapi, every event that led there, and what happens next."""
    require_readable(caller, org_id)
    async with moment_of(request, org_id, at) as (connection, moment):
        return await explain_tool(connection, moment, tool)


@router.get("/orgs/{org_id}/wanted", summary="Show what an organization is to have of each tool")
async def get_wanted(
    request: Request,
    org_id: UUID,
    caller: AnyCaller,
    position: Annotated[
        int | None, Query(ge=1, le=POSITION_MAX, description="Decide it as of this position of the log.")
    ] = None,
) -> OrgWanted:
    """By which rule, and which rules that one beats; nothing of what is at Vapi."""
    require_readable(caller, org_id)
    if position is None:
        async with moment_of(request, org_id, None) as (connection, moment):
            return await wanted_at(connection, moment)
    state = state_of(request)
    async with reading(state, None) as connection:
        try:
            fleet = await fleet_of(connection, through=position)
        except BeyondHead as error:
            raise Problem(404, ErrorCode.NOT_FOUND, str(error)) from error
    async with reading(state, org_id) as connection:
        return await wanted_at(connection, await state_at(connection, org_id, fleet, position))


@router.get("/assistants/{assistant}/explain", summary="Explain what happened to an assistant, and what happens next")
async def get_explanation(
    request: Request,
    assistant: Annotated[
        str, Path(max_length=64, description="The assistant's id at Vapi, or the agent's id."), Storable
    ],
    caller: AnyCaller,
    at: At = None,
) -> Explained:
    """What it has, what it lacks and why, what is still open, every event, and what happens next."""
    async with reading(state_of(request), narrowed(caller, None)) as connection:
        found = await find_assistants(connection, assistant)
    if not found:
        raise Problem(404, ErrorCode.NOT_FOUND)
    explained = []
    for org_id, agent_id in found:
        async with moment_of(request, org_id, at) as (connection, moment):
            explained.append(await explain_assistant(connection, moment, agent_id))
    return Explained(tuple(explained))


@asynccontextmanager
async def moment_of(request: Request, org_id: UUID, at: datetime | None) -> AsyncIterator[tuple[Connection, StateAsOf]]:
    """The org at that time, read as that tenant; the fleet belongs to nobody."""
    state = state_of(request)
    async with reading(state, None) as connection:
        fleet, paused = await fleet_of(connection, at), await keys_holding(connection, org_id)
    async with reading(state, org_id) as connection:
        yield connection, await state_as_of(connection, org_id, fleet, at, paused)
