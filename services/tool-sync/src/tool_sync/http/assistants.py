"""``GET /v1/assistants``: what every assistant has now, as of a position. A snapshot for subscribers to begin at."""

from dataclasses import dataclass
from typing import Annotated, Any, Final, Literal
from uuid import UUID

import asyncpg
from fastapi import APIRouter, Query, Request

from tool_sync.db import Connection
from tool_sync.http.access import AnyCaller, reading, require_readable
from tool_sync.http.feed import PROBLEMS, FeedRoute
from tool_sync.http.problems import Problem
from tool_sync.http.state import state_of
from zerotouch_contracts.errors import ErrorCode
from zerotouch_platform.auth import OrgMember

LIMIT_DEFAULT: Final = 500
LIMIT_MAX: Final = 5000
AFTER_CHARACTERS_MAX: Final = 36 + 1 + 64

# One statement, so one snapshot: the rows are those as of the position that is named beside them. The projection is
# folded by every append, so the log's newest position is the rows' own; a tenant sees its own org's.
_PAGE: Final = """
SELECT p.position AS as_of_position, a.*
  FROM (SELECT coalesce(max(position), 0) AS position FROM events{of_org}) p
  LEFT JOIN LATERAL (
    SELECT org_id, agent_id, coalesce(settled_assistant_id, assistant_id) AS assistant_id, settled_revision,
           outcome, code, synced_tools
      FROM assistants
     WHERE (org_id, agent_id) > ($1, $2) AND outcome IS NOT NULL{and_org}
     ORDER BY org_id, agent_id
     LIMIT $3) a ON true
 ORDER BY a.org_id, a.agent_id
"""
_PAGE_OF_ALL: Final = _PAGE.format(of_org="", and_org="")
_PAGE_OF_ORG: Final = _PAGE.format(of_org=" WHERE org_id = $4", and_org=" AND org_id = $4")


@dataclass(frozen=True, slots=True)
class LinkedTool:
    """A tool that the assistant has."""

    name: str
    vapi_tool_id: str
    definition_version: int


@dataclass(frozen=True, slots=True)
class AssistantTools:
    """What the newest outcome said of an assistant. ``code`` says why tools are missing; null where none are."""

    org_id: UUID
    agent_id: str
    assistant_id: str | None
    revision: int | None
    outcome: Literal["synced", "failed"]
    code: str | None
    tools: tuple[LinkedTool, ...]


@dataclass(frozen=True, slots=True)
class AssistantPage:
    """Assistants as of ``as_of_position``; ``next_after`` asks for the next page, null where this is the last.

    Begin to read the feed at the ``as_of_position`` of the *first* page: outcomes are whole, so what later pages know
    already does no harm when it comes again.
    """

    log_id: UUID
    as_of_position: int
    assistants: tuple[AssistantTools, ...]
    next_after: str | None


router = APIRouter(prefix="/v1/assistants", tags=["assistants"], route_class=FeedRoute, responses=PROBLEMS)


@router.get("", summary="The tools of every assistant, as of a position")
async def get_assistants(
    request: Request,
    caller: AnyCaller,
    org: Annotated[UUID | None, Query(description="Only this organization; an org's token reads its own.")] = None,
    after: Annotated[str, Query(max_length=AFTER_CHARACTERS_MAX, description="`next_after` of the page before.")] = "",
    limit: Annotated[int, Query(ge=1, le=LIMIT_MAX)] = LIMIT_DEFAULT,
) -> AssistantPage:
    """In the order of organization and agent, each as its newest outcome left it; those without one are left out."""
    state = state_of(request)
    if isinstance(caller, OrgMember):
        org = org or caller.org_id
        require_readable(caller, org)
    if state.log_id is None:
        raise Problem(503, ErrorCode.NOT_READY)
    after_org, after_agent = _cursor(after)
    async with reading(state.pool, org) as connection:
        rows = await _read(connection, org, after_org, after_agent, limit)
    found = [_assistant(row) for row in rows if row["org_id"] is not None]
    next_after = f"{found[-1].org_id}/{found[-1].agent_id}" if len(found) == limit else None
    return AssistantPage(state.log_id, rows[0]["as_of_position"], tuple(found), next_after)


def _cursor(after: str) -> tuple[UUID, str]:
    org, _, agent = after.partition("/")
    try:
        return (UUID(org), agent) if after else (UUID(int=0), "")
    except ValueError:
        raise Problem(400, ErrorCode.INVALID_REQUEST, "after: is no next_after of a page before") from None


async def _read(
    connection: Connection, org: UUID | None, after_org: UUID, after_agent: str, limit: int
) -> "list[asyncpg.Record]":
    if org is None:
        return await connection.fetch(_PAGE_OF_ALL, after_org, after_agent, limit)
    return await connection.fetch(_PAGE_OF_ORG, after_org, after_agent, limit, org)


def _assistant(row: Any) -> AssistantTools:
    return AssistantTools(
        org_id=row["org_id"],
        agent_id=row["agent_id"],
        assistant_id=row["assistant_id"],
        revision=row["settled_revision"],
        outcome=row["outcome"],
        code=row["code"],
        tools=tuple(
            LinkedTool(tool["name"], tool["vapi_tool_id"], tool["definition_version"])
            for tool in row["synced_tools"] or ()
        ),
    )
