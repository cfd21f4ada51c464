"""A request that ends with an error: what every layer may raise, and `http/problems.py` alone turns into HTTP."""

from collections.abc import Mapping
from typing import Any

from zerotouch_contracts.errors import CATALOGUE, ErrorCode


class Problem(Exception):
    """A request that ends with an error. ``extra`` are further members of the document, ``headers`` of the answer."""

    def __init__(
        self,
        status: int,
        code: ErrorCode,
        detail: str,
        *,
        extra: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(detail)
        self.status, self.code, self.detail = status, code, detail
        self.extra, self.headers = dict(extra or {}), dict(headers or {})


def not_found() -> Problem:
    """What is absent and what is another organization's look the same, to the byte."""
    return Problem(404, ErrorCode.NOT_FOUND, CATALOGUE[ErrorCode.NOT_FOUND].meaning)


def invalid(detail: str, errors: list[dict[str, str]] | None = None) -> Problem:
    """A request without the documented form."""
    return Problem(422, ErrorCode.INVALID_REQUEST, detail, extra={"errors": errors} if errors else None)
