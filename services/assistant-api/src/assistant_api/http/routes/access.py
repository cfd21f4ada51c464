"""`/api/access`: who did what, for the clinic itself and for the platform."""

from typing import Annotated

from fastapi import APIRouter, Query
from starlette.responses import JSONResponse, Response

from assistant_api.access_log import listing
from assistant_api.access_log.entry import TEXT_CHARACTERS_MAX
from assistant_api.agents.read import org_of, reading
from assistant_api.http.dependencies import CallerOf, DependenciesOf, OrgId
from assistant_api.http.shown import AccessPage
from assistant_api.paging import Since, within_range
from assistant_api.problem import invalid

router = APIRouter(prefix="/api/access", tags=["access"])


@router.get(
    "", response_model=AccessPage, summary="List who read patients and who changed what, newest first, page by page"
)
async def page(
    parts: DependenciesOf,
    caller: CallerOf,
    org_id: OrgId = None,
    who: Annotated[str | None, Query(min_length=1, max_length=TEXT_CHARACTERS_MAX, description="A principal.")] = None,
    since: Since | None = None,
    before: Annotated[
        int, Query(ge=1, le=listing.POSITION_MAX, description="Only rows below this id.")
    ] = listing.POSITION_MAX,
    limit: Annotated[int, Query(ge=1, le=listing.PAGE_MAX)] = 100,
) -> Response:
    """The rows of the caller's organization; with the platform's token those of `orgId`, or all.

    Ask again with `nextBefore` as `before` until it is null. A row is kept for `ACCESS_KEEP_DAYS`.
    """
    wanted = org_of(caller, org_id)
    if who is not None and "\x00" in who:
        raise invalid("who is no principal")
    async with reading(parts.database, caller) as connection:
        rows = await listing.page(
            connection, org_id=wanted, principal=who, since=within_range(since, "since"), before=before, limit=limit
        )
    return JSONResponse({"items": rows, "nextBefore": rows[-1]["id"] if len(rows) == limit else None})
