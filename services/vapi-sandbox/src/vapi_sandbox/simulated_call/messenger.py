"""Delivering a webhook: attempts with a deadline, back-off between them, an entry in the journal for each.

Only HTTP 200 counts. Redirects are not followed and proxies of the environment are not used: the webhook goes where
the tool says, or fails.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

import httpx

from vapi_sandbox.sandbox import Sandbox
from vapi_sandbox.simulated_call.credential import proof
from vapi_sandbox.simulated_call.server import Server

ROUTE = "tool-calls webhook"
ANSWER_BYTES_MAX = 1_000_000
PORT_MAX = 65_535


@dataclass(frozen=True, slots=True)
class Answer:
    """What one attempt brought. `status` is None where no complete answer came, and `failure` says why."""

    status: int | None
    body: bytes = b""
    content_type: str = ""
    failure: str | None = None


@dataclass(frozen=True, slots=True)
class Delivery:
    """All attempts of one delivery, in order; the last one ended it."""

    attempts: tuple[Answer, ...]

    @property
    def answer(self) -> Answer | None:
        """Return the answer that counts: a whole one with status 200."""
        last = self.attempts[-1]
        return last if last.status == 200 and last.failure is None else None

    @property
    def problems(self) -> list[str]:
        """Say what was wrong with each attempt that was ignored."""
        return [
            f"attempt {number}: {attempt.failure or f'status {attempt.status} is ignored, only 200 counts'}"
            for number, attempt in enumerate(self.attempts, 1)
            if attempt.status != 200 or attempt.failure is not None
        ]


class Messenger:
    """Delivers for one sandbox, over one HTTP client."""

    def __init__(self, sandbox: Sandbox, client: httpx.AsyncClient) -> None:
        self._sandbox = sandbox
        self._client = client

    async def deliver(self, server: Server, body: bytes, vapi_org: str) -> Delivery:
        """Deliver one body; every attempt sends the same bytes, signed anew."""
        attempts = [await self._attempt(server, body, vapi_org)]
        for delay_seconds in server.retry_delays_seconds:
            if not server.retries(attempts[-1].status):
                break
            await self._sandbox.clock.sleep(delay_seconds)
            attempts.append(await self._attempt(server, body, vapi_org))
        return Delivery(tuple(attempts))

    async def _attempt(self, server: Server, body: bytes, vapi_org: str) -> Answer:
        entry = self._sandbox.journal.open("POST", server.url, "", body, origin="call")
        entry.route, entry.vapi_org = ROUTE, vapi_org
        try:
            _check(server.url)
            async with asyncio.timeout(server.timeout_seconds):
                answer = await self._exchange(server, body)
            entry.status, entry.delivered = answer.status, True
        except TimeoutError:
            answer = Answer(None, failure=f"no answer within {server.timeout_seconds:g} s")
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            answer = Answer(None, failure=f"{type(error).__name__}: {error}")
        finally:
            entry.finished = True
            self._sandbox.tally.webhook(server.url, entry.status)
        return answer

    async def _exchange(self, server: Server, body: bytes) -> Answer:
        async with self._client.stream(
            "POST", server.url, content=body, headers=self._headers(server, body)
        ) as response:
            content_type = response.headers.get("content-type", "")
            received = bytearray()
            async for piece in response.aiter_bytes():
                received += piece
                if len(received) > ANSWER_BYTES_MAX:
                    failure = f"the answer is longer than {ANSWER_BYTES_MAX} bytes"
                    return Answer(response.status_code, b"", content_type, failure)
            return Answer(response.status_code, bytes(received), content_type)

    def _headers(self, server: Server, body: bytes) -> httpx.Headers:
        """Put the tool's own headers last: an `Authorization` among them replaces the credential's, as at Vapi."""
        seconds = self._sandbox.clock.wall()
        timestamp = int(seconds) if self._sandbox.dials.webhook.timestamp_unit == "s" else int(seconds * 1000)
        headers = httpx.Headers({"content-type": "application/json"})
        headers.update(proof(self._sandbox.settings.credential, str(timestamp), body))
        headers.update(
            [(name.encode(errors="replace"), value.encode(errors="replace")) for name, value in server.headers]
        )
        return headers


def _check(url: str) -> None:
    """Raise `httpx.InvalidURL` for what the API stores as a server URL and no client can call.

    The client itself meets some of these with errors that are nobody's (an overflow in the socket, a failed encoding).
    """
    try:
        parsed = httpx.URL(url)
    except UnicodeError as error:
        raise httpx.InvalidURL(f"{url!r} has half of a surrogate pair in it") from error
    if parsed.scheme not in ("http", "https") or not parsed.host:
        raise httpx.InvalidURL(f"{url!r} must begin with http:// or https:// and have a host")
    if parsed.port is not None and not 1 <= parsed.port <= PORT_MAX:
        raise httpx.InvalidURL(f"{url!r} has a port above {PORT_MAX}, or 0")
