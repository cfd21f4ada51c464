"""One request to Vapi and its whole answer, on aiohttp itself.

httpx's request, URL, response and headers around the same connection were a fifth of what a sync costs; httpx
only unpacks the rare body that comes packed (:mod:`.packed`).
"""

import ssl
from collections.abc import AsyncIterable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Final, Protocol

import aiohttp
import certifi
from aiohttp.abc import AbstractResolver
from yarl import URL

from zerotouch_platform.vapi.answers import BodyTooLarge, PackedWrongly, read_body

KEEPALIVE_SECONDS: Final = 3.0
"""Shorter than any server's: a write on a connection that the server just closed has an unknown end."""


@dataclass(frozen=True, slots=True)
class Request:
    """What is sent. ``url`` is complete and quoted; ``body`` is JSON, None where there is none."""

    method: str
    url: str
    headers: Mapping[str, str]
    body: bytes | None = None


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back; the names of ``headers`` have no case. ``body`` is None where it was too long to be read.

    ``packed_wrongly``: the body is not in the encoding that the headers name, and so it is b"".
    """

    status: int
    headers: Mapping[str, str]
    body: bytes | None
    packed_wrongly: bool = False


class Transport(Protocol):
    """The way to Vapi."""

    async def send(self, request: Request, limit: int) -> Answer:
        """The answer, whatever its status, its body read up to ``limit`` bytes; a redirect is an answer.

        Raises ``aiohttp.ClientError``, ``OSError`` and ``TimeoutError``.
        """

    async def close(self) -> None:
        """Close all connections."""


class PooledTransport:
    """A :class:`Transport` over at most ``connections_max`` connections. Has no time limit of its own.

    ``resolver`` is asked for the addresses of each host, at each connection; None: the machine's name service.
    """

    def __init__(self, connections_max: int, *, resolver: AbstractResolver | None = None) -> None:
        self._connections_max, self._resolver, self._trusted = connections_max, resolver, _trusted()
        self._session: aiohttp.ClientSession | None = None

    async def send(self, request: Request, limit: int) -> Answer:
        """See :meth:`Transport.send`."""
        async with self._opened().request(
            request.method,
            URL(request.url, encoded=True),
            data=request.body,
            headers=request.headers,
            allow_redirects=False,
        ) as response:
            try:
                body = await read_body(_plain(response), limit)
            except BodyTooLarge:
                response.close()  # the rest of it is not waited for
                body = None
            except PackedWrongly:  # the status counts all the same
                response.close()
                return Answer(response.status, response.headers, b"", packed_wrongly=True)
            return Answer(response.status, response.headers, body)

    async def close(self) -> None:
        """See :meth:`Transport.close`."""
        if self._session is not None:
            await self._session.close()

    def _opened(self) -> aiohttp.ClientSession:
        """Made at the first request, as a session belongs to the event loop that it is made in."""
        if self._session is None:
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(
                    limit=self._connections_max,
                    keepalive_timeout=KEEPALIVE_SECONDS,
                    ssl=self._trusted,
                    resolver=self._resolver,
                    use_dns_cache=self._resolver is None,
                ),
                cookie_jar=aiohttp.DummyCookieJar(),
                timeout=aiohttp.ClientTimeout(total=None),
                auto_decompress=False,
                trust_env=False,
            )
        return self._session


@cache  # to load them takes 0.1 s: when the first transport is made, and not at its first request
def _trusted() -> ssl.SSLContext:
    """Trusts certifi's authorities, as a small image may have none, and the system's, to which operators add theirs."""
    context = ssl.create_default_context(cafile=certifi.where())
    context.load_default_certs()
    context.set_alpn_protocols(["http/1.1"])
    return context


def _plain(response: aiohttp.ClientResponse) -> AsyncIterable[bytes]:
    """The body in pieces. We ask for no encoding; what comes in one all the same is unpacked piece by piece."""
    chunks = response.content.iter_any()
    encoding = response.headers.get("content-encoding")
    if encoding is None:
        return chunks
    from zerotouch_platform.vapi.packed import unpacked

    return unpacked(chunks, encoding)
