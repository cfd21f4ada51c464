"""The one document of every error, RFC 9457 with a code of the catalogue, from both services.

Members that say which trace it was are in each service's own case; :mod:`.openapi` describes them all.
"""

from collections.abc import Iterable
from typing import Any, Final

from starlette.exceptions import HTTPException
from starlette.requests import Request

from zerotouch_contracts.errors import CATALOGUE, ErrorCode

MEDIA_TYPE: Final = "application/problem+json"


def problem_document(status: int, code: ErrorCode, detail: str) -> dict[str, Any]:
    """The members that every problem has."""
    return {
        "type": f"urn:zerotouch:error:{code.value}",
        "title": CATALOGUE[code].title,
        "status": status,
        "detail": detail,
        "code": code.value,
    }


def headers_of(error: HTTPException, request: Request, routes: Iterable[tuple[str, str]]) -> dict[str, str]:
    """The headers of an error of Starlette's; a 405 names every method that the path has in ``routes``.

    Starlette names those of one route, and a path with three methods is three routes.
    """
    headers = dict(error.headers or {})
    path = getattr(request.scope.get("route"), "path", None)
    methods = sorted(method for method, known in routes if known == path)
    return headers | {"Allow": ", ".join(methods)} if error.status_code == 405 and methods else headers
