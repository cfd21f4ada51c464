"""Errors as HTTP says them: RFC 9457 problem documents with a code of the catalogue and the trace id."""

import json
from typing import Final

import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from opentelemetry.trace import get_current_span
from starlette.exceptions import HTTPException
from starlette.responses import Response

from assistant_api.db import TRANSIENT_ERRORS, DatabaseUnavailable
from assistant_api.problem import Problem, invalid
from assistant_api.telemetry import own_trace_id
from zerotouch_contracts.errors import CATALOGUE, ErrorCode
from zerotouch_platform.traces import trace_url

MEDIA_TYPE: Final = "application/problem+json"

_log: Final = structlog.get_logger()


def to_response(problem: Problem) -> Response:
    """The document of a problem, in the current trace."""
    document = {
        "type": f"urn:zerotouch:error:{problem.code.value}",
        "title": CATALOGUE[problem.code].title,
        "status": problem.status,
        "detail": problem.detail,
        "code": problem.code.value,
        "traceId": (trace_id := own_trace_id(get_current_span())),
        **({"traceUrl": url} if (url := trace_url(trace_id)) else {}),
        **problem.extra,
    }
    headers = {"WWW-Authenticate": "Bearer"} if problem.status == 401 else None
    return Response(json.dumps(document), problem.status, headers, MEDIA_TYPE)


def install(app: FastAPI) -> None:
    """Make every error of ``app`` a problem document."""

    @app.exception_handler(Problem)
    async def _problem(_: Request, error: Problem) -> Response:
        return to_response(error)

    @app.exception_handler(HTTPException)
    async def _http(_: Request, error: HTTPException) -> Response:
        code = ErrorCode.NOT_FOUND if error.status_code == 404 else ErrorCode.INVALID_REQUEST
        return to_response(Problem(error.status_code, code, str(error.detail)))

    @app.exception_handler(RequestValidationError)
    async def _parameters(_: Request, error: RequestValidationError) -> Response:
        problems = [{"field": ".".join(map(str, item["loc"])), "problem": str(item["msg"])} for item in error.errors()]
        return to_response(invalid("a parameter is not valid", problems))

    async def _database(_: Request, error: Exception) -> Response:
        _log.warning("database_unavailable", error=str(error))
        return to_response(Problem(503, ErrorCode.NOT_READY, "the database does not answer; try again in a moment"))

    for kind in (DatabaseUnavailable, *TRANSIENT_ERRORS):
        app.add_exception_handler(kind, _database)


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
