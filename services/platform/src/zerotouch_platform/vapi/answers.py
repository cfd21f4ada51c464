"""What Vapi's answers mean: one table for every call of both services.

    status         a read                a write
    2xx            ANSWERED              ANSWERED
    404            GONE                  GONE                    there is no such object for our key
    401            KEY_REFUSED           KEY_REFUSED
    402            UNPAID                UNPAID
    403            KEY_REFUSED           KEY_REFUSED             but NO_ACCESS on a route that is in a beta
    409            CONFLICT              CONFLICT                another write was under way, or the object is in use
    425            NOT_PROCESSED         NOT_PROCESSED           the server says that it did not touch it
    429            RATE_LIMITED          RATE_LIMITED
    408, 499       UNKNOWN               UNKNOWN                 said by a proxy that may have passed the request on
    other 4xx      REFUSED               REFUSED
    1xx, 3xx, 5xx  UNKNOWN               UNKNOWN                 a 5xx may come after it was done

UNKNOWN of a read is only a reason to read again; of a write it is looked up, never repeated.
"""

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from enum import Enum
from typing import Final

import aiohttp
import httpx

from zerotouch_platform.vapi import json

OBJECT_BYTES_MAX: Final = 4 * 1024 * 1024
"""The largest tool or assistant that is read. Prompts that the product takes are a hundredth of it."""
LIST_BYTES_MAX: Final = 32 * 1024 * 1024
RETRY_AFTER_SECONDS_MAX: Final = 3600.0
WORDS_CHARACTERS_MAX: Final = 2000
FIELDS_MAX: Final = 20
BETA_ROUTES: Final = ("/traffic-allocations",)
"""Where 403 means "no access to the beta" (Vapi's API reference, 2026-11), and says nothing of the key."""


class Meaning(Enum):
    """See the table above."""

    ANSWERED = "answered"
    GONE = "gone"
    REFUSED = "refused"
    CONFLICT = "conflict"
    NOT_PROCESSED = "not processed"
    RATE_LIMITED = "rate limited"
    KEY_REFUSED = "key refused"
    UNPAID = "unpaid"
    NO_ACCESS = "no access"
    UNKNOWN = "unknown"


_BY_STATUS: Final = {
    401: Meaning.KEY_REFUSED,
    402: Meaning.UNPAID,
    403: Meaning.KEY_REFUSED,
    404: Meaning.GONE,
    408: Meaning.UNKNOWN,
    409: Meaning.CONFLICT,
    425: Meaning.NOT_PROCESSED,
    429: Meaning.RATE_LIMITED,
    499: Meaning.UNKNOWN,
}
OF_THE_KEY: Final = frozenset({Meaning.RATE_LIMITED, Meaning.KEY_REFUSED, Meaning.UNPAID})
"""Nobody's failure: the key is paused."""


class TooLarge(Exception):
    """An answer is longer than ``limit`` bytes; it was not read to its end."""

    def __init__(self, limit: int) -> None:
        super().__init__(f"the answer is longer than {limit} bytes")
        self.limit = limit


def meaning_of(status: int, path: str) -> Meaning:
    """What a status means on a path."""
    if 200 <= status < 300:
        return Meaning.ANSWERED
    if status == 403 and path.startswith(BETA_ROUTES):
        return Meaning.NO_ACCESS
    if 400 <= status < 500:
        return _BY_STATUS.get(status, Meaning.REFUSED)
    return Meaning.UNKNOWN


def was_not_sent(error: BaseException) -> bool:
    """Whether a request whose exchange broke surely never left this process.

    The transport calls every lost connection a connect error or timeout, also one that was cut after the request had
    been sent (httpx-aiohttp 0.2.0): only aiohttp's own connector errors, the cause, prove that nothing was sent.
    """
    cause = error.__cause__ if isinstance(error, httpx.TransportError) else error
    return isinstance(cause, aiohttp.ClientConnectorError | aiohttp.ConnectionTimeoutError | aiohttp.InvalidURL)


async def read_body(response: httpx.Response, limit: int) -> bytes:
    """The body of a streamed answer, unpacked where a proxy packed it. Raises `TooLarge` and the transport's errors."""
    packed = response.headers.get("content-encoding", "identity").strip().lower() not in ("", "identity")
    body = bytearray()
    async for chunk in response.aiter_bytes() if packed else response.aiter_raw():
        body += chunk
        if len(body) > limit:
            raise TooLarge(limit)
    return bytes(body)


def retry_after_seconds(headers: Mapping[str, str]) -> float | None:
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
    except (ValueError, OverflowError):
        return None
    return at.replace(tzinfo=UTC) if at.tzinfo is None else at


_FIELD: Final = re.compile(
    r"(?P<path>[A-Za-z][A-Za-z0-9_.-]{0,99}?)"
    r"(?:\.?property (?P<key>[A-Za-z0-9_-]{1,64}) should not exist| (?:must|should) )|"
    r"^property (?P<root>[A-Za-z0-9_-]{1,64}) should not exist"
)


def words_of(raw: bytes) -> tuple[str, ...]:
    """Vapi's ``message``, one string or several, printable, 2,000 characters in all; () where there is none.

    They may repeat what a clinic wrote: they belong into the clinic's own rows, and into no log, event or span.
    """
    try:
        body = json.read(raw)
    except ValueError:
        return ()
    message = body.get("message") if isinstance(body, dict) else None
    words: list[str] = []
    left = WORDS_CHARACTERS_MAX
    for item in message if isinstance(message, list) else [message]:
        if isinstance(item, str) and item and left > 0:
            text = "".join(char if char.isprintable() else " " for char in item[:left])
            words.append(text)
            left -= len(text)
    return tuple(words)


def fields_of(words: tuple[str, ...]) -> tuple[str, ...]:
    """The fields that validation messages name, such as ``model.provider``: what may stand in a log."""
    found: dict[str, None] = {}
    for text in words:
        match = _FIELD.match(text)
        if match is not None:
            path, key, root = match.group("path", "key", "root")
            found[root or (f"{path}.{key}" if key else path)] = None
    return tuple(found)[:FIELDS_MAX]
