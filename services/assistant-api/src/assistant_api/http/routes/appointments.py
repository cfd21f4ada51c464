"""`/api/appointments`, and the calendar settings of an organization."""

from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Header, Query, Request
from pydantic import AwareDatetime
from starlette.responses import JSONResponse, Response

from assistant_api.agents.read import org_of, reading, require_org
from assistant_api.appointments import listing
from assistant_api.appointments.hours import read_calendar, write_calendar
from assistant_api.appointments.schemas import Calendar
from assistant_api.http.body import documented, parse, read_bytes
from assistant_api.http.dependencies import CallerOf, DependenciesOf
from assistant_api.http.idempotency import Ids, answer_once, keep_within
from assistant_api.paging import within_range
from assistant_api.problem import not_found

router = APIRouter(prefix="/api", tags=["appointments"])


@router.get("/appointments", summary="List appointments, by their start, page by page")
async def page(
    parts: DependenciesOf,
    caller: CallerOf,
    org_id: Annotated[UUID | None, Query(alias="orgId")] = None,
    earliest: Annotated[AwareDatetime | None, Query(alias="from")] = None,
    limit: Annotated[int, Query(ge=1, le=listing.PAGE_MAX)] = 50,
    after: Annotated[str | None, Query(max_length=400)] = None,
) -> dict[str, Any]:
    """Appointments of the caller's organization that start at `from` or later; the platform says which by `orgId`."""
    wanted = require_org(caller, org_id)
    return await listing.page(parts.database, wanted, earliest=within_range(earliest, "from"), limit=limit, after=after)


@router.get("/organizations/{org_id}/calendar", response_model=Calendar, summary="Show a clinic's calendar settings")
async def read(parts: DependenciesOf, caller: CallerOf, org_id: UUID) -> Response:
    """Time zone, country, slot length, opening hours and services."""
    async with reading(parts.database, caller) as connection:
        calendar = await read_calendar(connection, org_of(caller, org_id) or org_id)
    if calendar is None:
        raise not_found()
    return JSONResponse(calendar.model_dump(mode="json", by_alias=True))


@router.put(
    "/organizations/{org_id}/calendar",
    response_model=Calendar,
    openapi_extra=documented(Calendar),
    summary="Replace a clinic's calendar settings",
)
async def replace(
    request: Request,
    parts: DependenciesOf,
    caller: CallerOf,
    org_id: UUID,
    idempotency_key: Annotated[str | None, Header()] = None,
) -> Response:
    """A field that is left out gets its default. Booked appointments stay as they are."""
    raw = await read_bytes(request, parts.settings.body_bytes_max)
    wanted = org_of(caller, org_id) or org_id

    async def answer(_: Ids) -> Response:
        calendar = parse(raw, Calendar)
        done = JSONResponse(calendar.model_dump(mode="json", by_alias=True))
        async with parts.database.transaction() as connection:
            if not await write_calendar(connection, wanted, calendar):
                raise not_found()
            await keep_within(connection, caller, idempotency_key, done)
        return done

    route = f"PUT /api/organizations/{wanted}/calendar"
    return await answer_once(parts.database, parts.settings, caller, idempotency_key, route, raw, answer)
