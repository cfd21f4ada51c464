"""The client. A write that may have happened must not be repeated blindly: it is sent once; reads are retried."""

import asyncio
import random
import time
from collections.abc import Callable, Mapping
from datetime import datetime
from itertools import count
from typing import Any, Final

import structlog
from opentelemetry.trace import Span, SpanKind, Status, StatusCode

from assistant_api.settings import Settings
from assistant_api.vapi.answers import Found, Later, Read, Refused, Unknown, Write, of_assistant, of_failed, too_large
from assistant_api.vapi.key import Ticket, VapiKey
from zerotouch_contracts.errors import ErrorCode
from zerotouch_platform.telemetry import Telemetry
from zerotouch_platform.vapi import json
from zerotouch_platform.vapi.answers import BODY_BYTES_MAX, LIST_BYTES_MAX, Meaning
from zerotouch_platform.vapi.clock import VapiClock
from zerotouch_platform.vapi.exchange import Exchange, Failed, Measured, unmeasured
from zerotouch_platform.vapi.paging import ListUnreadable, PageTooLarge, Window, pages
from zerotouch_platform.vapi.transport import PooledTransport, Transport

LIST_LIMIT: Final = 250
"""Of the 1,000 that Vapi allows: that many long prompts are 10 MB, and to parse them holds up the event loop."""

_log: Final = structlog.get_logger()
_uniform: Final = random.uniform


class _Stopped(Exception):
    """A page was not answered; ``reason`` is what ends the list."""

    def __init__(self, reason: Later) -> None:
        super().__init__(reason.code.value)
        self.reason = reason


class VapiClient:
    """Assistants of one account at Vapi. ``api_key`` is read at each call; tests give a ``transport``."""

    def __init__(
        self,
        settings: Settings,
        telemetry: Telemetry,
        key: VapiKey,
        api_key: Callable[[], str],
        *,
        connections_max: int = 1,
        transport: Transport | None = None,
        measured: Measured = unmeasured,
    ) -> None:
        self.clock: Final = VapiClock()
        transport = transport or PooledTransport(connections_max)
        self._exchange = Exchange(settings.vapi_base_url.rstrip("/"), api_key, transport, self.clock, measured)
        self._deadline_seconds = settings.vapi_deadline_seconds
        self._read_tries_max, self._read_retry_seconds = settings.read_tries_max, settings.read_retry_seconds
        self._telemetry = telemetry
        self.key: Final = key

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

    async def delete_call(self, call_id: str, ticket: Ticket) -> Write:
        """Delete a phone call, with its transcript and recording; safe to repeat.

        The body is needed (`DeleteCallDTO`, SDK 3.0.0): `ids` in it would name other calls, and the path none.
        """
        return await self._call(ticket, "DELETE", "/call/{id}", f"/call/{call_id}", {})

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
        await self._exchange.transport.close()

    async def _read(self, route: str, path: str, *, save: bool, params: Mapping[str, str] | None = None) -> Read:
        """One read, tried again where that may help. The tries share one deadline: the lease allows for no more."""
        began_at = time.monotonic()
        for tried in count(1):
            ticket = await self.key.admit(save=save)
            if isinstance(ticket, Later):
                return ticket
            left_seconds = self._deadline_seconds - (time.monotonic() - began_at)
            answer = _for_read(
                await self._call(ticket, "GET", route, path, params=params, deadline_seconds=left_seconds)
            )
            again = isinstance(answer, Later) and answer.counts_as_attempt and not answer.wait_seconds
            if not again or tried >= self._read_tries_max:
                return answer
            pause_seconds = self._read_retry_seconds * 2 ** (tried - 1) * _uniform(0, 1)
            if time.monotonic() - began_at + pause_seconds >= self._deadline_seconds:
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
        limit = BODY_BYTES_MAX if params is None else LIST_BYTES_MAX
        attributes = {"http.request.method": method, "url.template": route, "peer.service": "vapi"}
        with self._telemetry.span(f"{method} {route}", kind=SpanKind.CLIENT, attributes=attributes) as span:
            if (stale := self.key.stale(ticket)) is not None:
                return _failed(span, stale)
            raw = await self._exchange(
                method, path, body, params, limit=limit, deadline_seconds=deadline_seconds, span=span
            )
            await self._tell_key(raw)
            answer = await _answer(raw, method, path, is_list=params is not None)
            return answer if isinstance(answer, Found) else _failed(span, answer)

    async def _tell_key(self, answer: bytes | Failed | None) -> None:
        match answer:
            case Failed(Meaning.RATE_LIMITED):
                await self.key.troubled("rate_limited", answer.retry_after_seconds)
            case Failed(Meaning.KEY_REFUSED):
                await self.key.troubled("refused")
            case Failed(Meaning.PAYMENT):
                await self.key.troubled("unpaid")
            case Failed(breaking=True):
                await self.key.troubled("broken")
            case _:
                await self.key.answered()


async def _answer(raw: bytes | Failed | None, method: str, path: str, *, is_list: bool) -> Write:
    if isinstance(raw, Failed):
        if raw.meaning is not Meaning.UNREADABLE:
            return of_failed(raw)
        raw = b""
    if raw is None:
        return too_large(write=method != "GET")
    if method == "DELETE" and not raw.strip():  # 204: it is not needed any more
        return Found({"id": path.rpartition("/")[2]})
    try:
        if is_list:
            return Found({"items": await json.read_list_aside(raw)})
        body = await json.read_aside(raw)
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
