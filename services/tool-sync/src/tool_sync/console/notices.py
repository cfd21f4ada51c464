"""A clinic's notices, on its page: where they go, one to try it out, a replay, an end. A secret is shown once."""

from collections.abc import Awaitable, Callable
from typing import Final, Literal
from uuid import UUID

from fastapi import APIRouter, Request
from starlette.responses import Response

from tool_sync.console.access import PageCaller, own_form
from tool_sync.console.pages import page, see_other
from tool_sync.http.access import require_readable
from tool_sync.http.body import invalid, model_of
from tool_sync.http.notices import NoticesBody, delete_notices, replay_notices, set_notices, try_notices
from zerotouch_platform.auth import Caller, Platform

router = APIRouter()

Action = Literal["test", "replay", "remove"]
_ACTIONS: Final[dict[Action, Callable[[Request, UUID, Caller], Awaitable[object]]]] = {
    "test": try_notices,
    "replay": replay_notices,
    "remove": delete_notices,
}


@router.post("/orgs/{org_id}/notices")
async def post_notices(request: Request, org_id: UUID, caller: PageCaller) -> Response:
    """Set the URL, as ``PUT …/notices`` does; where that makes a secret, the page that shows it."""
    require_readable(caller, org_id)
    form = await own_form(request)
    asked, problems = model_of(NoticesBody, {"url": form.get("url", "").strip(), "rotate_secret": "rotate" in form})
    if asked is None:
        raise invalid(problems)
    stored = await set_notices(request, org_id, caller, asked)
    if stored.secret is None:
        return see_other(f"/orgs/{org_id}#notices")
    command = f"tool-sync notices show {org_id}" if isinstance(caller, Platform) else None
    return page(
        request,
        "notices_secret",
        caller,
        command=command,
        org_id=org_id,
        secret=stored.secret,
        until=stored.old_secret_until,
    )


@router.post("/orgs/{org_id}/notices/{action}")
async def post_notices_action(request: Request, org_id: UUID, action: Action, caller: PageCaller) -> Response:
    """Send one to try it out, send again what was not taken, or tell the clinic nothing any more."""
    require_readable(caller, org_id)
    await own_form(request)
    await _ACTIONS[action](request, org_id, caller)
    return see_other(f"/orgs/{org_id}#notices")
