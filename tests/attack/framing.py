"""Requests that two readers read differently: a proxy in front, and the service behind it.

Each is followed by a second request. It held where the service answers once, with 4xx or 501, and ends the connection:
what came behind is nobody's. A service that goes on has read an end that a proxy may not have seen (RFC 9112, section
11.2).
"""

import asyncio
from typing import Final

from tests.attack.target import PORTS, Target
from tests.attack.verdict import Tried
from tests.attack.wire import Heard, exchange, request

WITHIN_SECONDS: Final = 3.0
"""Less than a connection that waits for its next request is kept."""
NEXT: Final = b"GET /livez HTTP/1.1\r\nHost: a\r\n\r\n"
CHECK: Final = "printf 'GET /livez\\nHost: a\\r\\n\\r\\n' | nc localhost {}"
_CHUNKS: Final = b"Transfer-Encoding: chunked\r\n"
_END: Final = b"0\r\n\r\n"

_LENGTHS: Final = {
    "CL, then TE": (b"Content-Length: 4\r\n" + _CHUNKS, _END),
    "TE, then CL": (_CHUNKS + b"Content-Length: 30\r\n", _END),
    "two lengths": (b"Content-Length: 5\r\nContent-Length: 10\r\n", b"hello"),
    "the same length twice": (b"Content-Length: 5\r\nContent-Length: 5\r\n", b"hello"),
    "a list of lengths": (b"Content-Length: 5, 5\r\n", b"hello"),
    "length +5": (b"Content-Length: +5\r\n", b"hello"),
    "length -1": (b"Content-Length: -1\r\n", b""),
    "length 0x5": (b"Content-Length: 0x5\r\n", b"hello"),
    "length 5_0": (b"Content-Length: 5_0\r\n", b"hello"),
    "length 5 5": (b"Content-Length: 5 5\r\n", b"hello"),
    "no length": (b"Content-Length: \r\n", b"hello"),
    "length behind a vertical tab": (b"Content-Length: \x0b5\r\n", b"hello"),
    "length above 2^64": (b"Content-Length: 18446744073709551621\r\n", b"hello"),
    "TE xchunked": (b"Transfer-Encoding: xchunked\r\n", _END),
    "TE xchunked and CL": (b"Transfer-Encoding: xchunked\r\nContent-Length: 5\r\n", b"hello"),
    "TE quoted": (b'Transfer-Encoding: "chunked"\r\n', _END),
    "TE with a parameter": (b"Transfer-Encoding: chunked;q=1\r\n", _END),
    "TE behind a vertical tab": (b"Transfer-Encoding: \x0bchunked\r\n", _END),
    "TE with a NUL": (b"Transfer-Encoding: chunked\x00\r\n", _END),
    "TE chunked twice": (_CHUNKS * 2, _END),
    "TE chunked, chunked": (b"Transfer-Encoding: chunked, chunked\r\n", _END),
    "TE chunked, identity": (b"Transfer-Encoding: chunked, identity\r\n", _END),
    "TE identity and CL": (b"Transfer-Encoding: identity\r\nContent-Length: 5\r\n", b"hello"),
    "TE with a space before the colon": (b"Transfer-Encoding : chunked\r\nContent-Length: 5\r\n", b"hello"),
    "TE folded": (b"Transfer-Encoding:\r\n chunked\r\n", _END),
    "TE behind a tab, and CL": (b"Transfer-Encoding:\tchunked\r\nContent-Length: 5\r\n", _END),
    "TE behind a bare CR": (b"X: \rTransfer-Encoding: chunked\r\n", b"1\r\nA\r\n" + _END),
    "upgrade with a length": (b"Connection: upgrade\r\nUpgrade: h2c\r\nContent-Length: %d\r\n" % len(NEXT), NEXT),
    "upgrade with chunks": (b"Connection: upgrade\r\nUpgrade: foo\r\n" + _CHUNKS, _END),
    "chunk size ends with a bare LF": (_CHUNKS, b"5\nhello\r\n" + _END),
    "chunk ends with a bare LF": (_CHUNKS, b"5\r\nhello\n" + _END),
    "LF in a chunk's extension": (_CHUNKS, b"5;\nxx\r\nhello\r\n" + _END),
    "CR in a chunk's extension": (_CHUNKS, b"5;a\rX\r\nhello\r\n" + _END),
    "chunk of -1": (_CHUNKS, b"-1\r\nhello\r\n" + _END),
    "chunk of 0x5": (_CHUNKS, b"0x5\r\nhello\r\n" + _END),
    "chunk of 0_5": (_CHUNKS, b"0_5\r\nhello\r\n" + _END),
    "chunk behind a space": (_CHUNKS, b" 5\r\nhello\r\n" + _END),
    "chunk before a space": (_CHUNKS, b"5 \r\nhello\r\n" + _END),
    "chunk above 2^64": (_CHUNKS, b"FFFFFFFFFFFFFFFFF5\r\nhello\r\n" + _END),
    "chunk with more than it says": (_CHUNKS, b"5\r\nhello!!\r\n" + _END),
    "no line after the last chunk": (_CHUNKS, b"0\r\n"),
    "a length among the trailers": (_CHUNKS, b"5\r\nhello\r\n0\r\nContent-Length: 50\r\n\r\n"),
}
"""Head lines, and what comes behind the head."""

_HEADS: Final = {
    "no version, bare LF": b"GET /livez\nHost: a\r\nContent-Length: 5\r\n\r\nhello",
    "no version": b"GET /livez\r\n\r\n",
    "request line ends with a bare LF": b"GET /livez HTTP/1.1\nHost: a\r\n\r\n",
    "header ends with a bare LF": b"GET /livez HTTP/1.1\r\nHost: a\nX: b\r\n\r\n",
    "header ends with a bare CR": b"GET /livez HTTP/1.1\r\nHost: a\rX: b\r\n\r\n",
    "head ends with a bare LF": b"GET /livez HTTP/1.1\r\nHost: a\r\n\n",
    "no host": b"GET /livez HTTP/1.1\r\nX: a\r\n\r\n",
    "two hosts": b"GET /livez HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
    "chunks in HTTP/1.0": b"POST /livez HTTP/1.0\r\nHost: a\r\nConnection: keep-alive\r\n" + _CHUNKS + b"\r\n" + _END,
    "version 1.9": b"GET /livez HTTP/1.9\r\nHost: a\r\n\r\n",
    "version 9.9": b"GET /livez HTTP/9.9\r\nHost: a\r\n\r\n",
    "version in small letters": b"GET /livez http/1.1\r\nHost: a\r\n\r\n",
    "tabs for spaces": b"GET\t/livez\tHTTP/1.1\r\nHost: a\r\n\r\n",
    "a folded header": b"GET /livez HTTP/1.1\r\nHost: a\r\nX: b\r\n c\r\n\r\n",
    "a space before the first header": b"GET /livez HTTP/1.1\r\n Host: a\r\n\r\n",
    "a header without a colon": b"GET /livez HTTP/1.1\r\nHost: a\r\nnonsense\r\n\r\n",
    "a header without a name": b"GET /livez HTTP/1.1\r\nHost: a\r\n: b\r\n\r\n",
    "NUL in a header": b"GET /livez HTTP/1.1\r\nHost: a\r\nX: b\x00c\r\n\r\n",
    "NUL in the URL": b"GET /li\x00vez HTTP/1.1\r\nHost: a\r\n\r\n",
    "bytes above 127 in the URL": b"GET /\xff\xfe HTTP/1.1\r\nHost: a\r\n\r\n",
    "a method that is none": b"GPOST /livez HTTP/1.1\r\nHost: a\r\n\r\n",
    "CONNECT": b"CONNECT localhost:443 HTTP/1.1\r\nHost: localhost:443\r\n\r\n",
    "HTTP/2's first words": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "TLS": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(200),
}

READER: Final = {"assistant-api": "/api/assistants/sync", "tool-sync": "/v1/tools/lint"}
"""A route that reads its body to the end before it answers."""


def shapes(service: str, token: str) -> dict[str, bytes]:
    """All of them, by what is odd about each; with what follows."""
    start = f"POST {READER[service]} HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {token}\r\n".encode()
    bodies = {name: start + lines + b"\r\n" + body for name, (lines, body) in _LENGTHS.items()}
    return {name: raw + NEXT for name, raw in (bodies | _HEADS).items()}


async def tried(target: Target, service: str) -> Tried:
    """Each shape over a connection of its own, and that what is good is answered."""
    at = target.at(service)
    found = [] if await _answers(at) else ["what is good is not answered either"]
    token = target.stack.signer.platform_token()
    every = shapes(service, token)
    heard = await asyncio.gather(*(exchange(at, raw, within_seconds=WITHIN_SECONDS) for raw in every.values()))
    found += [
        f"{name}: answers {list(each.statuses)}{'' if each.closed else ', and goes on'}"
        for name, each in zip(every, heard, strict=True)
        if not _refused(each)
    ]
    found += await _later_parts(target, service, token)
    found += await _foreign_host(target, service)
    what = f"smuggling and broken HTTP, {service}"
    return Tried("framing", what, len(every) + 3, found, CHECK.format(PORTS[service]))


def _refused(heard: Heard) -> bool:
    """Once, and that was all. Without an answer it held, too: some of it is no HTTP."""
    refused = all(400 <= status < 500 or status == 501 for status in heard.statuses)
    return heard.closed and len(heard.statuses) <= 1 and refused


async def _answers(at: tuple[str, int]) -> bool:
    twice = await exchange(at, NEXT, NEXT.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"))
    return twice.statuses == [200, 200]


async def _later_parts(target: Target, service: str, token: str) -> list[str]:
    """A body that comes after its head, and is a request itself; a request that begins in the piece of an upgrade."""
    at, found = target.at(service), []
    start = f"POST {READER[service]} HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {token}\r\n".encode()
    upgrade = b"Connection: upgrade\r\nUpgrade: h2c\r\n"
    head = start + upgrade + b"Content-Length: %d\r\n\r\n" % len(NEXT)
    heard = await exchange(at, head, NEXT, NEXT, pause_seconds=0.1, within_seconds=WITHIN_SECONDS)
    if not _refused(heard):
        found.append(f"a body behind an upgrade, sent later: answers {list(heard.statuses)}")
    asked = b"GET /livez HTTP/1.1\r\nHost: a\r\n" + upgrade + b"\r\n"
    heard = await exchange(at, asked + NEXT[:9], NEXT[9:], pause_seconds=0.1, within_seconds=WITHIN_SECONDS)
    if not (heard.closed and len(heard.statuses) <= 1):
        found.append(f"half a request behind an upgrade: answers {list(heard.statuses)}")
    return found


async def _foreign_host(target: Target, service: str) -> list[str]:
    """A slash too many is no reason to send somebody to the host that the caller made up."""
    raw = request("GET", f"{READER[service]}/", {**target.platform})
    heard = await exchange(target.at(service), raw.replace(b"host: localhost", b"host: evil.example"))
    return ["the caller's Host is in the answer"] if b"evil.example" in heard.text else []
