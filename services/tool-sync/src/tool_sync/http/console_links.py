"""``POST /v1/console/links``: a link that signs its opener in at the console, once, as the caller."""

from typing import Final

import structlog
from fastapi import APIRouter, Request

from tool_sync.http.access import PlatformCaller, actor_of, reading
from tool_sync.http.codes import new_code
from tool_sync.http.problems import Problem
from tool_sync.http.state import state_of
from tool_sync.queries.console_links import LASTS, ConsoleLink, keep_link
from zerotouch_contracts.errors import ErrorCode

log = structlog.get_logger(__name__)

_MINUTES: Final = int(LASTS.total_seconds()) // 60

router = APIRouter(prefix="/v1/console", tags=["console"])


@router.post(
    "/links",
    status_code=201,
    summary="Make a link that signs in at the console",
    responses={409: {"description": "There is no console here, or too many links are open."}},
)
async def make_link(request: Request, caller: PlatformCaller) -> ConsoleLink:
    """It is good once, for five minutes, and for what this request's own token may do, until that token ends."""
    if (console := state_of(request).console) is None:
        raise Problem(409, ErrorCode.INVALID_REQUEST, "there is no console here: CONSOLE_KEY is not set")
    if console.url is None:
        detail = "where browsers find the console is not known: CONSOLE_URL is not set"
        raise Problem(409, ErrorCode.INVALID_REQUEST, detail)
    (code, text), token = new_code(), request.headers["authorization"].partition(" ")[2].strip()
    if (sealed := console.seal(token, code)) is None:
        raise Problem(409, ErrorCode.INVALID_REQUEST, "the token is too long for a browser's cookie")
    async with reading(state_of(request), None) as connection:
        expires_at = await keep_link(connection, code, sealed)
    if expires_at is None:
        raise Problem(409, ErrorCode.INVALID_REQUEST, f"too many links are open: each ends within {_MINUTES} minutes")
    log.info("a link to the console was made", actor=actor_of(caller), expires_at=expires_at.isoformat())
    return ConsoleLink(f"{console.url}/enter/{text}", expires_at)
