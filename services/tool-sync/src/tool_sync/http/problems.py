"""Errors as RFC 9457 problem documents with a code of the catalogue; nothing of the inside gets out."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final, TypeVar

import asyncpg
import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from opentelemetry.trace import format_trace_id, get_current_span
from starlette.exceptions import HTTPException

from tool_sync.http.needs import NEEDS
from tool_sync.log.codec import UnknownEvent
from tool_sync.queries.as_of import BeforeFirstEvent
from tool_sync.queries.blueprint import UnknownVersion
from tool_sync.queries.explain_tool import UnknownTool
from tool_sync.rollouts.finding import UnknownRollout
from zerotouch_contracts.errors import CATALOGUE, ErrorCode
from zerotouch_platform.auth import NotAllowed, TokenRefused, TokenUnsure
from zerotouch_platform.openapi import Answers
from zerotouch_platform.postgres.errors import is_unusable_value, meaning_of, needs_a_person
from zerotouch_platform.problems import MEDIA_TYPE, headers_of, problem_document
from zerotouch_platform.traces import trace_url

log = structlog.get_logger(__name__)

T = TypeVar("T")

FEED_ANSWERS: Final[Answers] = {
    400: {"description": "A cursor, a filter or a limit is not valid; the detail names it."},
    409: {"description": "The log is not the one that the request names: history was rewritten."},
}
_CODES: Final = {404: ErrorCode.NOT_FOUND, 403: ErrorCode.FORBIDDEN, 401: ErrorCode.UNAUTHENTICATED}


class Problem(Exception):
    """An answer that is an error. ``detail`` is for the caller, and ``more`` are further members of the document."""

    def __init__(self, status: int, code: ErrorCode, detail: str | None = None, **more: Any) -> None:
        self.status, self.code, self.detail, self.more = status, code, detail, more
        super().__init__(f"{status} {code}: {detail}")


def install(app: FastAPI) -> None:
    """Make every error of the app a problem document; what a read finds missing or unreadable is said as such."""
    for handle, kinds in _HANDLED.items():
        for kind in kinds:
            app.exception_handler(kind)(handle)


async def _problem(_: Request, error: Problem) -> JSONResponse:
    if error.__cause__ is not None and needs_a_person(error.__cause__):
        log.error("http: the database needs a person", reason=meaning_of(error.__cause__), alarm=True)
    return _document(error.status, error.code, error.detail, **error.more)


async def _not_read(_: Request, error: Exception) -> JSONResponse:
    if isinstance(error, UnknownEvent):
        return _document(503, ErrorCode.NOT_READY, f"{error}; a newer release can read it")
    is_nowhere = isinstance(error, BeforeFirstEvent) and error.first is None
    return _document(404, ErrorCode.NOT_FOUND, None if is_nowhere else str(error))


async def _not_let_in(_: Request, error: TokenUnsure | TokenRefused | NotAllowed) -> JSONResponse:
    match error:
        case TokenUnsure(reason=reason):
            return _document(503, ErrorCode.NOT_READY, reason)
        case TokenRefused(reason=reason):
            return _document(401, ErrorCode.UNAUTHENTICATED, reason, {"WWW-Authenticate": "Bearer"})
        case NotAllowed(scope=scope, challenge=challenge):
            lacks = {} if scope is None else {"scope": scope}
            return _document(403, ErrorCode.FORBIDDEN, str(error), {"WWW-Authenticate": challenge}, **lacks)


async def _value(request: Request, error: asyncpg.DataError) -> JSONResponse:
    if not is_unusable_value(error):
        return await _bug(request, error)
    # The routes refuse such values by name. What gets here was forgotten there, and is the caller's all the same.
    log.error("http: a value was not refused by its route", sqlstate=error.sqlstate, alarm=True)
    return _document(422, ErrorCode.INVALID_REQUEST, "a value of the request cannot be stored or compared")


async def _invalid(_: Request, error: RequestValidationError) -> JSONResponse:
    errors = [{"field": ".".join(str(part) for part in e["loc"]), "problem": e["msg"]} for e in error.errors()[:20]]
    return _document(422, ErrorCode.INVALID_REQUEST, None, errors=errors)


async def _http(request: Request, error: HTTPException) -> JSONResponse:
    code = _CODES.get(error.status_code, ErrorCode.INVALID_REQUEST)
    return _document(error.status_code, code, str(error.detail), headers_of(error, request, NEEDS))


async def _bug(request: Request, error: Exception) -> JSONResponse:
    log.error("http: an unexpected error", path=request.url.path, exc_info=error)
    return _document(500, ErrorCode.INTERNAL, None)


_HANDLED: Final[Mapping[Callable[..., Awaitable[JSONResponse]], tuple[type[Exception], ...]]] = {
    _problem: (Problem,),
    _not_read: (BeforeFirstEvent, UnknownTool, UnknownVersion, UnknownRollout, UnknownEvent),
    _not_let_in: (TokenUnsure, TokenRefused, NotAllowed),
    _value: (asyncpg.DataError,),
    _invalid: (RequestValidationError,),
    _http: (HTTPException,),
    _bug: (Exception,),
}


def found(answer: T | None, detail: str | None = None) -> T:
    """What was asked for. Raises a 404 problem where there is none."""
    if answer is None:
        raise Problem(404, ErrorCode.NOT_FOUND, detail)
    return answer


def encodable(text: str) -> str:
    """A text of the caller's that may hold half a character (a lone surrogate), which no answer can repeat."""
    return text.encode(errors="backslashreplace").decode()


def _document(
    status: int, code: ErrorCode, detail: str | None, headers: dict[str, str] | None = None, **more: Any
) -> JSONResponse:
    entry = CATALOGUE[code]
    body = problem_document(status, code, encodable(detail or f"{entry.meaning} {entry.what_to_do}"))
    if (context := get_current_span().get_span_context()).is_valid:
        body["trace_id"] = trace_id = format_trace_id(context.trace_id)
        if url := trace_url(trace_id):
            body["trace_url"] = url
    return JSONResponse(body | more, status_code=status, headers=headers, media_type=MEDIA_TYPE)
