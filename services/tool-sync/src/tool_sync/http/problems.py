"""Errors as RFC 9457 problem documents with a code of the catalogue; nothing of the inside gets out."""

from typing import Any, Final

import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from opentelemetry.trace import format_trace_id, get_current_span
from starlette.exceptions import HTTPException

from tool_sync.log.codec import UnknownEvent
from tool_sync.queries.as_of import BeforeFirstEvent
from tool_sync.queries.explain_tool import UnknownTool
from zerotouch_contracts.errors import CATALOGUE, ErrorCode
from zerotouch_platform.auth import TokenRefused
from zerotouch_platform.traces import trace_url

log = structlog.get_logger(__name__)

MEDIA_TYPE: Final = "application/problem+json"
_PROBLEM: Final = {"content": {MEDIA_TYPE: {"schema": {"type": "object"}}}}
PROBLEMS: Final[dict[int | str, dict[str, Any]]] = {
    401: {"description": "The token is missing, wrong or expired.", **_PROBLEM},
    404: {"description": "There is no such organization for this caller.", **_PROBLEM},
    422: {"description": "The request is not valid.", **_PROBLEM},
    503: {"description": "The database does not answer.", **_PROBLEM},
}
FEED_PROBLEMS: Final[dict[int | str, dict[str, Any]]] = {
    400: {"description": "A cursor, a filter or a limit is not valid; the detail names it.", **_PROBLEM},
    401: PROBLEMS[401],
    404: PROBLEMS[404],
    409: {"description": "The log is not the one that the request names: history was rewritten.", **_PROBLEM},
    503: {"description": "The database does not answer, or too many readers are waiting.", **_PROBLEM},
    "default": {"description": "Any other problem.", **_PROBLEM},  # without it FastAPI documents a 422
}
_CODES: Final = {404: ErrorCode.NOT_FOUND, 403: ErrorCode.FORBIDDEN, 401: ErrorCode.UNAUTHENTICATED}


class Problem(Exception):
    """An answer that is an error. ``detail`` is for the caller."""

    def __init__(self, status: int, code: ErrorCode, detail: str | None = None) -> None:
        self.status, self.code, self.detail = status, code, detail
        super().__init__(f"{status} {code}: {detail}")


def install(app: FastAPI) -> None:
    """Make every error of the app a problem document; what a read finds missing or unreadable is said as such."""

    @app.exception_handler(Problem)
    async def _problem(_: Request, error: Problem) -> JSONResponse:
        return _document(error.status, error.code, error.detail)

    @app.exception_handler(BeforeFirstEvent)
    async def _nothing_yet(_: Request, error: BeforeFirstEvent) -> JSONResponse:
        return _document(404, ErrorCode.NOT_FOUND, None if error.first is None else str(error))

    @app.exception_handler(UnknownTool)
    async def _unknown_tool(_: Request, error: UnknownTool) -> JSONResponse:
        return _document(404, ErrorCode.NOT_FOUND, str(error))

    @app.exception_handler(UnknownEvent)
    async def _unknown_event(_: Request, error: UnknownEvent) -> JSONResponse:
        return _document(503, ErrorCode.NOT_READY, f"{error}; a newer release can read it")

    @app.exception_handler(TokenRefused)
    async def _token_refused(_: Request, error: TokenRefused) -> JSONResponse:
        return _document(401, ErrorCode.UNAUTHENTICATED, error.reason, {"WWW-Authenticate": "Bearer"})

    @app.exception_handler(RequestValidationError)
    async def _invalid(_: Request, error: RequestValidationError) -> JSONResponse:
        errors = [{"at": ".".join(str(part) for part in e["loc"]), "problem": e["msg"]} for e in error.errors()[:20]]
        return _document(422, ErrorCode.INVALID_REQUEST, None, errors=errors)

    @app.exception_handler(HTTPException)
    async def _http(_: Request, error: HTTPException) -> JSONResponse:
        code = _CODES.get(error.status_code, ErrorCode.INVALID_REQUEST)
        return _document(error.status_code, code, str(error.detail), dict(error.headers or {}))

    @app.exception_handler(Exception)
    async def _bug(request: Request, error: Exception) -> JSONResponse:
        log.error("http: an unexpected error", path=request.url.path, exc_info=error)
        return _document(500, ErrorCode.INTERNAL, None)


def _document(
    status: int, code: ErrorCode, detail: str | None, headers: dict[str, str] | None = None, **more: Any
) -> JSONResponse:
    entry = CATALOGUE[code]
    body = {
        "type": f"urn:zerotouch:error:{code.value}",
        "title": entry.title,
        "status": status,
        "code": code.value,
        "detail": detail or f"{entry.meaning} {entry.what_to_do}",
    }
    if (context := get_current_span().get_span_context()).is_valid:
        body["trace_id"] = trace_id = format_trace_id(context.trace_id)
        if url := trace_url(trace_id):
            body["trace_url"] = url
    return JSONResponse(body | more, status_code=status, headers=headers, media_type=MEDIA_TYPE)
