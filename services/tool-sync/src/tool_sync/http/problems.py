"""Errors as RFC 9457 problem documents with a code of the catalogue; nothing of the inside gets out."""

from typing import Any, Final

import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from opentelemetry.trace import format_trace_id, get_current_span
from starlette.exceptions import HTTPException

from zerotouch_contracts.errors import CATALOGUE, ErrorCode
from zerotouch_platform.auth import TokenRefused
from zerotouch_platform.traces import trace_url

log = structlog.get_logger(__name__)

MEDIA_TYPE: Final = "application/problem+json"
_CODES: Final = {404: ErrorCode.NOT_FOUND, 403: ErrorCode.FORBIDDEN, 401: ErrorCode.UNAUTHENTICATED}


class Problem(Exception):
    """An answer that is an error. ``detail`` is for the caller."""

    def __init__(self, status: int, code: ErrorCode, detail: str | None = None) -> None:
        self.status, self.code, self.detail = status, code, detail
        super().__init__(f"{status} {code}: {detail}")


def install(app: FastAPI) -> None:
    """Make every error of the app a problem document."""
    app.add_exception_handler(Problem, _on_problem)
    app.add_exception_handler(TokenRefused, _on_token_refused)
    app.add_exception_handler(RequestValidationError, _on_invalid)
    app.add_exception_handler(HTTPException, _on_http)
    app.add_exception_handler(Exception, _on_bug)


def _document(
    status: int, code: ErrorCode, detail: str | None, headers: dict[str, str] | None = None, **more: Any
) -> JSONResponse:
    entry = CATALOGUE[code]
    body: dict[str, Any] = {
        "type": f"urn:zerotouch:error:{code.value}",
        "title": entry.title,
        "status": status,
        "code": code.value,
    }
    body["detail"] = detail or f"{entry.meaning} {entry.what_to_do}"
    if (context := get_current_span().get_span_context()).is_valid:
        body["trace_id"] = format_trace_id(context.trace_id)
        if url := trace_url(body["trace_id"]):
            body["trace_url"] = url
    return JSONResponse(body | more, status_code=status, headers=headers, media_type=MEDIA_TYPE)


async def _on_problem(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, Problem)
    return _document(error.status, error.code, error.detail)


async def _on_token_refused(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, TokenRefused)
    return _document(401, ErrorCode.UNAUTHENTICATED, error.reason, {"WWW-Authenticate": "Bearer"})


async def _on_invalid(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)
    errors = [{"at": ".".join(str(part) for part in e["loc"]), "problem": e["msg"]} for e in error.errors()[:20]]
    return _document(422, ErrorCode.INVALID_REQUEST, None, errors=errors)


async def _on_http(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)
    code = _CODES.get(error.status_code, ErrorCode.INVALID_REQUEST)
    return _document(error.status_code, code, str(error.detail), dict(error.headers or {}))


async def _on_bug(request: Request, error: Exception) -> JSONResponse:
    log.error("http: an unexpected error", path=request.url.path, exc_info=error)
    return _document(500, ErrorCode.INTERNAL, None)
