"""``…/change-window``: when a clinic, or the platform for it, lets orders change its tools.

How it is written, and its ETag: :mod:`.wishes`.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

from fastapi import APIRouter, Request, Response
from pydantic import Field

from tool_sync.domain.change_window import WINDOW_MINUTES_MIN, ChangeWindow, local_time, parse_window
from tool_sync.domain.window_setting import WindowBasis, WindowWish
from tool_sync.http.access import AnyCaller, reading
from tool_sync.http.body import Body, ReasonAsked, ReasonOrNone, invalid, model_of, read_object
from tool_sync.http.problems import found
from tool_sync.http.routes import ReadableOrg
from tool_sync.http.state import state_of
from tool_sync.http.wishes import IfMatch, fulfilled, mark, require_reason, seen_of, storing, write_answers
from tool_sync.intake.change_windows import set_window, window_basis
from tool_sync.intake.wishes import WishStored
from tool_sync.queries.change_windows import window_of
from zerotouch_platform.auth import Caller
from zerotouch_platform.openapi import documented


class WindowBody(Body):
    """When orders may change a clinic's tools, every day by the clinic's own clock."""

    window: str = Field(
        max_length=11,
        description=f"Such as 22:00-06:00; of at least {WINDOW_MINUTES_MIN} minutes. It may cross midnight.",
    )
    reason: ReasonOrNone = None


@dataclass(frozen=True, slots=True)
class WindowShown:
    """The change window of an organization.

    ``window`` null: none is set, and orders come at any time. ``open``: they come now; ``closes_at`` is when that ends,
    ``opens_at`` when the window opens next. ``…_local`` are the same by the clinic's clock. The last fields say who set
    it, when and why, and are null where nobody ever did.
    """

    org_id: UUID
    window: str | None
    time_zone: str
    open: bool
    opens_at: datetime | None
    opens_at_local: str | None
    closes_at: datetime | None
    closes_at_local: str | None
    changed_at: datetime | None
    actor: str | None
    reason: str | None
    position: int


_NOUN: Final = "window"
_WRITE_ANSWERS: Final = write_answers(WindowShown, _NOUN, "It was stored just now.")

router = APIRouter(prefix="/v1/orgs/{org_id}", tags=["organizations"])


@router.get("/change-window", summary="Show when orders may change an organization's tools")
async def get_window(request: Request, response: Response, org_id: ReadableOrg) -> WindowShown:
    """The window, with its ETag; also where none is set."""
    return await _answer(request, response, org_id)


@router.put(
    "/change-window",
    summary="Let orders change an organization's tools at certain hours only",
    responses=_WRITE_ANSWERS,
    openapi_extra=documented(WindowBody, {"window": "22:00-06:00", "reason": "calls come by day"}),
)
async def put_window(
    request: Request, response: Response, org_id: ReadableOrg, caller: AnyCaller, if_match: IfMatch = None
) -> WindowShown:
    """202 where it is new; 200 where it was so already, and nothing was written.

    It delays what orders bring, and nothing else: a save, a halt, a setting and a repair come at any time.
    """
    window, reason = _window_of(await read_object(request))
    return await _write(request, response, org_id, caller, WindowWish(window, reason, seen_of(if_match)))


@router.delete(
    "/change-window", summary="Let orders change an organization's tools at any time", responses=_WRITE_ANSWERS
)
async def delete_window(
    request: Request,
    response: Response,
    org_id: ReadableOrg,
    caller: AnyCaller,
    reason: ReasonAsked = None,
    if_match: IfMatch = None,
) -> WindowShown:
    """What waited for the window comes now. 202 where that is new; 200 where none was set."""
    require_reason(reason)
    return await _write(request, response, org_id, caller, WindowWish(None, reason, seen_of(if_match)))


def _window_of(body: dict[str, object]) -> tuple[ChangeWindow, str | None]:
    asked, problems = model_of(WindowBody, body)
    if asked is None:
        raise invalid(problems)
    window = parse_window(asked.window)
    if isinstance(window, str):
        raise invalid([f"window: {window}", *problems])
    if problems:
        raise invalid(problems)
    return window, asked.reason


async def _write(request: Request, response: Response, org_id: UUID, caller: Caller, wish: WindowWish) -> WindowShown:
    async def read() -> tuple[int, WindowBasis]:
        async with reading(state_of(request), org_id) as connection:
            return await window_basis(connection, org_id)

    async with storing(request, caller, _NOUN) as (log, wisher):
        written = await set_window(log, read, org_id, wish, wisher)
    if isinstance(fulfilled(written, _NOUN), WishStored):
        response.status_code = 202
    return await _answer(request, response, org_id)


async def _answer(request: Request, response: Response, org_id: UUID) -> WindowShown:
    async with reading(state_of(request), org_id) as connection:
        set_now = found(await window_of(connection, org_id))
    mark(response, set_now.position)
    state, zone = set_now.state, set_now.time_zone
    opens_at, closes_at = (None, None) if state is None else (state.opens_at, state.closes_at)
    return WindowShown(
        org_id,
        None if set_now.window is None else str(set_now.window),
        zone,
        state is None or closes_at is not None,
        opens_at,
        None if opens_at is None else local_time(opens_at, zone),
        closes_at,
        None if closes_at is None else local_time(closes_at, zone),
        set_now.changed_at,
        set_now.actor,
        set_now.reason,
        set_now.position,
    )
