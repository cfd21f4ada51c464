"""`/api/erasures`, `/api/patients/export`: a clinic erases a patient, proves it, and tells one what there is."""

import hashlib
import hmac
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query, Request
from opentelemetry.trace import get_current_span
from pydantic import Field, StringConstraints, model_validator
from starlette.responses import JSONResponse, Response

from assistant_api.agents.read import org_of, reading, require_org
from assistant_api.agents.schemas import Body
from assistant_api.erasures import receipts
from assistant_api.erasures.erase import Order, erase
from assistant_api.erasures.export import export
from assistant_api.erasures.hashes import keys_of_settings
from assistant_api.erasures.names import (
    ByAppointment,
    ByPhone,
    NoNumber,
    Patient,
    UnknownAppointment,
    UnknownOrganization,
)
from assistant_api.erasures.receipts import Receipt, Receipts
from assistant_api.http.access import AccessOf, LoggedRoute
from assistant_api.http.body import parse, read_bytes, written
from assistant_api.http.dependencies import After, CallerOf, DependenciesOf, OrgId
from assistant_api.http.idempotency import Ids, OnceOf
from assistant_api.http.shown import PatientExport
from assistant_api.problem import Problem, invalid, not_found
from assistant_api.telemetry import own_traceparent
from zerotouch_contracts.text import Storable
from zerotouch_platform.openapi import documented

router = APIRouter(prefix="/api", tags=["erasures"], route_class=LoggedRoute)

PHONE_CHARACTERS_MAX = 100

Phone = Annotated[str, StringConstraints(min_length=1, max_length=PHONE_CHARACTERS_MAX), Storable]


class NewErasure(Body):
    """`POST /api/erasures`: a phone number in any form, or an appointment, whose number is meant then."""

    phone: Phone | None = None
    appointment: UUID | None = None
    org_id: UUID | None = Field(default=None, description="With a token of the platform: whose patient.")

    @model_validator(mode="after")
    def _one_of_two(self) -> "NewErasure":
        if (self.phone is None) == (self.appointment is None):
            raise ValueError("exactly one of phone and appointment says who is to be erased")
        return self

    @property
    def patient(self) -> Patient:
        """Who is meant."""
        if self.phone is not None:
            return ByPhone(self.phone)
        assert self.appointment is not None
        return ByAppointment(self.appointment)


class ExportOrder(Body):
    """`POST /api/patients/export`: in the body, so that no number stands in an address."""

    phone: Phone
    org_id: UUID | None = Field(default=None, description="With a token of the platform: whose patient.")


@router.post(
    "/erasures",
    status_code=201,
    response_model=Receipt,
    openapi_extra=documented(NewErasure, {"phone": "+49 30 901820"}),
    summary="Erase a patient: all appointments of a phone number",
)
async def create(parts: DependenciesOf, caller: CallerOf, once: OnceOf, access: AccessOf) -> Response:
    """Delete every appointment of the number, whatever its status and however the number was said, and blank what was
    answered in the phone calls that made or changed them. 404 where the clinic has no such appointment.

    The receipt names the phone calls, which Vapi may have recorded: they are deleted there only where the installation
    is set to do so. What is booked afterwards stays.
    """
    raw = await once.body()

    async def answer(ids: Ids) -> Response:
        body = parse(raw, NewErasure)
        org_id, erasure_id = require_org(caller, body.org_id), ids.make("erasure")
        order = Order(erasure_id, org_id, body.patient, access.entry.who.principal, own_traceparent(get_current_span()))
        async with access.writing(parts.database, org_id, erasure_id) as connection:
            try:
                await erase(connection, order, parts.settings)
            except (UnknownOrganization, UnknownAppointment):
                raise not_found() from None
            except NoNumber as error:
                raise _no_number(error) from None
            receipt = await receipts.receipt_of(connection, erasure_id, org_id)
            assert receipt is not None, "it was written in this transaction, or before it"
            done = written(receipt, 201)
            await once.keep_within(connection, done)
        parts.wake_relay()
        parts.call_deletions.wake()
        return done

    # What is kept of the body must not be a plain hash: phone numbers are few enough to be tried out.
    secret = keys_of_settings(parts.settings)[0].secret
    kept = hmac.new(secret, raw, hashlib.sha256).digest()
    return await once.answer("POST /api/erasures", kept, answer)


@router.get("/erasures", response_model=Receipts, summary="List receipts of erasures, newest first, page by page")
async def page(
    parts: DependenciesOf,
    caller: CallerOf,
    org_id: OrgId = None,
    limit: Annotated[int, Query(ge=1, le=receipts.PAGE_MAX)] = 50,
    after: After = None,
) -> Response:
    """Those of the caller's organization; with the platform's token those of `orgId`, or all."""
    wanted = org_of(caller, org_id)
    async with reading(parts.database, caller) as connection:
        found = await receipts.page_of(connection, wanted, limit=limit, after=after)
    return written(found)


@router.get("/erasures/{erasure_id}", response_model=Receipt, summary="Show the receipt of an erasure")
async def read(parts: DependenciesOf, caller: CallerOf, erasure_id: UUID) -> Response:
    """What was erased, and which phone calls are deleted at Vapi by now; no name and no number is in it."""
    async with reading(parts.database, caller) as connection:
        receipt = await receipts.receipt_of(connection, erasure_id, org_of(caller, None))
    if receipt is None:
        raise not_found()
    return written(receipt)


@router.post(
    "/patients/export",
    response_model=PatientExport,
    openapi_extra=documented(ExportOrder, {"phone": "+49 30 901820"}),
    summary="Export what there is of one patient",
)
async def export_patient(request: Request, parts: DependenciesOf, caller: CallerOf, access: AccessOf) -> Response:
    """Every appointment of a phone number, in any form, and the phone calls that made or changed them."""
    body = parse(await read_bytes(request, parts.settings.body_bytes_max), ExportOrder)
    org_id = require_org(caller, body.org_id)
    async with parts.database.transaction() as connection:
        try:
            found = await export(connection, org_id, body.phone, access.about(org_id))
        except UnknownOrganization:
            raise not_found() from None
        except NoNumber as error:
            raise _no_number(error) from None
    access.is_recorded = True
    return JSONResponse(found)


def _no_number(error: NoNumber) -> Problem:
    return invalid(str(error), [{"field": "phone", "problem": "is no phone number"}])
