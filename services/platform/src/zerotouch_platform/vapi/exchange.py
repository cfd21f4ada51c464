"""One exchange with Vapi: a request, and what came of it as a value. Both services' clients are verbs over this.

The whole exchange has one deadline, since a timeout per read never ends against a server that drips. Nothing is
repeated here: Vapi has no idempotency keys and no ETags (its OpenAPI document of 2026-08-20), and a POST that is
repeated after a lost answer makes a second object.
"""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlencode

import aiohttp
from opentelemetry.trace import Span

from zerotouch_platform.vapi import json
from zerotouch_platform.vapi.answers import (
    Meaning,
    Words,
    is_breaking,
    meaning_of,
    retry_after_seconds,
    was_not_sent,
    words_of,
)
from zerotouch_platform.vapi.clock import VapiClock
from zerotouch_platform.vapi.transport import Answer, Request, Transport

_NO_WORDS: Final = Words()

Measured = Callable[[str, str, int | None, float], None]
"""Told of each call: its method, its route, the status (None where there was no answer) and the seconds it took."""


def unmeasured(_method: str, _route: str, _status: int | None, _seconds: float) -> None:
    """Nobody wants to know."""


@dataclass(frozen=True, slots=True)
class Failed:
    """An exchange that did not end in a success with a body. ``status`` is None where there was no answer.

    ``reason`` is ours and may go into logs; it is '' where the status says it all.
    """

    meaning: Meaning
    status: int | None = None
    retry_after_seconds: float | None = None
    words: Words = _NO_WORDS
    reason: str = ""

    @property
    def breaking(self) -> bool:
        """Whether Vapi itself did not answer: no connection, no answer in time, or a 5xx."""
        return self.status is None or is_breaking(self.status)


@dataclass(frozen=True, slots=True)
class Exchange:
    """The way to one account. ``key`` is read at the time of the call, so that a changed key is used at once."""

    base_url: str
    key: Callable[[], str]
    transport: Transport
    clock: VapiClock
    measured: Measured = unmeasured

    async def __call__(
        self,
        method: str,
        path: str,
        body: Mapping[str, object] | None = None,
        query: Mapping[str, str] | None = None,
        *,
        limit: int,
        deadline_seconds: float,
        span: Span,
    ) -> bytes | Failed | None:
        """The body of a success; None where it is longer than ``limit`` bytes. ``span`` is told the status alone."""
        request, sent_at, status = self._request(method, path, body, query), self.clock.monotonic(), None
        try:
            async with asyncio.timeout(deadline_seconds):
                answer = await self.transport.send(request, limit)
                status = answer.status
                self.clock.heard(answer.headers, sent_at, self.clock.monotonic())
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            return lost(error)
        finally:
            self.measured(method, route_of(path), status, self.clock.monotonic() - sent_at)
        span.set_attribute("http.response.status_code", answer.status)
        meaning = meaning_of(answer.status, write=method != "GET", route=path)
        if meaning is not Meaning.DONE:  # whatever its length: the status says it all
            return refused(answer, meaning)
        if answer.packed_wrongly:
            return Failed(Meaning.UNREADABLE, answer.status, reason="the answer's encoding is broken")
        return answer.body

    def _request(
        self, method: str, path: str, body: Mapping[str, object] | None, query: Mapping[str, str] | None
    ) -> Request:
        headers = {"authorization": f"Bearer {self.key()}", "accept": "application/json", "accept-encoding": "identity"}
        url = self.base_url + path + (f"?{urlencode(query)}" if query else "")
        if body is None:
            return Request(method, url, headers)
        headers["content-type"] = "application/json"
        return Request(method, url, headers, json.write(body))


def route_of(path: str) -> str:
    """The route of a path at Vapi: what follows the kind of object is its id."""
    kind, _, rest = path.removeprefix("/").partition("/")
    return f"/{kind}/{{id}}" if rest else f"/{kind}"


def lost(error: BaseException) -> Failed:
    """What an exchange without an answer means."""
    meaning = Meaning.NOT_SENT if was_not_sent(error) else Meaning.LOST
    return Failed(meaning, reason=type(error.__cause__ or error).__name__)


def refused(answer: Answer, meaning: Meaning) -> Failed:
    """What an answer without a success says."""
    return Failed(meaning, answer.status, retry_after_seconds(answer.headers), words_of(answer.body or b""))
