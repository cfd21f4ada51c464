"""What Vapi's answers mean, and what it means when there is none: one table for both services.

| status            | read           | write     | of /traffic-allocations |
|-------------------|----------------|-----------|-------------------------|
| none: not sent    | NOT_SENT       | the same  | no connection was made  |
| none: sent        | LOST           | the same  | it may have happened    |
| 2xx               | DONE           | DONE      |                         |
| 2xx, badly packed | UNREADABLE     | the same  | its body is lost        |
| 401               | KEY_REFUSED    | the same  |                         |
| 402               | PAYMENT        | the same  |                         |
| 403               | KEY_REFUSED    | the same  | NO_ACCESS: to the beta  |
| 404               | GONE           | the same  |                         |
| 408, 499          | SERVER_ERROR   | UNKNOWN   | a proxy's: passed on?   |
| 409               | CONFLICT       | the same  |                         |
| 425               | NOT_PROCESSED  | the same  |                         |
| 429               | RATE_LIMITED   | the same  |                         |
| other 4xx         | REFUSED        | the same  |                         |
| 1xx, 3xx, 5xx     | SERVER_ERROR   | UNKNOWN   | a redirect is not followed |
"""

import re
from collections.abc import AsyncIterable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import Enum
from itertools import islice
from types import MappingProxyType
from typing import Any, Final

import aiohttp

from zerotouch_contracts.errors import ErrorCode
from zerotouch_platform.vapi import json
from zerotouch_platform.vapi.dates import http_date

BODY_BYTES_MAX: Final = 4 * 1024 * 1024
"""Of one tool or assistant, to be read. The longest prompt that the product takes (40,000 characters) has 480 kB where
each of them is an escaped emoji."""
LIST_BYTES_MAX: Final = 32 * 1024 * 1024
"""Of one page of a list; a longer one is asked for in smaller pages."""

RETRY_AFTER_SECONDS_MAX: Final = 3600.0
WORDS_CHARACTERS_MAX: Final = 2000
FIELDS_MAX: Final = 20
MESSAGES_MAX: Final = 20


class Meaning(Enum):
    """What a status says happened, and whom it is about."""

    DONE = "done"
    GONE = "gone"
    """There is no such object for our key."""
    REFUSED = "refused"
    """Not done, and not to be had by repeating it."""
    CONFLICT = "conflict"
    """Not done, because of another write or a use; both end."""
    NOT_PROCESSED = "not_processed"
    """Not done, and said before it was looked at."""
    RATE_LIMITED = "rate_limited"
    KEY_REFUSED = "key_refused"
    PAYMENT = "payment"
    NO_ACCESS = "no_access"
    """The account has no access to this beta; the key works everywhere else."""
    SERVER_ERROR = "server_error"
    """A read that was not answered."""
    UNKNOWN = "unknown"
    """A write that may have happened, or may still happen."""
    NOT_SENT = "not_sent"
    """No status, as nothing left this process."""
    LOST = "lost"
    """No status, and Vapi may have heard the request."""
    UNREADABLE = "unreadable"
    """A success whose body cannot be unpacked."""

    @property
    def of_the_key(self) -> bool:
        """Whether every other call with the key would end in the same."""
        return self in (Meaning.KEY_REFUSED, Meaning.PAYMENT, Meaning.RATE_LIMITED)


CODES: Final = MappingProxyType(
    {
        Meaning.CONFLICT: ErrorCode.VAPI_CONFLICT,
        Meaning.NOT_PROCESSED: ErrorCode.VAPI_SERVER_ERROR,
        Meaning.RATE_LIMITED: ErrorCode.VAPI_RATE_LIMITED,
        Meaning.KEY_REFUSED: ErrorCode.VAPI_KEY_REFUSED,
        Meaning.PAYMENT: ErrorCode.VAPI_PAYMENT_REQUIRED,
        Meaning.SERVER_ERROR: ErrorCode.VAPI_SERVER_ERROR,
        Meaning.UNKNOWN: ErrorCode.VAPI_ANSWER_UNKNOWN,
        Meaning.NOT_SENT: ErrorCode.VAPI_UNREACHABLE,
        Meaning.LOST: ErrorCode.VAPI_ANSWER_UNKNOWN,
    }
)
"""The codes of meanings that are the same for every kind of object."""

_BY_STATUS: Final = {
    401: Meaning.KEY_REFUSED,
    402: Meaning.PAYMENT,
    403: Meaning.KEY_REFUSED,
    404: Meaning.GONE,
    409: Meaning.CONFLICT,
    425: Meaning.NOT_PROCESSED,
    429: Meaning.RATE_LIMITED,
}
_BETA_ROUTES: Final = ("/traffic-allocations",)


def meaning_of(status: int, *, write: bool, route: str) -> Meaning:
    """The meaning of a status. ``route``: the path, with or without ids in it."""
    if 200 <= status < 300:
        return Meaning.DONE
    if status == 403 and route.startswith(_BETA_ROUTES):
        return Meaning.NO_ACCESS
    if 400 <= status < 500 and status not in (408, 499):
        return _BY_STATUS.get(status, Meaning.REFUSED)
    return Meaning.UNKNOWN if write else Meaning.SERVER_ERROR


def is_breaking(status: int) -> bool:
    """Whether a status says that Vapi itself is in trouble, and nothing of the request: it counts for a breaker."""
    return status >= 500


_BEFORE_SENDING: Final = (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError, aiohttp.InvalidURL)


def was_not_sent(error: BaseException) -> bool:
    """Whether a failed request surely never reached Vapi. A deadline that passed while connecting proves nothing."""
    return isinstance(error, _BEFORE_SENDING)


class BodyTooLarge(Exception):
    """An answer that is longer than ``limit`` bytes. A write that was answered so did happen."""

    def __init__(self, limit: int) -> None:
        super().__init__(f"the answer is longer than {limit} bytes")
        self.limit = limit


class PackedWrongly(Exception):
    """A body is not in the encoding that its headers name."""


async def read_body(chunks: AsyncIterable[bytes], limit: int) -> bytes:
    """The whole body. Raises :class:`BodyTooLarge` as soon as it is longer than ``limit`` bytes."""
    body = bytearray()
    async for chunk in chunks:
        body += chunk
        if len(body) > limit:
            raise BodyTooLarge(limit)
    return bytes(body)


_ID: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:-]{0,63}")


def is_id(value: object) -> bool:
    """Whether a value can be an id: it goes into paths, rows and messages (contracts' ``Identifier``)."""
    return isinstance(value, str) and _ID.fullmatch(value) is not None


def resource_of(value: object) -> Mapping[str, Any] | None:
    """The value as a tool or assistant: an object with an id; else None."""
    return value if isinstance(value, dict) and is_id(value.get("id")) else None


def retry_after_seconds(headers: Mapping[str, str]) -> float | None:
    """``Retry-After``, whole seconds or an HTTP date, as seconds from 0 to an hour; None where absent or nonsense.

    A date is compared with the answer's own ``Date`` where there is one, as our clock may be another.
    """
    raw = headers.get("retry-after", "").strip()
    if raw.isascii() and raw.isdecimal():
        return min(float(raw), RETRY_AFTER_SECONDS_MAX)
    if (at := http_date(raw)) is None:
        return None
    now = http_date(headers.get("date", "")) or datetime.now(UTC)
    return min(max((at - now).total_seconds(), 0.0), RETRY_AFTER_SECONDS_MAX)


@dataclass(frozen=True, slots=True)
class Words:
    """What Vapi said about a refusal: data of a stranger, kept for the clinic, and never for a log, event or span."""

    messages: tuple[str, ...] = ()
    """Printable, at most ``MESSAGES_MAX``."""

    @property
    def text(self) -> str:
        """All of them, at most ``WORDS_CHARACTERS_MAX`` characters."""
        return "; ".join(self.messages)[:WORDS_CHARACTERS_MAX]

    @property
    def fields(self) -> tuple[str, ...]:
        """The paths of the fields that they are about: all of them that a log may have."""
        return field_paths(self.messages)


def words_of(raw: bytes) -> Words:
    """Vapi's ``message``, a text or a list of them; an edge's HTML page says nothing."""
    try:
        body = json.read(raw)
    except json.Unreadable:
        return Words()
    message = body.get("message") if isinstance(body, dict) else None
    texts = message if isinstance(message, list) else [message]
    told = islice((text for text in texts if isinstance(text, str) and text), MESSAGES_MAX)
    return Words(tuple(map(printable, told)))


def printable(text: str) -> str:
    """What of a text can be kept: PostgreSQL stores no U+0000 and no lone surrogate, and nobody reads them."""
    return "".join(char if char.isprintable() else " " for char in text[:WORDS_CHARACTERS_MAX])


_VERB: Final = r"(?:must|should|is|has|cannot|can|contains|does|may|needs)"
_FIELD: Final = re.compile(
    r"^(?:property\s+(?P<surplus>[A-Za-z0-9_.-]{1,100})\s+should\s+not\s+exist\b"
    r"|(?:each\s+value\s+in\s+)?(?:nested\s+property\s+)?(?P<path>[A-Za-z0-9_.-]{1,100})\s+" + _VERB + r"\b)"
)


def field_paths(messages: Iterable[str]) -> tuple[str, ...]:
    """The fields that validation messages name (``model.provider must be …``): at most ``FIELDS_MAX``, each once."""
    found = (match["surplus"] or match["path"] for message in messages if (match := _FIELD.match(message)))
    return tuple(dict.fromkeys(found))[:FIELDS_MAX]
