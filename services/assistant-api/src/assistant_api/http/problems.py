"""Errors as HTTP says them: RFC 9457 problem documents with a code of the catalogue and the trace id."""

import json
from typing import Final

import asyncpg
import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from opentelemetry.trace import get_current_span
from starlette.exceptions import HTTPException
from starlette.responses import Response

from assistant_api.db import TRANSIENT_ERRORS, DatabaseUnavailable
from assistant_api.http.needs import RULES
from assistant_api.problem import Problem, invalid
from assistant_api.telemetry import own_trace_id
from zerotouch_contracts.errors import CATALOGUE, ErrorCode
from zerotouch_platform.auth import NotAllowed
from zerotouch_platform.postgres.errors import MISCONFIGURED_ERRORS, is_unusable_value, meaning_of
from zerotouch_platform.problems import MEDIA_TYPE, headers_of, problem_document
from zerotouch_platform.traces import trace_url
from zerotouch_platform.turns import NoTurn

_log: Final = structlog.get_logger()


class ProblemResponse(Response):
    """A problem's document; ``code`` is what it says."""

    def __init__(self, problem: Problem, body: str, headers: dict[str, str] | None) -> None:
        super().__init__(body, problem.status, headers, MEDIA_TYPE)
        self.code = problem.code


def to_response(problem: Problem) -> ProblemResponse:
    """The document of a problem, in the current trace."""
    document = {
        **problem_document(problem.status, problem.code, problem.detail),
        "traceId": (trace_id := own_trace_id(get_current_span())),
        **({"traceUrl": url} if (url := trace_url(trace_id)) else {}),
        **problem.extra,
    }
    headers = {"WWW-Authenticate": "Bearer"} if problem.status == 401 else {}
    return ProblemResponse(problem, json.dumps(document), headers | problem.headers)


def install(app: FastAPI) -> None:
    """Make every error of ``app`` a problem document."""

    @app.exception_handler(Problem)
    async def _problem(_: Request, error: Problem) -> Response:
        return to_response(error)

    @app.exception_handler(NotAllowed)
    async def _not_allowed(_: Request, error: NotAllowed) -> Response:
        lacks = {} if error.scope is None else {"scope": error.scope.value}
        headers = {"WWW-Authenticate": error.challenge}
        return to_response(Problem(403, ErrorCode.FORBIDDEN, str(error), extra=lacks, headers=headers))

    @app.exception_handler(HTTPException)
    async def _http(request: Request, error: HTTPException) -> Response:
        code = ErrorCode.NOT_FOUND if error.status_code == 404 else ErrorCode.INVALID_REQUEST
        return to_response(
            Problem(error.status_code, code, str(error.detail), headers=headers_of(error, request, RULES))
        )

    @app.exception_handler(RequestValidationError)
    async def _parameters(_: Request, error: RequestValidationError) -> Response:
        problems = [{"field": ".".join(map(str, item["loc"])), "problem": str(item["msg"])} for item in error.errors()]
        return to_response(invalid("a parameter is not valid", problems))

    async def _database(_: Request, error: Exception) -> Response:
        _log.warning("database_unavailable", error=str(error))
        return to_response(Problem(503, ErrorCode.NOT_READY, "the database does not answer; try again in a moment"))

    @app.exception_handler(NoTurn)
    async def _crowd(_: Request, error: NoTurn) -> Response:
        _log.warning("too_many_at_a_time", error=str(error))
        return to_response(Problem(503, ErrorCode.NOT_READY, "too many requests at a time; try again in a moment"))

    for kind in (DatabaseUnavailable, *TRANSIENT_ERRORS):
        app.add_exception_handler(kind, _database)

    async def _misconfigured(_: Request, error: Exception) -> Response:
        _log.error("database_needs_a_person", reason=meaning_of(error), alarm=True)
        return to_response(Problem(503, ErrorCode.NOT_READY, "the database cannot be used; its operator has to look"))

    for misconfigured in MISCONFIGURED_ERRORS:
        app.add_exception_handler(misconfigured, _misconfigured)

    @app.exception_handler(asyncpg.DataError)
    async def _value(_: Request, error: asyncpg.DataError) -> Response:
        if not is_unusable_value(error):
            raise error
        # The routes refuse such values by name. What gets here was forgotten there, and is the caller's all the same.
        _log.error("value_not_refused_by_its_route", sqlstate=error.sqlstate, alarm=True)
        return to_response(invalid("a value of the request cannot be stored or compared"))


def stopping() -> Response:
    """The answer to a request that is cut off: what it changed may be stored, or may not."""
    _log.warning("request_cut_off")
    return to_response(
        Problem(503, ErrorCode.NOT_READY, "this process is stopping; try again with the same Idempotency-Key")
    )


def internal(error: BaseException) -> Response:
    """The answer to a fault of ours: logged with its stack here, and told to nobody else."""
    _log.error("request_failed", exc_info=error)
    return to_response(Problem(500, ErrorCode.INTERNAL, CATALOGUE[ErrorCode.INTERNAL].meaning))
