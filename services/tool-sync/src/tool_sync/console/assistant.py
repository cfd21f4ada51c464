"""*Assistant*: what happened to one of them, in words and as a drawing, now or as of a time; and the text of a ticket.

A page costs some twenty statements, each of one clinic: its state from the newest snapshot, at most 50 events of the
assistant, and at most 2,000 that are looked through for the newest run's trace.
"""

from datetime import timedelta
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Path, Request
from starlette.responses import Response

from tool_sync.console.access import PageCaller
from tool_sync.console.pages import page
from tool_sync.http.access import require_readable
from tool_sync.http.explain import moment_of
from tool_sync.http.problems import Problem
from tool_sync.http.times import At
from tool_sync.queries.assistant_shown import assistant_shown, ticket_of
from tool_sync.queries.assistants import assistant_of
from zerotouch_contracts.errors import ErrorCode
from zerotouch_platform.auth import Platform

router = APIRouter()

AgentId = Annotated[str, Path(max_length=64, pattern=r"^[A-Za-z0-9._:-]+$")]


@router.get("/orgs/{org_id}/agents/{agent_id}")
async def get_assistant(
    request: Request, org_id: UUID, agent_id: AgentId, caller: PageCaller, at: At = None
) -> Response:
    """The assistant now, or at a time."""
    require_readable(caller, org_id)
    async with moment_of(request, org_id, at) as (connection, moment):
        if await assistant_of(connection, org_id, agent_id) is None:
            raise Problem(404, ErrorCode.NOT_FOUND, "there is no such assistant")
        found = await assistant_shown(connection, moment, agent_id)
    shown_at = moment.asked_at if at is None else at
    command = f"tool-sync explain {agent_id}" + (f" --at {at:%Y-%m-%dT%H:%M:%SZ}" if at else "")
    is_platform = isinstance(caller, Platform)
    return page(
        request,
        "assistant",
        caller,
        command=command if is_platform else None,
        one=found,
        at=at,
        at_field=f"{shown_at + timedelta(seconds=shown_at.microsecond > 0):%Y-%m-%dT%H:%M:%S}",
        ticket="\n".join(ticket_of(found, str(request.url), is_now=at is None, for_platform=is_platform)),
    )
