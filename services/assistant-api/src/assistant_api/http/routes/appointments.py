"""`/api/appointments`, and the calendar settings of an organization."""

from typing import Annotated, Final
from uuid import UUID

from fastapi import APIRouter, Query
from starlette.responses import JSONResponse, Response

from assistant_api.agents.read import org_of, reading, require_org
from assistant_api.appointments import listing
from assistant_api.appointments.hours import read_calendar, write_calendar
from assistant_api.appointments.schemas import Calendar
from assistant_api.http.access import AccessOf, LoggedRoute
from assistant_api.http.body import parse, written
from assistant_api.http.dependencies import After, CallerOf, DependenciesOf, OrgId
from assistant_api.http.idempotency import Ids, OnceOf
from assistant_api.http.shown import AppointmentsPage
from assistant_api.paging import Since, within_range
from assistant_api.problem import not_found
from zerotouch_platform.openapi import documented

_EXAMPLE: Final = {
    "timeZone": "Europe/Berlin",
    "country": "DE",
    "slotMinutes": 20,
    "openingHours": {"monday": [["09:00", "12:30"], ["13:30", "17:00"]]},
    "services": ["check-up"],
}

router = APIRouter(prefix="/api", tags=["appointments"], route_class=LoggedRoute)


@router.get("/appointments", response_model=AppointmentsPage, summary="List appointments, by their start, page by page")
async def page(
    parts: DependenciesOf,
    caller: CallerOf,
    access: AccessOf,
    org_id: OrgId = None,
    earliest: Annotated[Since | None, Query(alias="from")] = None,
    limit: Annotated[int, Query(ge=1, le=listing.PAGE_MAX)] = 50,
    after: After = None,
) -> Response:
    """Appointments of the caller's organization that start at `from` or later; the platform says which by `orgId`, and
    why in `X-Access-Reason`. Each page that is answered is in the access log."""
    wanted = require_org(caller, org_id)
    earliest = within_range(earliest, "from")
    entry = access.about(wanted)
    found = await listing.page(parts.database, wanted, entry, earliest=earliest, limit=limit, after=after)
    access.is_recorded = True
    return JSONResponse(found)


@router.get("/organizations/{org_id}/calendar", response_model=Calendar, summary="Show a clinic's calendar settings")
async def read(parts: DependenciesOf, caller: CallerOf, org_id: UUID) -> Response:
    """Time zone, country, slot length, opening hours and services."""
    async with reading(parts.database, caller) as connection:
        calendar = await read_calendar(connection, org_of(caller, org_id) or org_id)
    if calendar is None:
        raise not_found()
    return written(calendar)


@router.put(
    "/organizations/{org_id}/calendar",
    response_model=Calendar,
    openapi_extra=documented(Calendar, _EXAMPLE),
    summary="Replace a clinic's calendar settings",
)
async def replace(parts: DependenciesOf, caller: CallerOf, once: OnceOf, access: AccessOf, org_id: UUID) -> Response:
    """A field that is left out gets its default. Booked appointments stay as they are."""
    raw = await once.body()
    wanted = org_of(caller, org_id) or org_id

    async def answer(_: Ids) -> Response:
        calendar = parse(raw, Calendar)
        done = written(calendar)
        async with access.writing(parts.database, wanted, wanted) as connection:
            if not await write_calendar(connection, wanted, calendar):
                raise not_found()
            await once.keep_within(connection, done)
        return done

    route = f"PUT /api/organizations/{wanted}/calendar"
    return await once.answer(route, raw, answer)
