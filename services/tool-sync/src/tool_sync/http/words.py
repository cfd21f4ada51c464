"""``…/vapi-words``: what Vapi said where it refused something of a clinic."""

from dataclasses import dataclass
from typing import Annotated, Final

from fastapi import APIRouter, Query, Request

from tool_sync.http.access import reading
from tool_sync.http.routes import ReadableOrg
from tool_sync.http.state import state_of
from tool_sync.vapi.words import Words, read_words

LIMIT_DEFAULT: Final = 100
LIMIT_MAX: Final = 1000

router = APIRouter(prefix="/v1/orgs/{org_id}", tags=["organizations"])


@dataclass(frozen=True, slots=True)
class Said:
    """What Vapi said in the last 30 days, the newest first."""

    words: list[Words]


@router.get("/vapi-words", summary="Show what Vapi said when it refused something of an organization")
async def get_words(
    request: Request,
    org_id: ReadableOrg,
    agent: Annotated[str | None, Query(pattern=r"^[A-Za-z0-9._:-]{1,64}$", description="Only this agent's.")] = None,
    trace: Annotated[str | None, Query(pattern=r"^[0-9a-f]{32}$", description="Only this trace's.")] = None,
    limit: Annotated[int, Query(ge=1, le=LIMIT_MAX)] = LIMIT_DEFAULT,
) -> Said:
    """Vapi's own words, which may repeat what the clinic wrote; kept for 30 days."""
    async with reading(state_of(request), org_id) as connection:
        return Said(await read_words(connection, org_id=org_id, agent_id=agent, trace_id=trace, limit=limit))
