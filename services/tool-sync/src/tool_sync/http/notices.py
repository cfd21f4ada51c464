"""``…/notices``: where a clinic is told of what happens to it, by a signed webhook (Standard Webhooks, ADR 81)."""

from dataclasses import dataclass
from typing import Final
from uuid import UUID

from fastapi import APIRouter, Request, Response
from pydantic import Field

from tool_sync.http.access import AnyCaller, actor_of, reading
from tool_sync.http.body import Body, invalid, read_model
from tool_sync.http.problems import Problem, found
from tool_sync.http.routes import ReadableOrg
from tool_sync.http.state import NoticesDoor, state_of
from tool_sync.notices import endpoints, queue
from tool_sync.notices.destination import url_problems
from tool_sync.notices.endpoints import Endpoint, NoClinicToTell, endpoint_of, set_endpoint
from tool_sync.notices.shown import NoticesShown, shown
from tool_sync.publishing.server_url import URL_MAX
from zerotouch_contracts.errors import ErrorCode
from zerotouch_platform.auth import Caller
from zerotouch_platform.openapi import documented

NOT_SET: Final = "this organization wants no notices: PUT sets a URL for them"

router = APIRouter(
    prefix="/v1/orgs/{org_id}/notices",
    tags=["notices"],
    responses={404: {"description": "There is no such organization, or it wants no notices."}},
)


class NoticesBody(Body):
    """Where notices go."""

    url: str = Field(max_length=URL_MAX, description="An https URL whose host is public. Redirects are not followed.")
    rotate_secret: bool = Field(
        default=False, description="Make a new secret; the one before signs, too, for a day from now."
    )


@dataclass(frozen=True, slots=True)
class NoticeQueued:
    """A notice that is sent after those that wait."""

    message_id: str


@router.post("/test", status_code=202, summary="Send an organization a notice to try it out")
async def try_notices(request: Request, org_id: ReadableOrg, _caller: AnyCaller) -> NoticeQueued:
    """Of the type `notice.test`, after what waits; one that waits already is not made again."""
    async with reading(state_of(request), None) as connection:
        message_id = await queue.add_test(connection, org_id)
    return NoticeQueued(found(message_id, NOT_SET))


@router.post("/replay", status_code=202, summary="Send again what an organization was not told")
async def replay_notices(request: Request, org_id: ReadableOrg, _caller: AnyCaller) -> NoticesShown:
    """Begins at once with the oldest that was not taken, also where notices were disabled."""
    async with reading(state_of(request), None) as connection:
        await endpoints.replay(connection, org_id)
        return _shown(await endpoint_of(connection, org_id))


@router.get("", summary="Show where an organization's notices go")
async def get_notices(request: Request, org_id: ReadableOrg) -> NoticesShown:
    """Its URL, and whether notices are taken. The secret is not shown again."""
    async with reading(state_of(request), org_id) as connection:
        return _shown(await endpoint_of(connection, org_id))


@router.put(
    "",
    summary="Have an organization told by a signed webhook",
    responses={
        201: {"model": NoticesShown, "description": "It is set, and this is its secret, now and never again."},
        409: {"description": "The organization was deleted, or this installation sends no notices."},
    },
    openapi_extra=documented(NoticesBody, {"url": "https://praxis.example/zerotouch"}),
)
async def put_notices(request: Request, response: Response, org_id: ReadableOrg, caller: AnyCaller) -> NoticesShown:
    """201 with a secret where it is new, or a new one was asked for; else 200. It ends what was disabled."""
    stored = await set_notices(request, org_id, caller, await read_model(request, NoticesBody))
    response.status_code = 200 if stored.secret is None else 201
    response.headers["Cache-Control"] = "no-store"
    return stored


async def set_notices(request: Request, org_id: UUID, caller: Caller, asked: NoticesBody) -> NoticesShown:
    """Store where a clinic's notices go; the answer has their secret where it is new. Raises problems."""
    door = _door(request)
    loopback_allowed = (installed := state_of(request).installed) is not None and installed.loopback_allowed
    if problems := await url_problems(asked.url, door.resolve, loopback_allowed=loopback_allowed):
        raise invalid(problems)
    async with reading(state_of(request), None) as connection:
        try:
            stored, secret = await set_endpoint(
                connection, door.box, org_id, asked.url, rotate=asked.rotate_secret, by=actor_of(caller)
            )
        except NoClinicToTell as error:
            status, code = (409, ErrorCode.INVALID_REQUEST) if error.is_closed else (404, ErrorCode.NOT_FOUND)
            raise Problem(status, code, str(error)) from error
    return shown(stored, secret)


@router.delete("", status_code=204, summary="Tell an organization nothing any more")
async def delete_notices(request: Request, org_id: ReadableOrg, _caller: AnyCaller) -> None:
    """Its URL, its secrets and what waits are deleted."""
    async with reading(state_of(request), None) as connection:
        if not await endpoints.remove_endpoint(connection, org_id):
            raise Problem(404, ErrorCode.NOT_FOUND, NOT_SET)


def _shown(endpoint: Endpoint | None) -> NoticesShown:
    return shown(found(endpoint, NOT_SET))


def _door(request: Request) -> NoticesDoor:
    if (door := state_of(request).notices) is None:
        raise Problem(409, ErrorCode.INVALID_REQUEST, "this installation sends no notices: NOTICES_KEY is not set")
    return door
