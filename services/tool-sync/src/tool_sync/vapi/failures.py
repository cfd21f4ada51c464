"""What a failed call means. One table decides it, from the status or from how the exchange broke.

not_sent   nothing left this process: no connection was made
refused    Vapi answered, and did not do it
unknown    sent, but no clean answer: it may have happened, or may still happen
"""

from dataclasses import dataclass
from typing import Final, Literal

import aiohttp
import httpx

from zerotouch_contracts.errors import CATALOGUE, ErrorCode

End = Literal["not_sent", "refused", "unknown"]
Subject = Literal["tool", "assistant"]

DETAIL_CHARS_MAX: Final = 300


@dataclass(eq=False)
class VapiFailure(Exception):
    """A call to Vapi that did not end in a clean answer. ``detail`` names fields, never their content."""

    end: End
    code: ErrorCode
    status: int | None = None
    retry_after_seconds: float | None = None
    detail: str = ""

    @property
    def retryable(self) -> bool:
        """Whether the same call can succeed later without anybody changing a definition or an assistant."""
        return CATALOGUE[self.code].retryable or self.code in _MENDED_BY_OPERATOR

    def __str__(self) -> str:
        return f"Vapi: {self.code.value} {CATALOGUE[self.code].title}, {self.end}, status {self.status}: {self.detail}"


_MENDED_BY_OPERATOR: Final = frozenset({ErrorCode.VAPI_KEY_REFUSED, ErrorCode.VAPI_PAYMENT_REQUIRED})

_BY_STATUS: Final = {
    401: ErrorCode.VAPI_KEY_REFUSED,
    402: ErrorCode.VAPI_PAYMENT_REQUIRED,
    403: ErrorCode.VAPI_KEY_REFUSED,
    409: ErrorCode.VAPI_CONFLICT,
    429: ErrorCode.VAPI_RATE_LIMITED,
}


def of_status(response: httpx.Response, detail: str, *, subject: Subject, write: bool) -> VapiFailure:
    """The meaning of an answer that is not a success."""
    status = response.status_code
    if status >= 500 or status < 400:
        # A 5xx may come after the write was executed; a redirect is never followed, so nobody knows.
        code = ErrorCode.VAPI_ANSWER_UNKNOWN if write else ErrorCode.VAPI_SERVER_ERROR
        return VapiFailure("unknown" if write else "refused", code, status, detail=detail)
    code = _BY_STATUS.get(status) or _refusal(subject, status)
    return VapiFailure("refused", code, status, _retry_after(response), detail)


def _refusal(subject: Subject, status: int) -> ErrorCode:
    if subject == "tool":
        return ErrorCode.TOOL_REFUSED
    return ErrorCode.ASSISTANT_MISSING if status == 404 else ErrorCode.ASSISTANT_REFUSED


def of_exception(error: BaseException, *, write: bool) -> VapiFailure:
    """The meaning of an exchange that broke.

    The transport maps aiohttp's ``ServerDisconnectedError`` to httpx's ``ConnectTimeout`` (httpx-aiohttp 0.2.0), though
    the request had been sent by then. Only aiohttp's own connector errors prove that nothing was.
    """
    cause = error.__cause__ if isinstance(error, httpx.TransportError) else error
    if isinstance(cause, aiohttp.ClientConnectorError | aiohttp.ConnectionTimeoutError):
        return VapiFailure("not_sent", ErrorCode.VAPI_UNREACHABLE, detail=type(cause).__name__)
    if write:
        return VapiFailure("unknown", ErrorCode.VAPI_ANSWER_UNKNOWN, detail=type(error).__name__)
    return VapiFailure("not_sent", ErrorCode.VAPI_UNREACHABLE, detail=type(error).__name__)


def invalid_answer(reason: str, *, write: bool) -> VapiFailure:
    """A success status with a body that is not what was asked for: after a write, it still may have happened."""
    if write:
        return VapiFailure("unknown", ErrorCode.VAPI_ANSWER_UNKNOWN, detail=reason)
    return VapiFailure("refused", ErrorCode.VAPI_ANSWER_INVALID, detail=reason)


def _retry_after(response: httpx.Response) -> float | None:
    """``Retry-After`` in seconds, 0 to 3600; None where absent, a date, or nonsense."""
    raw = response.headers.get("retry-after", "")
    return min(float(raw), 3600.0) if raw.isascii() and raw.isdecimal() else None
