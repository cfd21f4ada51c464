"""*Log*: where it stands, whether its newest events hold together, how far it is signed, and its read tables.

Looked at are the newest events alone; the whole log is looked at in a terminal. Nothing is written.
"""

from typing import Final

from fastapi import APIRouter, Request
from starlette.responses import HTMLResponse

from tool_sync.console.access import PlatformPage
from tool_sync.console.pages import page
from tool_sync.console.state import console_of, reads
from tool_sync.log.heads import read_stands
from tool_sync.log.verify import verify_newest
from tool_sync.queries.standing import projections_at, signed_through
from tool_sync.queries.waiting import backlog

VERIFIED_EVENTS: Final = 1_000
FINDINGS_SHOWN: Final = 20

router = APIRouter()


@router.get("/log")
async def get_log(request: Request, caller: PlatformPage) -> HTMLResponse:
    """The page."""
    parts = console_of(request).process.parts
    async with reads(request) as connection:
        stands = await read_stands(connection)
        behind = await backlog(connection)
        found = await verify_newest(connection, VERIFIED_EVENTS)
        return page(
            request,
            "log",
            caller,
            command="tool-sync log verify",
            stands=stands,
            behind=behind,
            after=found.after,
            head=found.head,
            findings=found.findings[:FINDINGS_SHOWN],
            signed=await signed_through(connection),
            signs=None if parts is None else parts.signs(),
            is_told=parts is not None,
            projections=await projections_at(connection),
        )
