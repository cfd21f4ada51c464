"""The HTTP client. A write that may have happened must not be repeated blindly: it is sent once; reads are retried.

Vapi has no idempotency keys and no ETags (its OpenAPI document of 2026-08-20), and a POST that is repeated after a
lost answer makes a second assistant.
"""

import asyncio
import random
import time
from collections.abc import Callable, Mapping
from datetime import datetime
from itertools import count
from typing import Any, Final

import httpx
import structlog
from httpx_aiohttp import AiohttpTransport
from opentelemetry.trace import Span, SpanKind, Status, StatusCode

from assistant_api.settings import Settings
from assistant_api.vapi.answers import (
    Found,
    Later,
    Read,
    Refused,
    Unknown,
    Write,
    of_assistant,
    of_status,
    too_large,
)
from assistant_api.vapi.key import Ticket, VapiKey
from zerotouch_contracts.errors import ErrorCode
from zerotouch_platform.telemetry import Telemetry
from zerotouch_platform.vapi import json
from zerotouch_platform.vapi.answers import (
    BODY_BYTES_MAX,
    LIST_BYTES_MAX,
    BodyTooLarge,
    Meaning,
    meaning_of,
    read_body,
    retry_after_seconds,
    was_not_sent,
)
from zerotouch_platform.vapi.clock import VapiClock
from zerotouch_platform.vapi.paging import ListUnreadable, PageTooLarge, Window, pages

LIST_LIMIT: Final = 250
"""Of the 1,000 that Vapi allows: that many long prompts are 10 MB, and to parse them holds up the event loop."""
CONNECTIONS_MAX: Final = 300
KEEPALIVE_SECONDS: Final = 3
"""Shorter than servers keep an idle connection: a write on one that was just closed would be an unknown answer."""

_log: Final = structlog.get_logger()


class _Stopped(Exception):
    """A page was not answered; ``reason`` is what ends the list."""

    def __init__(self, reason: Later) -> None:
        super().__init__(reason.code.value)
        self.reason = reason


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
            headers={
                "Authorization": f"Bearer {settings.vapi_api_key.get_secret_value()}",
                "Accept": "application/json",
                "Accept-Encoding": "identity",
            },
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
        self.clock: Final = VapiClock(monotonic)

    async def get(self, assistant_id: str, *, save: bool = True) -> Read:
        """The assistant as it is now; ``save``: whether a save asks, for which a part of the rate is kept."""
        return await self._read("/assistant/{id}", f"/assistant/{assistant_id}", save=save)

    async def get_tool(self, tool_id: str, *, save: bool = True) -> Read:
        """A tool as it is now, in the place of an assistant; ``save`` as for :meth:`get`."""
        return await self._read("/tool/{id}", f"/tool/{tool_id}", save=save)

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
        self, start: datetime, end: datetime | None, *, save: bool = True
    ) -> list[Mapping[str, Any]] | Later:
        """All assistants with ``start <= createdAt < end``, by Vapi's clock; to the millisecond, rather too many.

        Without an end, until now.

        What has no usable id is left out and counted in the log.
        """

        async def ask(params: Mapping[str, str]) -> list[object]:
            match await self._read("/assistant", "/assistant", save=save, params=params):
                case Found({"items": list() as items}):
                    return items
                case Refused(code=ErrorCode.ASSISTANT_TOO_LARGE):
                    raise PageTooLarge
                case Later() as later:
                    raise _Stopped(later)
                case _:
                    raise _Stopped(Later(ErrorCode.VAPI_ANSWER_INVALID))

        found: list[Mapping[str, Any]] = []
        unreadable = 0
        try:
            async for page in pages(ask, Window(start, end), LIST_LIMIT):
                found += page.items
                unreadable += len(page.unreadable)
        except ListUnreadable as error:
            _log.warning("vapi_list_unreadable", reason=str(error))
            return Later(ErrorCode.VAPI_ANSWER_INVALID)
        except _Stopped as stopped:
            return stopped.reason
        if unreadable:
            _log.warning("vapi_list_items_unreadable", count=unreadable)
        return found

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
    ) -> Read:
        """One read, tried again where that may help. The tries share one deadline: the lease allows for no more."""
        began_at = self._monotonic()
        for tried in count(1):
            ticket = await self.key.admit(save=save)
            if isinstance(ticket, Later):
                return ticket
            left_seconds = self._deadline_seconds - (self._monotonic() - began_at)
            answer = _for_read(
                await self._call(ticket, "GET", route, path, params=params, deadline_seconds=left_seconds)
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
        deadline_seconds: float | None = None,
    ) -> Write:
        deadline_seconds = self._deadline_seconds if deadline_seconds is None else deadline_seconds
        content = None if body is None else json.write(body)
        headers = None if body is None else {"Content-Type": "application/json"}
        request = self._http.build_request(method, path, content=content, headers=headers, params=params)
        limit = BODY_BYTES_MAX if params is None else LIST_BYTES_MAX
        attributes = {"http.request.method": method, "url.template": route, "peer.service": "vapi"}
        with self._telemetry.span(f"{method} {route}", kind=SpanKind.CLIENT, attributes=attributes) as span:
            if (stale := self.key.stale(ticket)) is not None:
                return _failed(span, stale)
            try:
                async with asyncio.timeout(deadline_seconds):  # one deadline for the exchange, not one per read
                    response, raw = await self._exchange(request, limit)
            except (httpx.HTTPError, TimeoutError) as error:
                await self.key.troubled("broken")
                return _failed(span, Later(ErrorCode.VAPI_UNREACHABLE) if was_not_sent(error) else Unknown())
            status, write = response.status_code, method != "GET"
            span.set_attribute("http.response.status_code", status)
            wait_seconds = retry_after_seconds(response.headers)
            await self._tell_key(status, meaning_of(status, write=write, route=route), wait_seconds)
            if not 200 <= status < 300:
                return _failed(span, of_status(status, raw or b"", wait_seconds or 0, write=write, route=route))
            answer = too_large(status, write=write) if raw is None else _success(method, path, raw, params is not None)
            return answer if isinstance(answer, Found) else _failed(span, answer)

    async def _exchange(self, request: httpx.Request, limit: int) -> tuple[httpx.Response, bytes | None]:
        """The answer and its body; None for one that is too long, or cannot be unpacked."""
        sent_at = self._monotonic()
        response = await self._http.send(request, stream=True)
        self.clock.heard(response.headers, sent_at, self._monotonic())
        try:
            return response, await read_body(response.aiter_bytes(), limit)
        except BodyTooLarge:
            return response, None
        except httpx.DecodingError:
            return response, b""
        finally:
            await response.aclose()

    async def _tell_key(self, status: int, meaning: Meaning, wait_seconds: float | None) -> None:
        match meaning:
            case Meaning.RATE_LIMITED:
                await self.key.troubled("rate_limited", wait_seconds)
            case Meaning.KEY_REFUSED:
                await self.key.troubled("refused")
            case Meaning.PAYMENT:
                await self.key.troubled("unpaid")
            case _ if status >= 500:
                await self.key.troubled("broken")
            case _:
                await self.key.answered()


def _success(method: str, path: str, raw: bytes, is_list: bool) -> Write:
    if method == "DELETE" and not raw.strip():  # 204: it is not needed any more
        return Found({"id": path.rpartition("/")[2]})
    try:
        if is_list:
            return Found({"items": json.read_list(raw)})
        body = json.read(raw)
    except json.Unreadable:
        return Unknown(ErrorCode.VAPI_ANSWER_INVALID)
    if method == "DELETE":
        return Found({"id": path.rpartition("/")[2]})
    return of_assistant(body) or Unknown(ErrorCode.VAPI_ANSWER_INVALID)


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
