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
from httpx_aiohttp import AiohttpTransport
from opentelemetry.trace import Span, SpanKind, StatusCode
from pydantic_core import from_json, to_json

from tool_sync.telemetry import ERROR_CODE, HTTP_METHOD, HTTP_ROUTE, HTTP_STATUS, Telemetry
from tool_sync.vapi import failures
from tool_sync.vapi.failures import DETAIL_CHARS_MAX, Subject, VapiFailure

Json = dict[str, Any]
Through = Callable[[Callable[[], Awaitable[object]]], Awaitable[object]]
"""Makes one call of several: asks first whether it may be made, and repeats a read."""

PAGE_LIMIT: Final = 1000
"""Vapi's largest page; its default is 100 (OpenAPI, 2026-08-20)."""
ASSISTANTS_PAGE_LIMIT: Final = 250
"""An assistant holds whole prompts: more of them in one page would keep the event loop busy while it is read."""
BODY_BYTES_MAX: Final = 1024 * 1024
LIST_BYTES_MAX: Final = 32 * 1024 * 1024
KEEPALIVE_SECONDS: Final = 3.0
"""Shorter than any server's: a write on a connection that the server just closed has an unknown end."""


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
        """Every tool of the account created at or after ``since``, newest first. Raises :class:`VapiFailure`.

        Each page is a call of its own, made by ``through`` where that is given.
        """
        return self._pages("tool", PAGE_LIMIT, {"createdAtGe": _vapi_time(since)}, through)

    async def delete_tool(self, tool_id: str) -> None:
        """``DELETE /tool/{id}``. Raises :class:`VapiFailure`, status 404 where it is gone, 409 where it is pinned."""
        _resource(await self._exchange("DELETE", f"/tool/{tool_id}", "tool"), write=True)

    def assistants(self, through: Through | None = None) -> AsyncIterator[Json]:
        """Every assistant of the account, newest first. Raises :class:`VapiFailure`. ``through`` as above."""
        return self._pages("assistant", ASSISTANTS_PAGE_LIMIT, {}, through)

    async def _pages(
        self, subject: Subject, limit: int, query: Mapping[str, str], through: Through | None
    ) -> AsyncIterator[Json]:
        """Pages by ``createdAt``, the only cursor there is.

        The boundary is asked for again, because several items can share a millisecond, and what was seen is left out.
        """
        until: dict[str, str] = {}
        seen: set[str] = set()
        while True:
            ask = partial(self._exchange, "GET", f"/{subject}", subject, query={"limit": str(limit), **query, **until})
            page = await (through(ask) if through is not None else ask())
            if not isinstance(page, list):
                raise failures.invalid_answer(f"the list of {subject}s is not an array", write=False)
            items = [_resource(item, write=False) for item in page]
            fresh = [item for item in items if item["id"] not in seen]
            for item in fresh:
                seen.add(item["id"])
                yield item
            if len(page) < limit:
                return
            if not fresh:
                raise failures.invalid_answer(f"more {subject}s in one millisecond than a page holds", write=False)
            until = {"createdAtLe": min(str(item.get("createdAt", "")) for item in items)}

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
            content=None if body is None else to_json(body),
            headers={
                "authorization": f"Bearer {self._key()}",
                "accept": "application/json",
                "accept-encoding": "identity",
                **({"content-type": "application/json"} if body is not None else {}),
            },
        )
        limit = LIST_BYTES_MAX if query is not None else BODY_BYTES_MAX
        try:
            async with asyncio.timeout(self._deadline_seconds):
                response = await self._transport.handle_async_request(request)
                try:
                    raw = await _read(response, limit, write=write)
                finally:
                    await response.aclose()
        except VapiFailure:
            raise
        except (httpx.HTTPError, aiohttp.ClientError, OSError, TimeoutError) as error:
            raise failures.of_exception(error, write=write) from error
        span.set_attribute(HTTP_STATUS, response.status_code)
        if not 200 <= response.status_code < 300:
            raise failures.of_status(response, _detail(raw), subject=subject, write=write)
        try:
            return from_json(raw)
        except ValueError:
            raise failures.invalid_answer("the answer is not JSON", write=write) from None


async def _read(response: httpx.Response, limit: int, *, write: bool) -> bytes:
    parts = bytearray()
    async for chunk in response.aiter_raw():
        parts += chunk
        if len(parts) > limit:
            raise failures.invalid_answer(f"the answer is longer than {limit} bytes", write=write)
    return bytes(parts)


def _resource(value: object, *, write: bool) -> Json:
    if not isinstance(value, dict) or not isinstance(value.get("id"), str) or not value["id"]:
        raise failures.invalid_answer("the answer has no id", write=write)
    return value


def _detail(raw: bytes) -> str:
    """Vapi's own words: validation messages name properties. HTML and the like is left out."""
    try:
        body = from_json(raw)
    except ValueError:
        return "no JSON body"
    message = body.get("message") if isinstance(body, dict) else None
    text = "; ".join(str(item) for item in message) if isinstance(message, list) else str(message or "")
    return text[:DETAIL_CHARS_MAX]


def _vapi_time(time: datetime) -> str:
    return time.isoformat(timespec="milliseconds").replace("+00:00", "Z")
