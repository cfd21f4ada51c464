"""`/api/saves`: what was accepted, for whoever checks that every save got its outcome."""

from typing import Annotated, Any

from fastapi import APIRouter, Query
from pydantic import AwareDatetime

from assistant_api.agents import saves
from assistant_api.http.dependencies import CallerOf, DependenciesOf, require_platform
from assistant_api.paging import within_range

router = APIRouter(prefix="/api/saves", tags=["saves"])


@router.get("", summary="List accepted saves, oldest first, page by page; platform only")
async def page(
    parts: DependenciesOf,
    caller: CallerOf,
    since: AwareDatetime | None = None,
    limit: Annotated[int, Query(ge=1, le=saves.PAGE_MAX)] = saves.PAGE_MAX,
    after: Annotated[str | None, Query(max_length=400)] = None,
) -> dict[str, Any]:
    """`state`: `open` until it is in Vapi, then `saved`; or `refused` by Vapi, or the agent was `deleted` before.

    Closed ones are kept for 30 days. Ask again with `nextAfter` as `after` until it is null.
    """
    require_platform(caller)
    return await saves.page(parts.database, since=within_range(since, "since"), limit=limit, after=after)
