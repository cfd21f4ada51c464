"""The page that a clinic's own site shows in a frame: whether its assistants can book, in sentences and times (ADR 86).

It has no cookie, form, script or link, and reads no token: whoever has the address may read it, and can do nothing.
Addresses that have ended, were taken back, or never were have one page.
"""

from collections.abc import Mapping
from typing import Final
from uuid import UUID

from fastapi import APIRouter, Request
from starlette.responses import HTMLResponse, Response

from tool_sync.console.pages import rendered
from tool_sync.console.state import console_of, reads
from tool_sync.http.codes import code_of
from tool_sync.http.explain import moment_of
from tool_sync.http.problems import Problem
from tool_sync.http.state import state_of
from tool_sync.queries.status_links import TITLE, org_of
from tool_sync.queries.status_shown import StatusShown, status_of
from zerotouch_contracts.errors import ErrorCode

AGAIN_SECONDS: Final = 60
_GONE: Final = "This address shows nothing."
_NOT_KNOWN: Final = "Just now this is not known. This page looks again within a minute."

router = APIRouter()


@router.get("/embed/{code}")
async def get_embed(request: Request, code: str) -> Response:
    """The sentences; loaded again every minute, without a script."""
    console = state_of(request).console
    if console is None or not console.frame_ancestors:
        raise Problem(404, ErrorCode.NOT_FOUND)
    headers = headers_of(console.frame_ancestors)
    again = {**headers, "Refresh": str(AGAIN_SECONDS)}
    try:
        shown = await _shown(request, code)
    except Problem as problem:
        return HTMLResponse(_page(None, _NOT_KNOWN), problem.status, again)
    return HTMLResponse(_page(None, _GONE), 404, headers) if shown is None else HTMLResponse(_page(shown), 200, again)


def headers_of(frame_ancestors: tuple[str, ...]) -> Mapping[str, str]:
    """What this page has beside the headers of every page, or in their place."""
    policy = (
        "default-src 'none'; style-src 'self'; form-action 'none'; base-uri 'none'; "
        f"frame-ancestors {' '.join(frame_ancestors)}"
    )
    return {"Content-Security-Policy": policy, "X-Robots-Tag": "noindex"}


async def _shown(request: Request, code: str) -> StatusShown | None:
    if (bytes_ := code_of(code)) is None:
        return None
    async with reads(request) as connection:
        org_id = await org_of(connection, bytes_)
    if org_id is None:
        return None
    return await console_of(request).glances.of(org_id, lambda: _look(request, org_id))


async def _look(request: Request, org_id: UUID) -> StatusShown | None:
    async with moment_of(request, org_id, None) as (connection, moment):
        return await status_of(connection, moment)


def _page(shown: StatusShown | None, instead: str = "") -> str:
    return rendered("embed.html", title=TITLE, shown=shown, instead=instead)
