"""*Waiting*: saves without an outcome, the oldest first, and what each waits for.

Costs the saves that are shown, each with what came since of its clinic, by indexes; how many there are in all is the
light's number.
"""

from typing import Final

from fastapi import APIRouter, Request
from starlette.responses import HTMLResponse

from tool_sync.console.access import PlatformPage
from tool_sync.console.pages import page
from tool_sync.console.state import reads
from tool_sync.queries.display_names import names_of
from tool_sync.queries.waiting import backlog, waits_of
from tool_sync.vapi.rate_limit import paused_keys

SHOWN: Final = 100

router = APIRouter()


@router.get("/waiting")
async def get_waiting(request: Request, caller: PlatformPage) -> HTMLResponse:
    """The page."""
    async with reads(request) as connection:
        waits = await waits_of(connection, SHOWN + 1)
        found = [(one.org_id, one.agent_id) for one in waits]
        names = await names_of(connection, {*found, *((org_id, None) for org_id, _ in found)})
        behind, paused = await backlog(connection), await paused_keys(connection)
    return page(
        request,
        "waiting",
        caller,
        command="tool-sync failures list --waiting",
        waits=waits[:SHOWN],
        is_cut=len(waits) > SHOWN,
        names=names,
        behind=behind,
        paused=paused,
    )
