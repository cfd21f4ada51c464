"""``…/tools/TOOL/pin``: the platform keeps a clinic at a version of a tool for a while.

A clinic's own token may not: which version it has is the platform's to answer for. How it is written, and its ETag:
:mod:`.wishes`.
"""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Final
from uuid import UUID

from fastapi import APIRouter, Query, Request, Response
from pydantic import AwareDatetime, Field

from tool_sync.domain.events import ToolPinned, ToolUnpinned
from tool_sync.domain.tool_pin import PIN_DAYS_MAX, PinBasis, PinWish
from tool_sync.domain.tool_setting import REASON_CHARACTERS_MAX
from tool_sync.http.access import PlatformCaller, reading
from tool_sync.http.body import Body, Reason, read_model
from tool_sync.http.problems import Problem
from tool_sync.http.state import state_of
from tool_sync.http.tool_settings import ToolName
from tool_sync.http.wishes import (
    IfMatch,
    fulfilled,
    mark,
    require_reason,
    seen_of,
    storing,
    watch_of,
    write_answers,
)
from tool_sync.intake.wishes import WishStored
from tool_sync.queries.as_of import fleet_of
from tool_sync.queries.explain_tool import UnknownTool
from tool_sync.queries.tool_pins import ToolPin, pin_of
from tool_sync.rollouts.pins import pin_basis, pin_tool
from zerotouch_contracts.errors import ErrorCode
from zerotouch_platform.auth import Caller
from zerotouch_platform.openapi import Answers, documented
from zerotouch_platform.request_times import WithDate

VERSION_MAX: Final = 999_999_999


class PinBody(Body):
    """The pin of one tool of a clinic."""

    version: int = Field(ge=1, le=VERSION_MAX, description="The published version at which the clinic stays.")
    until: Annotated[AwareDatetime, WithDate] = Field(
        strict=False,
        description=f"When the pin ends, RFC 3339 with a zone: in the future, {PIN_DAYS_MAX} days away at most.",
    )
    reason: Reason


@dataclass(frozen=True, slots=True)
class PinShown:
    """The pin of one tool of an organization.

    ``version`` null: it is not pinned; the clinic gets what is ordered. The fields below it say who pinned it, or ended
    the pin, when and why, and are null where there never was one. ``watch`` answers what became of it.
    """

    org_id: UUID
    tool: str
    version: int | None
    until: datetime | None
    changed_at: datetime | None
    actor: str | None
    reason: str | None
    position: int
    watch: str


_ANSWERS: Final[Answers] = {403: {"description": "The token is an organization's own."}}
_EXAMPLE: Final = {"version": 2, "until": "2027-01-31T00:00:00Z", "reason": "it is taught to the staff first"}
_NOUN: Final = "pin"
_WRITE_ANSWERS: Final = _ANSWERS | write_answers(
    PinShown, _NOUN, "It was stored just now, and the clinic follows as bulk work."
)

router = APIRouter(prefix="/v1/orgs/{org_id}/tools/{tool}", tags=["organizations"], responses=_ANSWERS)


@router.get("/pin", summary="Show the version at which an organization stays")
async def get_pin(
    request: Request, response: Response, org_id: UUID, caller: PlatformCaller, tool: ToolName
) -> PinShown:
    """The pin, with its ETag; also where there is none."""
    async with reading(state_of(request), None) as connection:
        _, basis = await pin_basis(connection, org_id, tool)
        pin = await pin_of(connection, org_id, tool)
        names = (await fleet_of(connection)).names
    if not basis.is_known:
        raise Problem(404, ErrorCode.NOT_FOUND)
    if pin is None and tool not in names:
        raise UnknownTool(tool, names)
    return _answer(response, org_id, tool, pin)


@router.put(
    "/pin",
    summary="Keep an organization at a version",
    responses=_WRITE_ANSWERS,
    openapi_extra=documented(PinBody, _EXAMPLE),
)
async def put_pin(
    request: Request, response: Response, org_id: UUID, caller: PlatformCaller, tool: ToolName, if_match: IfMatch = None
) -> PinShown:
    """202 where it is new; 200 where it was so already, and nothing was written. A pin that is there is replaced.

    Until then the clinic has this version whatever is ordered, unless the tool is halted, switched off or for a higher
    tier. The same request may be sent again after any failure.
    """
    body = await read_model(request, PinBody)
    wish = PinWish(body.version, body.until.astimezone(UTC), body.reason, seen_of(if_match))
    return await _write(request, response, org_id, caller, tool, wish)


@router.delete("/pin", summary="End a pin", responses=_WRITE_ANSWERS)
async def delete_pin(
    request: Request,
    response: Response,
    org_id: UUID,
    caller: PlatformCaller,
    tool: ToolName,
    reason: Annotated[str, Query(max_length=REASON_CHARACTERS_MAX, description="Why, in one line.")],
    if_match: IfMatch = None,
) -> PinShown:
    """The clinic gets what is ordered. 202 where that is new; 200 where nothing was pinned."""
    require_reason(reason)
    return await _write(request, response, org_id, caller, tool, PinWish(None, None, reason, seen_of(if_match)))


async def _write(
    request: Request, response: Response, org_id: UUID, caller: Caller, tool: str, wish: PinWish
) -> PinShown:
    state = state_of(request)

    async def read() -> tuple[int, PinBasis]:
        async with reading(state, None) as connection:
            return await pin_basis(connection, org_id, tool)

    async with storing(request, caller, _NOUN) as (log, wisher):
        written = await pin_tool(log, read, org_id, tool, wish, wisher)
    done = fulfilled(written, _NOUN, tool)
    if isinstance(done, WishStored):
        response.status_code = 202
        return _answer(response, org_id, tool, _as_row(org_id, done))
    async with reading(state, None) as connection:
        return _answer(response, org_id, tool, await pin_of(connection, org_id, tool))


def _as_row(org_id: UUID, written: WishStored[ToolPinned | ToolUnpinned]) -> ToolPin:
    event = written.event
    version, until = (event.version, event.until) if isinstance(event, ToolPinned) else (None, None)
    return ToolPin(
        org_id, event.name, version, until, written.recorded_at, written.actor, event.reason, written.position
    )


def _answer(response: Response, org_id: UUID, tool: str, pin: ToolPin | None) -> PinShown:
    mark(response, pin.position if pin else 0)
    watch = watch_of(org_id, tool)
    if pin is None:
        return PinShown(org_id, tool, None, None, None, None, None, 0, watch)
    by_whom = pin.changed_at, pin.actor, pin.reason, pin.position
    return PinShown(org_id, tool, pin.version, pin.until, *by_whom, watch)
