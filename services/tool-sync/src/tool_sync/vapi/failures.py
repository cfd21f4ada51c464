"""What a failed call means to tool-sync. What an answer means at all is one table for both services (platform).

not_sent   nothing left this process: no connection was made
refused    Vapi answered, and did not do it
unknown    sent, but no clean answer: it may have happened, or may still happen

Every code is of exactly one :class:`Kind`, which says what happens next.
"""

from dataclasses import dataclass
from enum import Enum
from types import MappingProxyType
from typing import Final, Literal

import httpx

from zerotouch_contracts.errors import CATALOGUE, ErrorCode
from zerotouch_platform.vapi.answers import (
    Meaning,
    TooLarge,
    fields_of,
    meaning_of,
    retry_after_seconds,
    was_not_sent,
    words_of,
)


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
        ErrorCode.ASSISTANT_TOO_LARGE: Kind.PERMANENT,
        ErrorCode.VAPI_ANSWER_UNKNOWN: Kind.AMBIGUOUS,
    }
)
"""Every code that a call can end in."""

End = Literal["not_sent", "refused", "unknown"]
Subject = Literal["tool", "assistant"]


@dataclass(eq=False)
class VapiFailure(Exception):
    """A call to Vapi that did not end in a clean answer.

    ``detail`` is ours: how the exchange broke. ``fields`` are those that Vapi's messages name, such as
    ``model.provider``. ``words`` are Vapi's own, a stranger's: at most 2,000 printable characters, which belong into
    the clinic's own rows and into no log, event or span.
    """

    end: End
    code: ErrorCode
    status: int | None = None
    retry_after_seconds: float | None = None
    detail: str = ""
    mangled: bool = False
    """A success status with a body that is not what was asked for: Vapi did answer."""
    fields: tuple[str, ...] = ()
    words: str = ""

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
        said = self.detail or ", ".join(self.fields)
        return f"Vapi: {self.code.value} {CATALOGUE[self.code].title}, {self.end}, status {self.status}: {said}"


_CODES: Final = {
    Meaning.CONFLICT: ErrorCode.VAPI_CONFLICT,
    Meaning.KEY_REFUSED: ErrorCode.VAPI_KEY_REFUSED,
    Meaning.NOT_PROCESSED: ErrorCode.VAPI_SERVER_ERROR,
    Meaning.RATE_LIMITED: ErrorCode.VAPI_RATE_LIMITED,
    Meaning.UNPAID: ErrorCode.VAPI_PAYMENT_REQUIRED,
}


def of_status(response: httpx.Response, raw: bytes, path: str, *, subject: Subject, write: bool) -> VapiFailure:
    """The meaning of an answer that is not a success; ``raw`` is its body."""
    status, retry_after = response.status_code, retry_after_seconds(response.headers)
    meaning, words = meaning_of(status, path), words_of(raw)
    if meaning is Meaning.UNKNOWN:
        code = ErrorCode.VAPI_ANSWER_UNKNOWN if write else ErrorCode.VAPI_SERVER_ERROR
    else:
        code = _CODES.get(meaning) or _refusal(subject, meaning)
    end: End = "unknown" if write and meaning is Meaning.UNKNOWN else "refused"
    return VapiFailure(end, code, status, retry_after, words="; ".join(words), fields=fields_of(words))


def _refusal(subject: Subject, meaning: Meaning) -> ErrorCode:
    if subject == "tool":
        return ErrorCode.TOOL_REFUSED
    return ErrorCode.ASSISTANT_MISSING if meaning is Meaning.GONE else ErrorCode.ASSISTANT_REFUSED


def of_exception(error: BaseException, *, write: bool) -> VapiFailure:
    """The meaning of an exchange that broke."""
    cause = error.__cause__ if isinstance(error, httpx.TransportError) and error.__cause__ else error
    if was_not_sent(error):
        return VapiFailure("not_sent", ErrorCode.VAPI_UNREACHABLE, detail=type(cause).__name__)
    if write:
        return VapiFailure("unknown", ErrorCode.VAPI_ANSWER_UNKNOWN, detail=type(error).__name__)
    return VapiFailure("not_sent", ErrorCode.VAPI_UNREACHABLE, detail=type(error).__name__)


def too_large(error: TooLarge, *, subject: Subject, write: bool) -> VapiFailure:
    """An answer of which only the beginning was read. A write did happen, so what came of it is looked up."""
    if write:
        return VapiFailure("unknown", ErrorCode.VAPI_ANSWER_UNKNOWN, detail=str(error), mangled=True)
    code = ErrorCode.ASSISTANT_TOO_LARGE if subject == "assistant" else ErrorCode.VAPI_ANSWER_INVALID
    return VapiFailure("refused", code, detail=str(error), mangled=True)


def invalid_answer(reason: str, *, write: bool) -> VapiFailure:
    """A success status with a body that is not what was asked for: after a write, it still may have happened."""
    if write:
        return VapiFailure("unknown", ErrorCode.VAPI_ANSWER_UNKNOWN, detail=reason, mangled=True)
    return VapiFailure("refused", ErrorCode.VAPI_ANSWER_INVALID, detail=reason, mangled=True)
