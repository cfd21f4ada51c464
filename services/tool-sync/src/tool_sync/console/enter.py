"""Signing in by a link that is good once (``POST /v1/console/links``). A preview that opens it uses nothing up.

Who comes second, or late, or with a code of their own sees the same page.
"""

from fastapi import APIRouter, Request
from starlette.responses import Response

from tool_sync.console.access import require_own_site
from tool_sync.console.pages import page, see_other
from tool_sync.console.session import TokenTooLong
from tool_sync.console.state import console_of, reads
from tool_sync.http.codes import code_of
from tool_sync.queries.console_links import is_open, take_link

router = APIRouter()


@router.get("/enter/{code}")
async def get_enter(request: Request, code: str) -> Response:
    """A button, which signs in."""
    bytes_ = code_of(code)
    async with reads(request) as connection:
        if bytes_ is None or not await is_open(connection, bytes_):
            return _gone(request)
    return page(request, "enter", None, code=code)


@router.post("/enter/{code}")
async def post_enter(request: Request, code: str) -> Response:
    """Sets the cookie, once; then the first page."""
    require_own_site(request)
    if (bytes_ := code_of(code)) is None:
        return _gone(request)
    async with reads(request) as connection:
        sealed = await take_link(connection, bytes_)
    token = None if sealed is None else console_of(request).sealer.unseal_link(sealed, bytes_)
    if token is None:
        return _gone(request)
    response = see_other("/")
    try:
        console_of(request).sealer.sign_in(response, token)
    except TokenTooLong:  # pragma: no cover - no longer than the sealed one, which was measured
        return _gone(request)
    return response


def _gone(request: Request) -> Response:
    return page(request, "enter", None, status=410, code=None)
