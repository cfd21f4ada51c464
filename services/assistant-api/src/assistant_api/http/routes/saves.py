"""`/api/saves`: what was accepted, for whoever checks that every save got its outcome."""

from typing import Annotated

from fastapi import APIRouter, Query
from starlette.responses import JSONResponse, Response

from assistant_api.agents import saves
from assistant_api.http.dependencies import After, CallerOf, DependenciesOf
from assistant_api.http.shown import SavesPage
from assistant_api.paging import Since, within_range

router = APIRouter(prefix="/api/saves", tags=["saves"])


@router.get("", response_model=SavesPage, summary="List accepted saves, oldest first, page by page; platform only")
async def page(
    parts: DependenciesOf,
    _caller: CallerOf,
    since: Since | None = None,
    limit: Annotated[int, Query(ge=1, le=saves.PAGE_MAX)] = saves.PAGE_MAX,
    after: After = None,
) -> Response:
    """`state`: `open` until it is in Vapi, then `saved`; or `refused` by Vapi, or the agent was `deleted` before.

    Closed ones are kept for 30 days. Ask again with `nextAfter` as `after` until it is null.
    """
    found = await saves.page(parts.database, since=within_range(since, "since"), limit=limit, after=after)
    return JSONResponse(found)
