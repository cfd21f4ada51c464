"""The HTTP client. A write that may have happened must not be repeated blindly: it is sent once; reads are retried.

Vapi has no idempotency keys and no ETags (its OpenAPI document of 2026-08-20), and a POST that is repeated after a
lost answer makes a second assistant.
"""

import asyncio
import json
import random
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from itertools import count
from typing import Any, Final

import aiohttp
import httpx
from httpx_aiohttp import AiohttpTransport
from opentelemetry.trace import Span, SpanKind, Status, StatusCode

from assistant_api.settings import Settings
from assistant_api.telemetry import Telemetry
from assistant_api.vapi.answers import Found, Gone, Later, Read, Refused, Unknown, Write
from assistant_api.vapi.key import Ticket, VapiKey
from zerotouch_contracts.errors import ErrorCode

LIST_LIMIT: Final = 250
"""Of the 1,000 that Vapi allows: that many long prompts are 10 MB, and to parse them holds up the event loop."""
CONNECTIONS_MAX: Final = 300
KEEPALIVE_SECONDS: Final = 3
"""Shorter than servers keep an idle connection: a write on one that was just closed would be an unknown answer."""
RETRY_AFTER_SECONDS_MAX: Final = 300.0
REASONS_MAX: Final = 20
REASON_CHARACTERS_MAX: Final = 500

_NOT_SENT: Final = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.UnsupportedProtocol)
_NOT_CONNECTED: Final = (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError, aiohttp.InvalidURL)
_LATER: Final = {
    401: ErrorCode.VAPI_KEY_REFUSED,
    403: ErrorCode.VAPI_KEY_REFUSED,
    402: ErrorCode.VAPI_PAYMENT_REQUIRED,
    408: ErrorCode.VAPI_SERVER_ERROR,
    409: ErrorCode.VAPI_CONFLICT,
    425: ErrorCode.VAPI_SERVER_ERROR,
    429: ErrorCode.VAPI_RATE_LIMITED,
}


class VapiClient:
    """Assistants at Vapi. ``transport`` is the seam for tests; without one, aiohttp's connections are used.

    ``monotonic`` and ``uniform`` are arguments so that tests can decide them.
    """

    def __init__(
        self,
        settings: Settings,
        telemetry: Telemetry,
        key: VapiKey,
        *,
        transport: httpx.AsyncBaseTransport | None = None,
        monotonic: Callable[[], float] = time.monotonic,
        uniform: Callable[[float, float], float] = random.uniform,
    ) -> None:
        limits = httpx.Limits(
            max_connections=CONNECTIONS_MAX,
            max_keepalive_connections=CONNECTIONS_MAX,
            keepalive_expiry=KEEPALIVE_SECONDS,
        )
        self._http = httpx.AsyncClient(
            base_url=settings.vapi_base_url,
            headers={"Authorization": f"Bearer {settings.vapi_api_key.get_secret_value()}"},
            timeout=settings.vapi_deadline_seconds,
            follow_redirects=False,
            trust_env=False,
            transport=transport or AiohttpTransport(limits=limits, trust_env=False),
        )
        self._deadline_seconds = settings.vapi_deadline_seconds
        self._read_tries_max, self._read_retry_seconds = settings.read_tries_max, settings.read_retry_seconds
        self._monotonic, self._uniform = monotonic, uniform
        self._telemetry = telemetry
        self.key: Final = key

    async def get(self, assistant_id: str, *, save: bool = True) -> Read:
        """The assistant as it is now; ``save``: whether a save asks, for which a part of the rate is kept."""
        return await self._read("/assistant/{id}", f"/assistant/{assistant_id}", save=save)

    async def create(self, body: Mapping[str, Any], ticket: Ticket) -> Write:
        """Make an assistant; sent at most once."""
        return await self._call(ticket, "POST", "/assistant", "/assistant", body)

    async def update(self, assistant_id: str, body: Mapping[str, Any], ticket: Ticket) -> Write:
        """Replace the top-level fields that ``body`` names; sent at most once."""
        return await self._call(ticket, "PATCH", "/assistant/{id}", f"/assistant/{assistant_id}", body)

    async def delete(self, assistant_id: str, ticket: Ticket) -> Write:
        """Delete an assistant; safe to repeat. One that is in use (409 `assistant_pinned`) is a refusal."""
        answer = await self._call(ticket, "DELETE", "/assistant/{id}", f"/assistant/{assistant_id}")
        return Refused(409, ("the assistant is in use",)) if answer == Later(ErrorCode.VAPI_CONFLICT) else answer

    async def created_between(
        self, start: datetime, end: datetime, *, save: bool = True
    ) -> list[Mapping[str, Any]] | Later:
        """All assistants with ``start <= createdAt < end``; both with a time zone.

        The order of Vapi's lists is undocumented, so a full page is not continued but cut: the window is halved until
        every part fits one page.
        """
        params = {"createdAtGe": start.isoformat(), "createdAtLt": end.isoformat(), "limit": str(LIST_LIMIT)}
        match answer := await self._read("/assistant", "/assistant", save=save, params=params, expect_list=True):
            case Found({"items": list() as items}) if len(items) < LIST_LIMIT:
                return items
            case Found():
                middle = start + (end - start) / 2
                if middle <= start:
                    return Later(ErrorCode.VAPI_ANSWER_INVALID)
                older = await self.created_between(start, middle, save=save)
                newer = await self.created_between(middle, end, save=save)
                if isinstance(older, Later):
                    return older
                return newer if isinstance(newer, Later) else [*older, *newer]
            case Later():
                return answer
            case _:
                return Later(ErrorCode.VAPI_ANSWER_INVALID)

    async def close(self) -> None:
        """Close all connections."""
        await self._http.aclose()

    async def _read(
        self,
        route: str,
        path: str,
        *,
        save: bool,
        params: Mapping[str, str] | None = None,
        expect_list: bool = False,
    ) -> Read:
        """One read, tried again where that may help. The tries share one deadline: the lease allows for no more."""
        began_at = self._monotonic()
        for tried in count(1):
            ticket = await self.key.admit(save=save)
            if isinstance(ticket, Later):
                return ticket
            left_seconds = self._deadline_seconds - (self._monotonic() - began_at)
            answer = _for_read(
                await self._call(
                    ticket, "GET", route, path, params=params, expect_list=expect_list, deadline_seconds=left_seconds
                )
            )
            if not isinstance(answer, Later) or answer.nobodys or answer.wait_seconds or tried >= self._read_tries_max:
                return answer
            pause_seconds = self._read_retry_seconds * 2 ** (tried - 1) * self._uniform(0, 1)
            if self._monotonic() - began_at + pause_seconds >= self._deadline_seconds:
                return answer
            await asyncio.sleep(pause_seconds)
        raise AssertionError("the last try returns")

    async def _call(
        self,
        ticket: Ticket,
        method: str,
        route: str,
        path: str,
        body: Mapping[str, Any] | None = None,
        *,
        params: Mapping[str, str] | None = None,
        expect_list: bool = False,
        deadline_seconds: float | None = None,
    ) -> Write:
        deadline_seconds = self._deadline_seconds if deadline_seconds is None else deadline_seconds
        # Escaped, because a document of Vapi's may hold what UTF-8 cannot (a lone surrogate) and has to survive.
        content = None if body is None else json.dumps(body, separators=(",", ":")).encode("ascii")
        headers = None if body is None else {"Content-Type": "application/json"}
        attributes = {"http.request.method": method, "url.template": route, "peer.service": "vapi"}
        with self._telemetry.span(f"{method} {route}", kind=SpanKind.CLIENT, attributes=attributes) as span:
            if (stale := self.key.stale(ticket)) is not None:
                return _failed(span, stale)
            try:
                async with asyncio.timeout(deadline_seconds):  # one deadline for the exchange, not one per read
                    response = await self._http.request(method, path, content=content, headers=headers, params=params)
            except (httpx.HTTPError, TimeoutError) as error:
                await self.key.troubled("broken")
                return _failed(span, Later(ErrorCode.VAPI_UNREACHABLE) if was_not_sent(error) else Unknown())
            span.set_attribute("http.response.status_code", response.status_code)
            await self._tell_key(response)
            answer = _answer(response, expect_list)
            return answer if isinstance(answer, Found) else _failed(span, answer)

    async def _tell_key(self, response: httpx.Response) -> None:
        match response.status_code:
            case 429:
                await self.key.troubled("rate_limited", _retry_after_seconds(response))
            case 401 | 403:
                await self.key.troubled("refused")
            case 402:
                await self.key.troubled("unpaid")
            case status if status >= 500:
                await self.key.troubled("broken")
            case _:
                await self.key.answered()


def was_not_sent(error: BaseException) -> bool:
    """Whether a failed request surely never reached Vapi.

    The aiohttp transport (httpx-aiohttp 0.2.0) calls every lost connection a `ConnectError` or `ConnectTimeout`, also
    one that was cut after the request had been sent; only aiohttp's own error, the cause, tells them apart.
    """
    if not isinstance(error, _NOT_SENT):
        return False
    return not isinstance(error.__cause__, aiohttp.ClientError) or isinstance(error.__cause__, _NOT_CONNECTED)


def _answer(response: httpx.Response, expect_list: bool) -> Write:
    status = response.status_code
    if 200 <= status < 300:
        try:
            body = response.json()
        except ValueError:  # includes bytes that are not UTF-8
            return Unknown(ErrorCode.VAPI_ANSWER_INVALID)
        if expect_list and isinstance(body, list):
            return Found({"items": [item for item in body if isinstance(item, dict)]})
        if not expect_list and isinstance(body, dict) and _is_id(body.get("id")):
            return Found(body)
        return Unknown(ErrorCode.VAPI_ANSWER_INVALID)
    if status == 404:
        return Gone()
    if status in _LATER:
        key_is_it = status in {401, 402, 403, 429}
        return Later(_LATER[status], _retry_after_seconds(response) or 0, nobodys=key_is_it)
    if 400 <= status < 500:
        return Refused(status, _reasons(response))
    return Unknown()


def _for_read(answer: Write) -> Read:
    """A read has no effect, so an unknown answer to it is only a reason to read again."""
    if isinstance(answer, Unknown):
        server = answer.code is ErrorCode.VAPI_ANSWER_UNKNOWN
        return Later(ErrorCode.VAPI_SERVER_ERROR if server else ErrorCode.VAPI_ANSWER_INVALID)
    return answer


def _failed(span: Span, answer: Write) -> Write:
    kind = answer.code.value if isinstance(answer, Later | Unknown) else type(answer).__name__.lower()
    span.set_attribute("error.type", kind)
    span.set_status(Status(StatusCode.ERROR))
    return answer


def _is_id(value: object) -> bool:
    return isinstance(value, str) and 0 < len(value) <= 64 and value.isascii() and value.replace("-", "").isalnum()


def _retry_after_seconds(response: httpx.Response) -> float | None:
    """`Retry-After` in seconds or as a date; None where it is not there or is neither."""
    text = response.headers.get("retry-after", "")
    if text.isdecimal():
        return min(float(text[:9]), RETRY_AFTER_SECONDS_MAX)
    try:
        at = parsedate_to_datetime(text)
    except ValueError:
        return None
    seconds = (at.replace(tzinfo=at.tzinfo or UTC) - datetime.now(UTC)).total_seconds()
    return max(0.0, min(seconds, RETRY_AFTER_SECONDS_MAX))


def _reasons(response: httpx.Response) -> tuple[str, ...]:
    """Vapi's `message`, a string or a list of them; an edge's HTML page is not shown."""
    try:
        body = json.loads(response.content)
        message = body["message"]
    except (ValueError, KeyError, TypeError):
        message = None
    messages = message if isinstance(message, list) else [message]
    texts = tuple(_clean(text) for text in messages if isinstance(text, str) and text)[:REASONS_MAX]
    return texts or (f"Vapi answered with status {response.status_code} and no reason",)


def _clean(text: str) -> str:
    """What PostgreSQL can store and a log can show."""
    printable = "".join(char if char.isprintable() else " " for char in text)
    return printable[:REASON_CHARACTERS_MAX]
