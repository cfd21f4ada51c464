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

import aiohttp
import httpx
import structlog
from httpx_aiohttp import AiohttpTransport
from opentelemetry.trace import Span, SpanKind, Status, StatusCode

from assistant_api.settings import Settings
from assistant_api.telemetry import Telemetry
from assistant_api.vapi.answers import Found, Gone, Later, Read, Refused, Unknown, Write
from assistant_api.vapi.key import Ticket, VapiKey
from zerotouch_contracts.errors import ErrorCode
from zerotouch_platform.vapi import json
from zerotouch_platform.vapi.answers import (
    LIST_BYTES_MAX,
    OBJECT_BYTES_MAX,
    OF_THE_KEY,
    Meaning,
    TooLarge,
    fields_of,
    meaning_of,
    read_body,
    retry_after_seconds,
    was_not_sent,
    words_of,
)
from zerotouch_platform.vapi.paging import NoList, Window, listed

LIST_LIMIT: Final = 250
"""Of the 1,000 that Vapi allows: that many long prompts are 10 MB, and to parse them holds up the event loop."""
CONNECTIONS_MAX: Final = 300
KEEPALIVE_SECONDS: Final = 3
"""Shorter than servers keep an idle connection: a write on one that was just closed would be an unknown answer."""

_LATER: Final = {
    Meaning.KEY_REFUSED: ErrorCode.VAPI_KEY_REFUSED,
    Meaning.UNPAID: ErrorCode.VAPI_PAYMENT_REQUIRED,
    Meaning.NOT_PROCESSED: ErrorCode.VAPI_SERVER_ERROR,
    Meaning.CONFLICT: ErrorCode.VAPI_CONFLICT,
    Meaning.RATE_LIMITED: ErrorCode.VAPI_RATE_LIMITED,
}

_log: Final = structlog.get_logger()


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
        """All assistants with ``start <= createdAt < end``, in no order; both with a time zone.

        What is in the list and cannot be read carries no mark of ours, and is left out.
        """
        skipped = 0

        def unreadable(_item: object) -> None:
            nonlocal skipped
            skipped += 1

        async def ask(query: dict[str, str]) -> object:
            match await self._read("/assistant", "/assistant", save=save, params=query):
                case Found({"items": items}):
                    return items
                case Later() as later:
                    raise _NotListed(later)
                case _:
                    raise _NotListed(Later(ErrorCode.VAPI_ANSWER_INVALID))

        try:
            window = Window(start, end)
            found = [item async for item in listed(ask, window, limit=LIST_LIMIT, on_unreadable=unreadable)]
        except _NotListed as stopped:
            return stopped.answer
        except (NoList, TooLarge) as error:
            _log.warning("vapi_list_unreadable", reason=str(error))
            return Later(ErrorCode.VAPI_ANSWER_INVALID)
        if skipped:
            _log.warning("vapi_objects_unreadable", count=skipped)
        return list(found)

    async def get_tool(self, tool_id: str, *, save: bool = False) -> Read:
        """A tool as it is now; bulk unless a save asks."""
        return await self._read("/tool/{id}", f"/tool/{tool_id}", save=save)

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
        if content is not None and len(content) > OBJECT_BYTES_MAX:
            return _too_large()  # what is stored could never be read again
        headers = {"Accept-Encoding": "identity"} | ({} if body is None else {"Content-Type": "application/json"})
        limit = OBJECT_BYTES_MAX if params is None else LIST_BYTES_MAX
        attributes = {"http.request.method": method, "url.template": route, "peer.service": "vapi"}
        with self._telemetry.span(f"{method} {route}", kind=SpanKind.CLIENT, attributes=attributes) as span:
            if (stale := self.key.stale(ticket)) is not None:
                return _failed(span, stale)
            try:
                async with asyncio.timeout(deadline_seconds):  # one deadline for the exchange, not one per read
                    request = self._http.build_request(method, path, content=content, headers=headers, params=params)
                    response = await self._http.send(request, stream=True)
                    try:
                        raw = await read_body(response, limit)
                    finally:
                        await response.aclose()
            except TooLarge:
                if params is not None:
                    raise
                await self.key.answered()
                return _failed(span, Unknown() if method != "GET" else _too_large())
            except (httpx.HTTPError, aiohttp.ClientError, OSError, TimeoutError) as error:
                await self.key.troubled("broken")
                return _failed(span, Later(ErrorCode.VAPI_UNREACHABLE) if was_not_sent(error) else Unknown())
            span.set_attribute("http.response.status_code", response.status_code)
            await self._tell_key(response.status_code, path, retry_after_seconds(response.headers))
            answer = _answer(response, raw, path, is_list=params is not None)
            return answer if isinstance(answer, Found) else _failed(span, answer)

    async def _tell_key(self, status: int, path: str, wait_seconds: float | None) -> None:
        match meaning_of(status, path):
            case Meaning.RATE_LIMITED:
                await self.key.troubled("rate_limited", wait_seconds)
            case Meaning.KEY_REFUSED | Meaning.UNPAID:
                await self.key.troubled("refused")
            case Meaning.UNKNOWN if status >= 500:
                await self.key.troubled("broken")
            case _:
                await self.key.answered()


class _NotListed(Exception):
    """A page of a list was not to be had."""

    def __init__(self, answer: Later) -> None:
        super().__init__(answer.code.value)
        self.answer = answer


def _answer(response: httpx.Response, raw: bytes, path: str, *, is_list: bool) -> Write:
    status, meaning = response.status_code, meaning_of(response.status_code, path)
    wait_seconds = retry_after_seconds(response.headers) or 0
    match meaning:
        case Meaning.ANSWERED:
            return _found(raw, is_list=is_list)
        case Meaning.GONE:
            return Gone()
        case Meaning.UNKNOWN:
            return Unknown(wait_seconds=wait_seconds)
        case Meaning.REFUSED | Meaning.NO_ACCESS:
            words = words_of(raw)
            no_reason = (f"Vapi answered with status {status} and no reason",)
            return Refused(status, words or no_reason, fields=fields_of(words))
        case _:
            return Later(_LATER[meaning], wait_seconds, nobodys=meaning in OF_THE_KEY)


def _found(raw: bytes, *, is_list: bool) -> Write:
    try:
        body = json.read(raw)
    except ValueError:
        return Unknown(ErrorCode.VAPI_ANSWER_INVALID)
    if is_list and isinstance(body, list):
        return Found({"items": body})
    if not is_list and isinstance(body, dict) and _is_id(body.get("id")):
        return Found(body)
    return Unknown(ErrorCode.VAPI_ANSWER_INVALID)


def _too_large() -> Refused:
    size = OBJECT_BYTES_MAX // 1024 // 1024
    return Refused(413, (f"The assistant is larger than {size} MiB.",), ErrorCode.ASSISTANT_TOO_LARGE)


def _for_read(answer: Write) -> Read:
    """A read has no effect, so an unknown answer to it is only a reason to read again."""
    if isinstance(answer, Unknown):
        server = answer.code is ErrorCode.VAPI_ANSWER_UNKNOWN
        code = ErrorCode.VAPI_SERVER_ERROR if server else ErrorCode.VAPI_ANSWER_INVALID
        return Later(code, answer.wait_seconds)
    return answer


def _failed(span: Span, answer: Write) -> Write:
    kind = answer.code.value if isinstance(answer, Later | Unknown) else type(answer).__name__.lower()
    span.set_attribute("error.type", kind)
    span.set_status(Status(StatusCode.ERROR))
    return answer


def _is_id(value: object) -> bool:
    return isinstance(value, str) and 0 < len(value) <= 64 and value.isascii() and value.replace("-", "").isalnum()
