"""`/api/organizations`."""

from uuid import UUID

from fastapi import APIRouter
from opentelemetry.trace import get_current_span
from starlette.responses import Response

from assistant_api.agents.rows import change_organization, create_organization, delete_organization
from assistant_api.agents.schemas import NewOrganization, Organization, OrganizationChange
from assistant_api.appointments.hours import read_calendar, write_calendar
from assistant_api.appointments.schemas import Calendar
from assistant_api.http.access import AccessOf, LoggedRoute
from assistant_api.http.body import parse, written
from assistant_api.http.dependencies import CallerOf, DependenciesOf
from assistant_api.http.idempotency import Ids, OnceOf
from assistant_api.telemetry import own_trace_id, own_traceparent
from zerotouch_platform.openapi import documented

router = APIRouter(prefix="/api/organizations", tags=["organizations"], route_class=LoggedRoute)


@router.post(
    "",
    status_code=201,
    response_model=Organization,
    openapi_extra=documented(NewOrganization, {"name": "Test Clinic", "tier": "basic", "timeZone": "Europe/Berlin"}),
    summary="Add a clinic",
)
async def create(parts: DependenciesOf, caller: CallerOf, once: OnceOf, access: AccessOf) -> Response:
    """Add an organization; only the platform may. `OrganizationSaved` is published in the background."""
    raw = await once.body()

    async def answer(ids: Ids) -> Response:
        body = parse(raw, NewOrganization)
        org_id = body.id or ids.make("organization")
        span = get_current_span()
        async with access.writing(parts.database, org_id, org_id) as connection:
            revision = await create_organization(
                connection, org_id, body.name, body.tier, body.time_zone, own_traceparent(span)
            )
            calendar = Calendar(**body.model_dump(include=set(Calendar.model_fields)))
            await write_calendar(connection, org_id, calendar)
            made = Organization(
                id=org_id,
                name=body.name,
                tier=body.tier,
                revision=revision,
                calendar=calendar,
                trace_id=own_trace_id(span),
            )
            done = written(made, 201)
            await once.keep_within(connection, done)
        parts.wake_relay()
        return done

    return await once.answer("POST /api/organizations", raw, answer)


@router.patch(
    "/{org_id}",
    response_model=Organization,
    openapi_extra=documented(OrganizationChange, {"tier": "professional"}),
    summary="Change a clinic's name, tier or time zone",
)
async def change(parts: DependenciesOf, caller: CallerOf, once: OnceOf, access: AccessOf, org_id: UUID) -> Response:
    """Give a clinic another name, tier or time zone; only the platform may. `OrganizationSaved` follows in the
    background, and the clinic's assistants get the tools of the new tier. What is so already is not written again."""
    raw = await once.body()

    async def answer(_: Ids) -> Response:
        body = parse(raw, OrganizationChange)
        span = get_current_span()
        async with access.writing(parts.database, org_id, org_id) as connection:
            values = body.model_dump(exclude_unset=True)
            row = await change_organization(connection, org_id, values, own_traceparent(span))
            calendar = await read_calendar(connection, org_id)
            assert calendar is not None
            changed = Organization(id=org_id, **row, calendar=calendar, trace_id=own_trace_id(span))
            done = written(changed)
            await once.keep_within(connection, done)
        parts.wake_relay()
        return done

    route = f"PATCH /api/organizations/{org_id}"
    return await once.answer(route, raw, answer)


@router.delete("/{org_id}", status_code=204, summary="Delete a clinic and everything that belongs to it")
async def delete(parts: DependenciesOf, caller: CallerOf, once: OnceOf, access: AccessOf, org_id: UUID) -> Response:
    """Delete an organization, its agents, appointments and tool calls; only the platform may.

    `AssistantDeleted` follows for each agent that was announced, `OrganizationDeleted` last. The assistants are deleted
    at Vapi in the background; those that were adopted stay there, without what is ours.
    """

    async def answer(_: Ids) -> Response:
        done = Response(status_code=204)
        async with access.writing(parts.database, org_id, org_id) as connection:
            await delete_organization(connection, org_id, own_traceparent(get_current_span()))
            await once.keep_within(connection, done)
        parts.remover.wake()
        parts.wake_relay()
        return done

    route = f"DELETE /api/organizations/{org_id}"
    return await once.answer(route, b"", answer)
