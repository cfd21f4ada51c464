"""*Clinic*: what to say on the phone to whoever asks why an assistant does not book; and a clinic's own page.

A page costs some twenty statements, each of one clinic: its state from the newest snapshot, 25 assistants, the newest
turns of these (see :mod:`tool_sync.queries.assistant_turns`) and 15 changes.
"""

from typing import Annotated, Final
from uuid import UUID

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from tool_sync.console.access import NEEDS, PageCaller, own_form, reason_of
from tool_sync.console.pages import fragment, page, see_other
from tool_sync.domain.tool_setting import SettingWish
from tool_sync.http.access import require_readable
from tool_sync.http.explain import moment_of
from tool_sync.http.problems import Problem
from tool_sync.http.state import state_of
from tool_sync.http.tool_settings import ToolName, store_setting
from tool_sync.log.read import POSITION_MAX
from tool_sync.notices.endpoints import endpoint_of
from tool_sync.queries.clinic_shown import assistants_of, clinic_of
from tool_sync.queries.explain_tool import UnknownTool
from tool_sync.queries.status_links import status_links_of
from zerotouch_contracts.errors import ErrorCode
from zerotouch_platform.auth import Caller, NotAllowed, Platform, require

SETTINGS: Final = "/orgs/{org_id}/tools/{tool}/settings"

router = APIRouter()

After = Annotated[str, Query(max_length=64, pattern=r"^[A-Za-z0-9._:-]*$")]
Before = Annotated[int, Query(ge=1, le=POSITION_MAX)]


@router.get("/orgs/{org_id}")
async def get_clinic(
    request: Request, org_id: UUID, caller: PageCaller, after: After = "", before: Before = POSITION_MAX
) -> Response:
    """The clinic; in its own words where it looks by itself. ``after`` and ``before`` show more."""
    require_readable(caller, org_id)
    async with moment_of(request, org_id, None) as (connection, moment):
        clinic = await clinic_of(connection, moment, after, before)
        notices = await endpoint_of(connection, org_id)
        status_links = await status_links_of(connection, org_id)
    name = "clinic" if isinstance(caller, Platform) else "own_clinic"
    command = f"tool-sync coverage {org_id}" if isinstance(caller, Platform) else None
    return page(
        request,
        name,
        caller,
        command=command,
        clinic=clinic,
        notices=notices,
        sends_notices=state_of(request).notices is not None,
        status_links=status_links,
        can_embed=(door := state_of(request).console) is not None and bool(door.frame_ancestors),
        assistants=clinic.assistants,
        after=after,
        may_set=may_set(caller),
    )


@router.get("/orgs/{org_id}/assistants")
async def get_assistants(request: Request, org_id: UUID, caller: PageCaller, after: After = "") -> Response:
    """The assistants alone, to be loaded again."""
    require_readable(caller, org_id)
    async with moment_of(request, org_id, None) as (connection, moment):
        found = await assistants_of(connection, moment, after)
    name = "clinic_assistants" if isinstance(caller, Platform) else "own_clinic_assistants"
    return fragment(request, name, caller, assistants=found)


@router.post(SETTINGS)
async def post_settings(request: Request, org_id: UUID, tool: ToolName, caller: PageCaller) -> Response:
    """Switch a tool on or off, as ``PUT …/settings`` does; then the clinic's page shows what becomes of it."""
    require_readable(caller, org_id)
    form = await own_form(request)
    reason, _ = reason_of(form, caller)
    enabled, seen = {"on": True, "off": False}.get(form.get("to", "")), form.get("seen", "")
    if enabled is None or not (seen.isascii() and seen.isdigit() and int(seen) <= POSITION_MAX):
        raise Problem(422, ErrorCode.INVALID_REQUEST, "this form is not one of this page")
    try:
        await store_setting(request, org_id, caller, tool, SettingWish(enabled, reason, int(seen)))
    except UnknownTool as error:
        raise Problem(404, ErrorCode.NOT_FOUND, str(error)) from error
    except Problem as problem:
        if problem.status == 412:
            detail = (
                "the setting was changed since you opened the page, perhaps by this very form: go back, and look again"
            )
            raise Problem(412, problem.code, detail) from problem
        raise
    return see_other(f"/orgs/{org_id}#tools")


def may_set(caller: Caller) -> bool:
    """Whether the caller may switch tools on and off."""
    try:
        require(caller, NEEDS["POST", SETTINGS])
    except NotAllowed:
        return False
    return True
