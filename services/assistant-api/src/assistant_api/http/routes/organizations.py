"""`/api/organizations`."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Header, Request
from opentelemetry.trace import get_current_span
from starlette.responses import JSONResponse, Response

from assistant_api.agents.rows import change_organization, create_organization, delete_organization
from assistant_api.agents.schemas import NewOrganization, Organization, OrganizationChange
from assistant_api.appointments.hours import read_calendar, write_calendar
from assistant_api.appointments.schemas import Calendar
from assistant_api.http.body import documented, parse, read_bytes
from assistant_api.http.dependencies import CallerOf, DependenciesOf, require_platform
from assistant_api.http.idempotency import Ids, answer_once, keep_within
from assistant_api.telemetry import own_trace_id, own_traceparent

router = APIRouter(prefix="/api/organizations", tags=["organizations"])


@router.post(
    "", status_code=201, response_model=Organization, openapi_extra=documented(NewOrganization), summary="Add a clinic"
)
async def create(
    request: Request, parts: DependenciesOf, caller: CallerOf, idempotency_key: Annotated[str | None, Header()] = None
) -> Response:
    """Add an organization; only the platform may. `OrganizationSaved` is published in the background."""
    require_platform(caller)
    raw = await read_bytes(request, parts.settings.body_bytes_max)

    async def answer(ids: Ids) -> Response:
        body = parse(raw, NewOrganization)
        org_id = body.id or ids.make("organization")
        span = get_current_span()
        async with parts.database.transaction() as connection:
            revision = await create_organization(connection, org_id, body.name, body.tier, own_traceparent(span))
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
            done = JSONResponse(made.model_dump(mode="json", by_alias=True), 201)
            await keep_within(connection, caller, idempotency_key, done)
        parts.wake_relay()
        return done

    return await answer_once(
        parts.database, parts.settings, caller, idempotency_key, "POST /api/organizations", raw, answer
    )


@router.patch(
    "/{org_id}",
    response_model=Organization,
    openapi_extra=documented(OrganizationChange),
    summary="Change a clinic's name or tier",
)
async def change(
    request: Request,
    parts: DependenciesOf,
    caller: CallerOf,
    org_id: UUID,
    idempotency_key: Annotated[str | None, Header()] = None,
) -> Response:
    """Give a clinic another name or tier; only the platform may. `OrganizationSaved` follows in the background, and the
    clinic's assistants get the tools of the new tier. What is so already is not written again."""
    require_platform(caller)
    raw = await read_bytes(request, parts.settings.body_bytes_max)

    async def answer(_: Ids) -> Response:
        body = parse(raw, OrganizationChange)
        span = get_current_span()
        async with parts.database.transaction() as connection:
            values = body.model_dump(exclude_unset=True)
            row = await change_organization(connection, org_id, values, own_traceparent(span))
            calendar = await read_calendar(connection, org_id)
            assert calendar is not None
            changed = Organization(id=org_id, **row, calendar=calendar, trace_id=own_trace_id(span))
            done = JSONResponse(changed.model_dump(mode="json", by_alias=True))
            await keep_within(connection, caller, idempotency_key, done)
        parts.wake_relay()
        return done

    route = f"PATCH /api/organizations/{org_id}"
    return await answer_once(parts.database, parts.settings, caller, idempotency_key, route, raw, answer)


@router.delete("/{org_id}", status_code=204, summary="Delete a clinic and everything that belongs to it")
async def delete(
    parts: DependenciesOf, caller: CallerOf, org_id: UUID, idempotency_key: Annotated[str | None, Header()] = None
) -> Response:
    """Delete an organization, its agents, appointments and tool calls; only the platform may.

    `AssistantDeleted` follows for each agent that was announced, `OrganizationDeleted` last. The assistants are deleted
    at Vapi in the background; those that were adopted stay there, without what is ours.
    """
    require_platform(caller)

    async def answer(_: Ids) -> Response:
        done = Response(status_code=204)
        async with parts.database.transaction() as connection:
            await delete_organization(connection, org_id, own_traceparent(get_current_span()))
            await keep_within(connection, caller, idempotency_key, done)
        parts.remover.wake()
        parts.wake_relay()
        return done

    route = f"DELETE /api/organizations/{org_id}"
    return await answer_once(parts.database, parts.settings, caller, idempotency_key, route, b"", answer)
