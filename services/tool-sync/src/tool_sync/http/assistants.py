"""``GET /v1/assistants``: what every assistant has now, as of a position. A snapshot for subscribers to begin at."""

from dataclasses import dataclass
from typing import Annotated, Final
from uuid import UUID

from fastapi import APIRouter, Query, Request

from tool_sync.http.access import AnyCaller, narrowed, reading
from tool_sync.http.feed import FeedRoute
from tool_sync.http.feed_reader import OnlyOrg
from tool_sync.http.problems import FEED_ANSWERS, Problem
from tool_sync.http.state import ready, state_of
from tool_sync.queries.assistants import AssistantTools, snapshot_page
from zerotouch_contracts.errors import ErrorCode

LIMIT_DEFAULT: Final = 500
LIMIT_MAX: Final = 5000
AFTER_CHARACTERS_MAX: Final = 36 + 1 + 64


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


router = APIRouter(prefix="/v1/assistants", tags=["assistants"], route_class=FeedRoute, responses=FEED_ANSWERS)


@router.get("", summary="List the tools of every assistant, as of a position")
async def get_assistants(
    request: Request,
    caller: AnyCaller,
    org: OnlyOrg = None,
    after: Annotated[str, Query(max_length=AFTER_CHARACTERS_MAX, description="The previous page's `next_after`.")] = "",
    limit: Annotated[int, Query(ge=1, le=LIMIT_MAX)] = LIMIT_DEFAULT,
) -> AssistantPage:
    """By organization and agent, each as its newest outcome left it; assistants without an outcome are left out."""
    state = state_of(request)
    org = narrowed(caller, org)
    log_id = ready(state.log_id)
    place = _cursor(after)
    async with reading(state, org) as connection:
        position, found = await snapshot_page(connection, org, place, limit)
    next_after = f"{found[-1].org_id}/{found[-1].agent_id}" if len(found) == limit else None
    return AssistantPage(log_id, position, tuple(found), next_after)


def _cursor(after: str) -> tuple[UUID, str]:
    org, _, agent = after.partition("/")
    try:
        return (UUID(org), agent) if after else (UUID(int=0), "")
    except ValueError:
        raise Problem(400, ErrorCode.INVALID_REQUEST, "after: is not the next_after of an earlier page") from None
