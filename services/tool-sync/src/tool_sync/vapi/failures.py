"""What a failed call means. One table decides it, from the status or from how the exchange broke.

not_sent   nothing left this process: no connection was made
refused    Vapi answered, and did not do it
unknown    sent, but no clean answer: it may have happened, or may still happen

Every code is of exactly one :class:`Kind`, which says what happens next.
"""

from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from enum import Enum
from types import MappingProxyType
from typing import Final, Literal

import aiohttp
import httpx

from zerotouch_contracts.errors import CATALOGUE, ErrorCode


class Kind(Enum):
    """What to do about a failure."""

    RETRYABLE = "retryable"
    """Tried again, with back-off."""
    RATE_LIMITED = "rate_limited"
    """The key is paused until Vapi counts anew; nobody's attempt."""
    AUTHENTICATION = "authentication"
    """The key is paused until somebody mended it; nobody's attempt."""
    PERMANENT = "permanent"
    """Waiting does not help: only a save, another definition or an operator."""
    AMBIGUOUS = "ambiguous"
    """A write that may have happened: looked up after the settle time, never repeated blindly."""


KINDS: Final = MappingProxyType(
    {
        ErrorCode.VAPI_UNREACHABLE: Kind.RETRYABLE,
        ErrorCode.VAPI_SERVER_ERROR: Kind.RETRYABLE,
        ErrorCode.VAPI_ANSWER_INVALID: Kind.RETRYABLE,
        ErrorCode.VAPI_CONFLICT: Kind.RETRYABLE,
        ErrorCode.TOOL_IN_USE: Kind.RETRYABLE,
        ErrorCode.VAPI_RATE_LIMITED: Kind.RATE_LIMITED,
        ErrorCode.VAPI_KEY_REFUSED: Kind.AUTHENTICATION,
        ErrorCode.VAPI_PAYMENT_REQUIRED: Kind.AUTHENTICATION,
        ErrorCode.TOOL_REFUSED: Kind.PERMANENT,
        ErrorCode.ASSISTANT_REFUSED: Kind.PERMANENT,
        ErrorCode.ASSISTANT_MISSING: Kind.PERMANENT,
        ErrorCode.VAPI_ANSWER_UNKNOWN: Kind.AMBIGUOUS,
    }
)
"""Every code that a call can end in."""

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
    mangled: bool = False
    """A success status with a body that is not what was asked for: Vapi did answer."""

    @property
    def kind(self) -> Kind:
        """What to do about it."""
        return KINDS[self.code]

    @property
    def retryable(self) -> bool:
        """Whether the same call can succeed later without anybody changing a definition or an assistant."""
        return self.kind is not Kind.PERMANENT

    @property
    def breaking(self) -> bool:
        """Whether Vapi itself did not answer: no connection, no answer in time, or a 5xx."""
        if self.status is not None:
            return self.status >= 500
        return self.code in (ErrorCode.VAPI_UNREACHABLE, ErrorCode.VAPI_ANSWER_UNKNOWN) and not self.mangled

    def __str__(self) -> str:
        return f"Vapi: {self.code.value} {CATALOGUE[self.code].title}, {self.end}, status {self.status}: {self.detail}"


RETRY_AFTER_SECONDS_MAX: Final = 3600.0

_BY_STATUS: Final = {
    401: ErrorCode.VAPI_KEY_REFUSED,
    402: ErrorCode.VAPI_PAYMENT_REQUIRED,
    403: ErrorCode.VAPI_KEY_REFUSED,
    409: ErrorCode.VAPI_CONFLICT,
    429: ErrorCode.VAPI_RATE_LIMITED,
}


def of_status(response: httpx.Response, detail: str, *, subject: Subject, write: bool) -> VapiFailure:
    """The meaning of an answer that is not a success."""
    status, retry_after = response.status_code, retry_after_seconds(response.headers)
    if status >= 500 or status < 400 or status in _GAVE_UP_WAITING:
        # A 5xx may come after the write was executed; a redirect is never followed, so nobody knows.
        code = ErrorCode.VAPI_ANSWER_UNKNOWN if write else ErrorCode.VAPI_SERVER_ERROR
        return VapiFailure("unknown" if write else "refused", code, status, retry_after, detail)
    code = _BY_STATUS.get(status) or _refusal(subject, status)
    return VapiFailure("refused", code, status, retry_after, detail)


_GAVE_UP_WAITING: Final = frozenset({408})
"""Request timeout: said by a proxy on the way, that may have passed the request on."""


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
        return VapiFailure("unknown", ErrorCode.VAPI_ANSWER_UNKNOWN, detail=reason, mangled=True)
    return VapiFailure("refused", ErrorCode.VAPI_ANSWER_INVALID, detail=reason, mangled=True)


def retry_after_seconds(headers: httpx.Headers) -> float | None:
    """``Retry-After``, seconds or an HTTP date, as seconds from 0 to an hour; None where absent or nonsense.

    A date is compared with the answer's own ``Date`` where there is one, as our clock may be another.
    """
    raw = headers.get("retry-after", "").strip()
    if raw.isascii() and raw.isdecimal():
        return min(float(raw[:9]), RETRY_AFTER_SECONDS_MAX)
    if (at := _http_date(raw)) is None:
        return None
    now = _http_date(headers.get("date", "")) or datetime.now(UTC)
    return min(max((at - now).total_seconds(), 0.0), RETRY_AFTER_SECONDS_MAX)


def _http_date(raw: str) -> datetime | None:
    try:
        at = parsedate_to_datetime(raw)
    except ValueError:
        return None
    return at.replace(tzinfo=UTC) if at.tzinfo is None else at
