"""The calls to Vapi that tool-sync makes. Raw JSON in and out, so that no field is lost on the way.

Nothing is retried here: Vapi has no idempotency key, so a create whose answer was lost must be looked for, not sent
again. The whole exchange has one deadline, since a timeout per read never ends against a server that drips.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from datetime import datetime
from functools import partial
from typing import Any, Final

import aiohttp
import httpx
import structlog
from httpx_aiohttp import AiohttpTransport
from opentelemetry.trace import Span, SpanKind, StatusCode

from tool_sync.telemetry import ERROR_CODE, HTTP_METHOD, HTTP_ROUTE, HTTP_STATUS, Telemetry
from tool_sync.vapi import failures
from tool_sync.vapi.failures import Subject, VapiFailure
from zerotouch_platform.vapi import json
from zerotouch_platform.vapi.answers import LIST_BYTES_MAX, OBJECT_BYTES_MAX, TooLarge, read_body
from zerotouch_platform.vapi.paging import NoList, Window, listed

Json = dict[str, Any]
Through = Callable[[Callable[[], Awaitable[object]]], Awaitable[object]]
"""Makes one call of several: asks first whether it may be made, and repeats a read."""

PAGE_LIMIT: Final = 1000
"""Vapi's largest page; its default is 100 (OpenAPI, 2026-08-20)."""
ASSISTANTS_PAGE_LIMIT: Final = 250
"""An assistant holds whole prompts: more of them in one page would keep the event loop busy while it is read."""
KEEPALIVE_SECONDS: Final = 3.0
"""Shorter than any server's: a write on a connection that the server just closed has an unknown end."""

log = structlog.get_logger(__name__)


def make_transport(connections_max: int) -> AiohttpTransport:
    """httpx's transport on aiohttp: plain httpx falls to a tenth of its rate at 1,000 requests in flight."""

    def session() -> aiohttp.ClientSession:
        return aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=connections_max, keepalive_timeout=KEEPALIVE_SECONDS),
            cookie_jar=aiohttp.DummyCookieJar(),
            trust_env=False,
        )

    return AiohttpTransport(client=session)


class VapiClient:
    """One Vapi account. ``key`` returns the API key at the time of the call, so that a changed key is used at once."""

    def __init__(
        self,
        base_url: str,
        key: Callable[[], str],
        *,
        account: str,
        deadline_seconds: float,
        transport: httpx.AsyncBaseTransport,
        telemetry: Telemetry,
    ) -> None:
        self.account = account
        self._base_url = base_url.rstrip("/")
        self._key = key
        self._deadline_seconds = deadline_seconds
        self._transport = transport
        self._telemetry = telemetry

    async def close(self) -> None:
        """Close all connections."""
        await self._transport.aclose()

    async def create_tool(self, payload: Mapping[str, object]) -> Json:
        """``POST /tool``; the created tool, with a text ``id``. Raises :class:`VapiFailure`."""
        return _resource(await self._exchange("POST", "/tool", "tool", payload), write=True)

    async def update_tool(self, tool_id: str, payload: Mapping[str, object]) -> Json:
        """``PATCH /tool/{id}``; the whole tool afterwards. Raises :class:`VapiFailure`, status 404 where it is gone."""
        return _resource(await self._exchange("PATCH", f"/tool/{tool_id}", "tool", payload), write=True)

    async def get_tool(self, tool_id: str) -> Json:
        """``GET /tool/{id}``. Raises :class:`VapiFailure`, status 404 where it is gone."""
        return _resource(await self._exchange("GET", f"/tool/{tool_id}", "tool"), write=False)

    def tools_created_since(self, since: datetime, through: Through | None = None) -> AsyncIterator[Json]:
        """Every tool of the account created at or after ``since``, in no order. Raises :class:`VapiFailure`.

        Each page is a call of its own, made by ``through`` where that is given. What cannot be read is no tool of ours.
        """
        return self._listed("tool", Window(since=since), PAGE_LIMIT, through, _count("tool"))

    async def delete_tool(self, tool_id: str) -> None:
        """``DELETE /tool/{id}``. Raises :class:`VapiFailure`, status 404 where it is gone, 409 where it is pinned."""
        _resource(await self._exchange("DELETE", f"/tool/{tool_id}", "tool"), write=True)

    def assistants(
        self, through: Through | None = None, on_unreadable: Callable[[object], None] = lambda _: None
    ) -> AsyncIterator[Json]:
        """Every assistant of the account, in no order. Raises :class:`VapiFailure`. ``through`` as above.

        What is in the list and is no assistant that can be read is given to ``on_unreadable``.
        """
        count = _count("assistant")

        def unreadable(item: object) -> None:
            count(item)
            on_unreadable(item)

        return self._listed("assistant", Window(), ASSISTANTS_PAGE_LIMIT, through, unreadable)

    async def _listed(
        self,
        subject: Subject,
        window: Window,
        limit: int,
        through: Through | None,
        on_unreadable: Callable[[object], None],
    ) -> AsyncIterator[Json]:
        async def ask(query: dict[str, str]) -> object:
            exchange = partial(self._exchange, "GET", f"/{subject}", subject, query=query)
            return await (through(exchange) if through is not None else exchange())

        try:
            async for item in listed(ask, window, limit=limit, on_unreadable=on_unreadable):
                yield item
        except NoList as error:
            raise failures.invalid_answer(f"{subject}s: {error}", write=False) from error
        except TooLarge as error:
            raise failures.too_large(error, subject=subject, write=False) from error

    async def get_assistant(self, assistant_id: str) -> Json:
        """``GET /assistant/{id}``. Raises :class:`VapiFailure`, code ``ASSISTANT_MISSING`` where it is gone."""
        return _resource(await self._exchange("GET", f"/assistant/{assistant_id}", "assistant"), write=False)

    async def update_assistant(self, assistant_id: str, changes: Mapping[str, object]) -> Json:
        """``PATCH /assistant/{id}``; the whole assistant afterwards. Each top-level field sent is replaced whole."""
        return _resource(await self._exchange("PATCH", f"/assistant/{assistant_id}", "assistant", changes), write=True)

    async def traffic_allocation(self, assistant_id: str) -> Mapping[str, Any] | None:
        """``GET /traffic-allocations/latest``: how calls are split between versions; None where that was never set.

        Raises :class:`VapiFailure`, status 403 where the account has no access to the beta (Python SDK 3.0.0).
        """
        query = {"assistantId": assistant_id}
        answer = await self._exchange("GET", "/traffic-allocations/latest", "assistant", query=query)
        allocation = answer.get("allocation") if isinstance(answer, dict) else None
        return allocation if isinstance(allocation, dict) else None

    async def _exchange(
        self,
        method: str,
        path: str,
        subject: Subject,
        body: Mapping[str, object] | None = None,
        query: Mapping[str, str] | None = None,
    ) -> object:
        """The exchange in a client span; nothing of its content goes into the span."""
        route = f"/{subject}/{{id}}" if path.count("/") > 1 else path
        span = self._telemetry.start_child(
            f"{method} {route}", kind=SpanKind.CLIENT, attributes={HTTP_METHOD: method, HTTP_ROUTE: route}
        )
        try:
            return await self._call(method, path, subject, body, query, span)
        except VapiFailure as failure:
            span.set_attribute(ERROR_CODE, failure.code.value)
            span.set_status(StatusCode.ERROR, failure.code.value)
            raise
        finally:
            span.end()

    async def _call(
        self,
        method: str,
        path: str,
        subject: Subject,
        body: Mapping[str, object] | None,
        query: Mapping[str, str] | None,
        span: Span,
    ) -> object:
        write = method != "GET"
        request = httpx.Request(
            method,
            self._base_url + path,
            params=query,
            content=None if body is None else json.write(body),
            headers={
                "authorization": f"Bearer {self._key()}",
                "accept": "application/json",
                "accept-encoding": "identity",
                **({"content-type": "application/json"} if body is not None else {}),
            },
        )
        is_list = query is not None and "limit" in query
        try:
            async with asyncio.timeout(self._deadline_seconds):
                response = await self._transport.handle_async_request(request)
                try:
                    raw = await read_body(response, LIST_BYTES_MAX if is_list else OBJECT_BYTES_MAX)
                finally:
                    await response.aclose()
        except TooLarge as error:
            if is_list:
                raise  # fewer at a time
            span.set_attribute(HTTP_STATUS, response.status_code)
            raise failures.too_large(error, subject=subject, write=write) from error
        except (httpx.HTTPError, aiohttp.ClientError, OSError, TimeoutError) as error:
            raise failures.of_exception(error, write=write) from error
        span.set_attribute(HTTP_STATUS, response.status_code)
        if not 200 <= response.status_code < 300:
            raise failures.of_status(response, raw, path, subject=subject, write=write)
        try:
            return json.read(raw)
        except ValueError:
            raise failures.invalid_answer("the answer is not JSON", write=write) from None


def _resource(value: object, *, write: bool) -> Json:
    if not isinstance(value, dict) or not isinstance(value.get("id"), str) or not value["id"]:
        raise failures.invalid_answer("the answer has no id", write=write)
    return value


def _count(subject: str) -> Callable[[object], None]:
    """Tells of objects in a list that cannot be read: how many of them there are is all that may be said."""

    def count(_item: object) -> None:
        log.warning("An object in a list of Vapi's cannot be read", list=subject)

    return count
