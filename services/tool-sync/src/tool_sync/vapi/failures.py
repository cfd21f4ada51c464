"""What a failed call means for tool-sync; what a status or a break means is decided by ``zerotouch_platform``.

not_sent   nothing left this process: no connection was made
refused    Vapi answered, and did not do it
unknown    sent, but no clean answer: it may have happened, or may still happen

Every code is of exactly one :class:`Kind`, which says what happens next.
"""

from collections.abc import Awaitable
from dataclasses import dataclass
from enum import Enum
from types import MappingProxyType
from typing import Final, Literal, TypeVar

from zerotouch_contracts.errors import CATALOGUE, ErrorCode
from zerotouch_platform.vapi.answers import CODES, BodyTooLarge, Meaning, is_breaking
from zerotouch_platform.vapi.exchange import Failed

T = TypeVar("T")


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
Subject = Literal["tool", "assistant", "traffic-allocations"]


@dataclass(eq=False)
class VapiFailure(Exception):
    """A call to Vapi that did not end in a clean answer.

    ``detail`` and ``fields`` may go into logs, events and spans: ours, and paths of fields. ``words`` are Vapi's own,
    data of a stranger: at most 2,000 printable characters for the row that only the clinic sees.
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
    route: str = ""
    """Method and route, such as ``PATCH /assistant/{id}``; '' where no call was made."""
    meaning: Meaning | None = None
    """What became of the exchange, where it was no success."""

    @property
    def no_beta_access(self) -> bool:
        """Whether the account has no access to a beta; neither the key nor an assistant is at fault."""
        return self.meaning is Meaning.NO_ACCESS

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
            return is_breaking(self.status)
        return self.code in (ErrorCode.VAPI_UNREACHABLE, ErrorCode.VAPI_ANSWER_UNKNOWN) and not self.mangled

    def __str__(self) -> str:
        return f"Vapi: {self.code.value} {CATALOGUE[self.code].title}, {self.end}, status {self.status}: {self.detail}"


async def unless_gone(read: Awaitable[T]) -> T | None:
    """What is read; None where Vapi has it no more. Raises :class:`VapiFailure`."""
    try:
        return await read
    except VapiFailure as failure:
        if failure.meaning is Meaning.GONE:
            return None
        raise


def of(failed: Failed, *, subject: Subject, write: bool) -> VapiFailure:
    """What an exchange that failed means for a step."""
    meaning, words = failed.meaning, failed.words
    if meaning is Meaning.UNREADABLE:
        return invalid_answer(failed.reason, write=write)
    if meaning is Meaning.LOST and not write:
        meaning = Meaning.NOT_SENT  # a read has no effect: it is as if nobody had asked
    return VapiFailure(
        _ENDS.get(meaning, "refused"),
        CODES.get(meaning) or _refusal(subject, meaning),
        failed.status,
        failed.retry_after_seconds,
        detail=failed.reason or ", ".join(words.fields),
        fields=words.fields,
        words=words.text,
        meaning=meaning,
    )


_ENDS: Final[dict[Meaning, End]] = {
    Meaning.UNKNOWN: "unknown",
    Meaning.LOST: "unknown",
    Meaning.NOT_SENT: "not_sent",
}


def _refusal(subject: Subject, meaning: Meaning) -> ErrorCode:
    if subject == "tool":
        return ErrorCode.TOOL_REFUSED
    missing = subject == "assistant" and meaning is Meaning.GONE
    return ErrorCode.ASSISTANT_MISSING if missing else ErrorCode.ASSISTANT_REFUSED


def too_large(limit: int, *, subject: Subject, write: bool) -> VapiFailure:
    """A success that is too long to read. A write did happen: it is looked up, and that read says what is wrong."""
    reason = str(BodyTooLarge(limit))
    if subject == "assistant" and not write:
        return VapiFailure("refused", ErrorCode.ASSISTANT_TOO_LARGE, 200, detail=reason, mangled=True)
    return invalid_answer(reason, write=write)


def invalid_answer(reason: str, *, write: bool) -> VapiFailure:
    """A success status with a body that is not what was asked for: after a write, it still may have happened."""
    if write:
        return VapiFailure("unknown", ErrorCode.VAPI_ANSWER_UNKNOWN, detail=reason, mangled=True)
    return VapiFailure("refused", ErrorCode.VAPI_ANSWER_INVALID, detail=reason, mangled=True)
