"""Where a clinic's status is shown: addresses that are made on its page, shown once, and taken back."""

from uuid import UUID

from fastapi import APIRouter, Request
from starlette.responses import Response

from tool_sync.console.access import PageCaller, own_form
from tool_sync.console.pages import page, see_other
from tool_sync.http.access import require_readable
from tool_sync.http.body import invalid, model_of
from tool_sync.http.status_links import StatusLinkBody, delete_link, make_link_of

router = APIRouter()


@router.post("/orgs/{org_id}/status-links")
async def post_status_link(request: Request, org_id: UUID, caller: PageCaller) -> Response:
    """Make one, as ``POST …/status-links`` does; the page that follows has the address."""
    require_readable(caller, org_id)
    form = await own_form(request)
    days = form.get("days", "")
    wish: dict[str, object] = {"label": form.get("label", "")}
    if days:
        wish["days"] = int(days) if days.isascii() and days.isdigit() and len(days) <= 4 else 0
    asked, problems = model_of(StatusLinkBody, wish)
    if asked is None:
        raise invalid(problems)
    made = await make_link_of(request, org_id, caller, asked)
    return page(request, "status_link_made", caller, org_id=org_id, made=made)


@router.post("/orgs/{org_id}/status-links/{link_id}/remove")
async def post_status_link_removal(request: Request, org_id: UUID, link_id: UUID, caller: PageCaller) -> Response:
    """Take one back."""
    require_readable(caller, org_id)
    await own_form(request)
    await delete_link(request, org_id, link_id, caller)
    return see_other(f"/orgs/{org_id}#status-links")
