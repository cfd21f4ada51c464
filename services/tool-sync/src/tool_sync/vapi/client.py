"""The calls to Vapi that tool-sync makes. Raw JSON in and out, so that no field is lost on the way.

Nothing is retried here: a create whose answer was lost must be looked for, not sent again.
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from datetime import datetime
from functools import partial
from typing import Final

from opentelemetry.trace import Span, SpanKind, StatusCode

from tool_sync.telemetry import ERROR_CODE, HTTP_METHOD, HTTP_ROUTE
from tool_sync.vapi import failures
from tool_sync.vapi.failures import Subject, VapiFailure
from zerotouch_platform.telemetry import Telemetry
from zerotouch_platform.vapi import json
from zerotouch_platform.vapi.answers import BODY_BYTES_MAX, LIST_BYTES_MAX, resource_of
from zerotouch_platform.vapi.clock import VapiClock
from zerotouch_platform.vapi.exchange import Exchange, Failed, Measured, unmeasured
from zerotouch_platform.vapi.json import Json
from zerotouch_platform.vapi.paging import ListUnreadable, Page, PageTooLarge, Window, pages
from zerotouch_platform.vapi.transport import Transport

Through = Callable[[Callable[[], Awaitable[object]]], Awaitable[object]]
"""Makes one call of several: asks first whether it may be made, and repeats a read."""

PAGE_LIMIT: Final = 1000
"""Vapi's largest page; its default is 100 (OpenAPI, 2026-08-20)."""
ASSISTANTS_PAGE_LIMIT: Final = 250
"""An assistant holds whole prompts: more of them in one page would keep the event loop busy while it is read."""


class VapiClient:
    """One Vapi account. ``key`` returns the API key at the time of the call, so that a changed key is used at once."""

    def __init__(
        self,
        base_url: str,
        key: Callable[[], str],
        *,
        account: str,
        deadline_seconds: float,
        transport: Transport,
        telemetry: Telemetry,
        clock: VapiClock | None = None,
        measured: Measured = unmeasured,
    ) -> None:
        self.account = account
        self.clock: Final = clock or VapiClock()
        self._exchange = Exchange(base_url.rstrip("/"), key, transport, self.clock, measured)
        self._deadline_seconds = deadline_seconds
        self._telemetry = telemetry

    async def close(self) -> None:
        """Close all connections."""
        await self._exchange.transport.close()

    async def create_tool(self, payload: Mapping[str, object]) -> Json:
        """``POST /tool``; the created tool, with a text ``id``. Raises :class:`VapiFailure`."""
        return _resource(await self._json("POST", "/tool", "tool", payload), write=True)

    async def update_tool(self, tool_id: str, payload: Mapping[str, object]) -> Json:
        """``PATCH /tool/{id}``; the whole tool afterwards. Raises :class:`VapiFailure`, status 404 where it is gone."""
        return _resource(await self._json("PATCH", f"/tool/{tool_id}", "tool", payload), write=True)

    async def get_tool(self, tool_id: str) -> Json:
        """``GET /tool/{id}``. Raises :class:`VapiFailure`, status 404 where it is gone."""
        return _resource(await self._json("GET", f"/tool/{tool_id}", "tool"), write=False)

    def tools_created_since(self, since: datetime, through: Through | None = None) -> AsyncIterator[Json]:
        """Every tool of the account created at or after ``since``, by Vapi's clock, in no order.

        Raises :class:`VapiFailure`.

        Each page is a call of its own, made by ``through`` where that is given. What has no usable id is left out.
        """
        return self._tools(Window(since), through)

    def tools_updated_since(self, since: datetime, through: Through | None = None) -> AsyncIterator[Json]:
        """Every tool of the account that was made or changed at or after ``since``; otherwise as above."""
        return self._tools(Window(since, by="updatedAt"), through)

    async def _tools(self, window: Window, through: Through | None) -> AsyncIterator[Json]:
        async for page in self._pages("tool", PAGE_LIMIT, window, through):
            for tool in page.items:
                yield dict(tool)

    async def delete_tool(self, tool_id: str) -> None:
        """``DELETE /tool/{id}``. Raises :class:`VapiFailure`, status 404 where it is gone, 409 where it is pinned.

        Any JSON says that it is done, and none as well (204): the tool is not needed any more.
        """
        await self._json("DELETE", f"/tool/{tool_id}", "tool", empty=True)

    async def assistants(self, through: Through | None = None, since: datetime | None = None) -> AsyncIterator[object]:
        """Everything in the account's list of assistants, in no order. Raises :class:`VapiFailure`.

        Also what could not be read as an assistant (no object, no id): whoever looks for a mention has to search it.
        ``since``: only what was made at that time of Vapi's or after it. ``through`` as above.
        """
        async for page in self.assistant_pages(through, since):
            for item in (*page.items, *page.unreadable):
                yield item

    def assistant_pages(self, through: Through | None = None, since: datetime | None = None) -> AsyncIterator[Page]:
        """The same by page, the readable apart from the unreadable, so that these can be counted."""
        return self._pages("assistant", ASSISTANTS_PAGE_LIMIT, Window(since), through)

    async def _pages(
        self, subject: Subject, limit: int, window: Window, through: Through | None
    ) -> AsyncIterator[Page]:
        async def ask(query: Mapping[str, str]) -> list[object]:
            call = partial(self._list, subject, query)
            page = await (through(call) if through is not None else call())
            if page is None:  # raised here, as `through` counts what is raised in it as a failed call
                raise PageTooLarge
            assert isinstance(page, list)
            return page

        try:
            async for found in pages(ask, window, limit):
                yield found
        except ListUnreadable as error:
            raise failures.invalid_answer(f"the list of {subject}s: {error}", write=False) from error

    async def page_of(self, subject: Subject, window: Window, limit: int) -> list[object] | None:
        """One page of the account's list of tools or assistants; None where it is too long to be read.

        ``limit`` is at most :data:`PAGE_LIMIT`. Raises :class:`VapiFailure`.
        """
        return await self._list(subject, window.query(limit))

    async def _list(self, subject: Subject, query: Mapping[str, str]) -> list[object] | None:
        """One page; None where it is too long to be read."""
        raw = await self._traced("GET", f"/{subject}", subject, None, query, LIST_BYTES_MAX)
        if raw is None:
            return None
        try:
            return await json.read_list_aside(raw)
        except json.Unreadable:
            raise failures.invalid_answer(f"the list of {subject}s is not an array", write=False) from None

    async def traffic_allocation(self, assistant_id: str) -> Json | None:
        """``GET /traffic-allocations/latest``: how calls are split over versions now; None where they never were.

        ``{"allocationIntent": "explicit" | "follow-latest", "targets": [{"assistantVersion": "v7", "position": 0,
        "percentage": 60}, …], …}``; only ``explicit`` has targets. Raises :class:`VapiFailure`, ``no_beta_access``
        where the account has none. What a version holds cannot be read: no route for that is published.
        (docs.vapi.ai, api-reference/traffic-allocations; vapi-server-sdk 3.0.0; read 2026-11-28)
        """
        path, query = "/traffic-allocations/latest", {"assistantId": assistant_id}
        answer = await self._json("GET", path, "traffic-allocations", query=query)
        allocation = answer.get("allocation") if isinstance(answer, dict) else None
        if not isinstance(answer, dict) or not isinstance(allocation, dict | None):
            raise failures.invalid_answer("the allocation is not an object", write=False)
        return allocation

    async def get_assistant(self, assistant_id: str) -> Json:
        """``GET /assistant/{id}``. Raises :class:`VapiFailure`, code ``ASSISTANT_MISSING`` where it is gone."""
        return _resource(await self._json("GET", f"/assistant/{assistant_id}", "assistant"), write=False)

    async def update_assistant(self, assistant_id: str, changes: Mapping[str, object]) -> Json:
        """``PATCH /assistant/{id}``; the whole assistant afterwards. Each top-level field sent is replaced whole."""
        return _resource(await self._json("PATCH", f"/assistant/{assistant_id}", "assistant", changes), write=True)

    async def _json(
        self,
        method: str,
        path: str,
        subject: Subject,
        body: Mapping[str, object] | None = None,
        query: Mapping[str, str] | None = None,
        *,
        empty: bool = False,
    ) -> object:
        """The JSON of one answer; None where there is no body and ``empty`` allows it."""
        write = method != "GET"
        raw = await self._traced(method, path, subject, body, query, BODY_BYTES_MAX)
        if raw is None:
            raise failures.too_large(BODY_BYTES_MAX, subject=subject, write=write)
        if empty and not raw.strip():
            return None
        try:
            return await json.read_aside(raw)
        except json.Unreadable:
            raise failures.invalid_answer("the answer is not JSON", write=write) from None

    async def _traced(
        self,
        method: str,
        path: str,
        subject: Subject,
        body: Mapping[str, object] | None,
        query: Mapping[str, str] | None,
        limit: int,
    ) -> bytes | None:
        """The body of a success, None for one that is too long; in a client span, which is told nothing of its content.

        Raises :class:`VapiFailure`.
        """
        route = path if subject == "traffic-allocations" or path.count("/") < 2 else f"/{subject}/{{id}}"
        span = self._telemetry.start_child(
            f"{method} {route}", kind=SpanKind.CLIENT, attributes={HTTP_METHOD: method, HTTP_ROUTE: route}
        )
        try:
            answer = await self._exchange(
                method, path, body, query, limit=limit, deadline_seconds=self._deadline_seconds, span=span
            )
            if not isinstance(answer, Failed):
                return answer
            # It has no name here: a frame in its traceback that names it would hold it, and its run, for the collector.
            raise _told(failures.of(answer, subject=subject, write=method != "GET"), f"{method} {route}", span)
        finally:
            span.end()


def _told(failure: VapiFailure, route: str, span: Span) -> VapiFailure:
    failure.route = route
    span.set_attribute(ERROR_CODE, failure.code.value)
    span.set_status(StatusCode.ERROR, failure.code.value)
    return failure


def _resource(value: object, *, write: bool) -> Json:
    if resource_of(value) is None:
        raise failures.invalid_answer("the answer has no id", write=write)
    assert isinstance(value, dict)
    return value
