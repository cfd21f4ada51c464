"""``…/status-links``: addresses at which a clinic's own site shows whether its assistants can book (ADR 86)."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Annotated, Final
from uuid import UUID

import structlog
from fastapi import APIRouter, Request, Response
from pydantic import AfterValidator, Field

from tool_sync.http.access import AnyCaller, actor_of, reading
from tool_sync.http.body import Body, read_model
from tool_sync.http.codes import new_code
from tool_sync.http.problems import Problem
from tool_sync.http.routes import ReadableOrg
from tool_sync.http.state import state_of
from tool_sync.queries.status_links import (
    DAYS_DEFAULT,
    DAYS_MAX,
    LABEL_CHARACTERS_MAX,
    NoStatusLink,
    StatusLink,
    StatusLinkMade,
    label_of,
    made_of,
    make_status_link,
    remove_status_link,
    status_links_of,
)
from zerotouch_contracts.errors import ErrorCode
from zerotouch_platform.auth import Caller
from zerotouch_platform.openapi import documented

log = structlog.get_logger(__name__)

_OFF: Final = "nothing can be embedded here: CONSOLE_FRAME_ANCESTORS is not set, or there is no console"

router = APIRouter(
    prefix="/v1/orgs/{org_id}/status-links",
    tags=["status"],
    responses={404: {"description": "There is no such organization, or no such link of it."}},
)


class StatusLinkBody(Body):
    """Which address is made."""

    label: Annotated[str, Field(min_length=1, max_length=LABEL_CHARACTERS_MAX), AfterValidator(label_of)] = Field(
        description="Where it is used, for whoever takes it back; it is not on the page."
    )
    days: int = Field(default=DAYS_DEFAULT, ge=1, le=DAYS_MAX, description="It ends so many days from now.")


@dataclass(frozen=True, slots=True)
class StatusLinks:
    """The addresses that are good, oldest first; the addresses themselves are shown once, when they are made."""

    links: tuple[StatusLink, ...]


@router.get("", summary="List where an organization's status is shown")
async def get_links(request: Request, org_id: ReadableOrg) -> StatusLinks:
    """By label, with who made each and when it ends."""
    async with reading(state_of(request), org_id) as connection:
        return StatusLinks(tuple(await status_links_of(connection, org_id)))


@router.post(
    "",
    status_code=201,
    summary="Make an address that shows whether an organization's assistants can book",
    responses={409: {"description": "Nothing can be embedded here, the organization was deleted, or has too many."}},
    openapi_extra=documented(StatusLinkBody, {"label": "praxis.example, front page", "days": 365}),
)
async def post_link(request: Request, response: Response, org_id: ReadableOrg, caller: AnyCaller) -> StatusLinkMade:
    """Sentences and times, for a frame in the clinic's own site; nobody signs in there, and nothing can be done."""
    made = await make_link_of(request, org_id, caller, await read_model(request, StatusLinkBody))
    response.headers["Cache-Control"] = "no-store"
    return made


async def make_link_of(request: Request, org_id: UUID, caller: Caller, asked: StatusLinkBody) -> StatusLinkMade:
    """Make one. Raises problems."""
    console = state_of(request).console
    if console is None or console.url is None or not console.frame_ancestors:
        raise Problem(409, ErrorCode.INVALID_REQUEST, _OFF)
    (code, text), lasts = new_code(), timedelta(days=asked.days)
    async with reading(state_of(request), None) as connection:
        try:
            link = await make_status_link(connection, org_id, code, asked.label, lasts, actor_of(caller))
        except NoStatusLink as error:
            status, said = (409, ErrorCode.INVALID_REQUEST) if error.is_known else (404, ErrorCode.NOT_FOUND)
            raise Problem(status, said, str(error)) from error
    log.info("a status link was made", org_id=str(org_id), link=str(link.id), actor=link.made_by)
    return made_of(link, console.url, text)


@router.delete("/{link_id}", status_code=204, summary="Take an address back")
async def delete_link(request: Request, org_id: ReadableOrg, link_id: UUID, caller: AnyCaller) -> None:
    """The next request for it is answered 404; a frame that is open asks again within a minute."""
    async with reading(state_of(request), None) as connection:
        if not await remove_status_link(connection, org_id, link_id):
            raise Problem(404, ErrorCode.NOT_FOUND, "the organization has no such status link")
    log.info("a status link was taken back", org_id=str(org_id), link=str(link_id), actor=actor_of(caller))
