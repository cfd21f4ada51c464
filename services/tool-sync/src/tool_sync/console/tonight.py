"""*Tonight*: what whoever is on call looks at first: what fails and why, what waits for what, what happens now.

A page costs, beside the lights: 10 outcomes and 10 saves that wait, each by an index, and names; what is counted over
everything is kept in the process (`causes.Counts`). The part that changes is loaded again every 2 s.
"""

from collections.abc import Sequence
from typing import Any, Final

from fastapi import APIRouter, Request
from starlette.responses import HTMLResponse, Response

from tool_sync.console.access import PageCaller, PlatformPage
from tool_sync.console.lights import lights_of
from tool_sync.console.pages import fragment, page, see_other
from tool_sync.console.state import console_of, reads
from tool_sync.db import Connection
from tool_sync.log.head import read_head
from tool_sync.queries.display_names import Names, names_of
from tool_sync.queries.outcomes import Outcome, newest_outcomes
from tool_sync.queries.waiting import Waits, waits_of
from tool_sync.vapi.rate_limit import paused_keys
from zerotouch_platform.auth import OrgMember

OUTCOMES_SHOWN: Final = 10
WAITING_SHOWN: Final = 10
CAUSES_SHOWN: Final = 20

router = APIRouter()


@router.get("/")
async def get_tonight(request: Request, caller: PageCaller) -> Response:
    """The first page; a clinic's own is its clinic's."""
    if isinstance(caller, OrgMember):
        return see_other(f"/orgs/{caller.org_id}")
    async with reads(request) as connection:
        lights = await lights_of(request, connection)
        part = await _part(request, connection)
    return page(request, "tonight", caller, command="tool-sync failures list", lights=lights, **part)


@router.get("/tonight")
async def get_part(request: Request, caller: PlatformPage) -> HTMLResponse:
    """What changes of the page, to be loaded again."""
    async with reads(request) as connection:
        return fragment(request, "tonight", caller, **await _part(request, connection))


async def _part(request: Request, connection: Connection) -> dict[str, Any]:
    console, head = console_of(request), await read_head(connection)
    counts = console.counts
    causes = await counts.causes(connection, head)
    coverage = await console.process.coverage.at(connection, head)
    failed, synced = await counts.lines(connection, head)
    outcomes = await newest_outcomes(connection, OUTCOMES_SHOWN)
    waits = await waits_of(connection, WAITING_SHOWN)
    return {
        "causes": causes[:CAUSES_SHOWN],
        "causes_more": len(causes) > CAUSES_SHOWN,
        "coverage": coverage,
        "failed": failed,
        "synced": synced,
        "outcomes": outcomes,
        "names": await _names(connection, outcomes, waits),
        "waits": waits,
        "paused": await paused_keys(connection),
    }


async def _names(connection: Connection, outcomes: Sequence[Outcome], waits: Sequence[Waits]) -> Names:
    """Of the clinics and agents that are shown."""
    found = [(one.org_id, one.agent_id) for one in outcomes] + [(one.org_id, one.agent_id) for one in waits]
    return await names_of(connection, {*found, *((org_id, None) for org_id, _ in found)})
