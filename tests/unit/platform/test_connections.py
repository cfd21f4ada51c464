"""A server's limits, against raw sockets: what no client library would send."""

import asyncio
import contextlib
import json
import socket
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from tests.support.eventually import eventually

from zerotouch_platform.connections import ConnectionLimits
from zerotouch_platform.server import HttpServer, bind

App = Callable[[Any, Any, Any], Awaitable[None]]
Dial = Callable[[], Awaitable[tuple[asyncio.StreamReader, asyncio.StreamWriter]]]

SMALL = ConnectionLimits(
    connections_max=20, requests_max=3, head_seconds=0.4, body_seconds=0.4, head_bytes_max=2000, url_bytes_max=500,
    headers_max=10, body_bytes_max=100_000, pipelined_max=4, unread_seconds=0.4, unread_bytes_min=50_000,
    unread_bytes_max=20_000_000,
)  # fmt: skip
LARGE = bytes(8_000_000)
"""More than the kernel takes for a client that does not read."""
GET = b"GET / HTTP/1.1\r\nhost: a\r\n\r\n"


async def reading(scope: Any, receive: Any, send: Any) -> None:
    """Reads the body, then answers how long it was."""
    size, more = 0, True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            return
        size, more = size + len(message.get("body", b"")), message.get("more_body", False)
    await answer(send, f"{size}".encode())


async def answer(send: Any, body: bytes) -> None:
    length = (b"content-length", b"%d" % len(body))
    await send({"type": "http.response.start", "status": 200, "headers": [length]})
    await send({"type": "http.response.body", "body": body})


@asynccontextmanager
async def served(app: App = reading, limits: ConnectionLimits = SMALL) -> AsyncIterator[Dial]:
    server = HttpServer(app, bind("127.0.0.1", 0), limits=limits, keep_alive_seconds=2)
    running = asyncio.create_task(server.run_forever())

    async def dial() -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        return await asyncio.open_connection("127.0.0.1", server.port)

    try:
        yield dial
    finally:
        server.stop()
        await running


async def said(dial: Dial, *parts: bytes, pause_seconds: float = 0.0) -> bytes:
    """All that is answered to these bytes until the server closes; what it does not read any more is no fault."""
    reader, writer = await dial()
    heard = bytearray()

    async def listen() -> None:
        with contextlib.suppress(ConnectionError):
            async with asyncio.timeout(5):
                while piece := await reader.read(65_536):
                    heard.extend(piece)

    listening = asyncio.create_task(listen())
    with contextlib.suppress(ConnectionError):
        for part in parts:
            writer.write(part)
            await writer.drain()
            if pause_seconds:
                await asyncio.sleep(pause_seconds)
    await listening
    writer.close()
    return bytes(heard)


async def taken(
    connection: tuple[asyncio.StreamReader, asyncio.StreamWriter],
    start: bytes,
    again: bytes,
    bytes_max: int = 60_000_000,
) -> int:
    """How much of what is sent again and again the server takes before it closes."""
    reader, writer = connection
    writer.write(start)
    sent = 0
    with contextlib.suppress(ConnectionError):
        while sent < bytes_max and not reader.at_eof():
            writer.write(again)
            await writer.drain()
            sent += len(again)
            await asyncio.sleep(0)
    writer.close()
    return sent


def status(text: bytes) -> int:
    return int(text.split(b" ", 2)[1])


async def test_what_is_within_the_limits_is_served_again_and_again() -> None:
    async with served() as dial:
        reader, writer = await dial()
        for size in (0, 10, 70_000):
            writer.write(b"POST /a HTTP/1.1\r\nhost: a\r\ncontent-length: %d\r\n\r\n" % size + b"x" * size)
            head = await reader.readuntil(b"\r\n\r\n")
            assert status(head) == 200
            assert await reader.readexactly(len(str(size))) == str(size).encode()
        writer.close()


@pytest.mark.parametrize(
    ("sent", "expected"),
    [
        (b"GET /" + b"a" * 600 + b" HTTP/1.1\r\nhost: a\r\n\r\n", 414),
        (b"GET /" + b"a" * 3000 + b" HTTP/1.1\r\nhost: a\r\n\r\n", 414),
        (b"GET /?" + b"a=1&" * 300 + b" HTTP/1.1\r\nhost: a\r\n\r\n", 414),
        (b"GET / HTTP/1.1\r\nhost: a\r\nx: " + b"a" * 2100 + b"\r\n\r\n", 431),
        (b"GET / HTTP/1.1\r\nhost: a\r\n" + b"x: 1\r\n" * 12 + b"\r\n", 431),
        (b"GET / HTTP/1.1\r\nhost: a\r\n" + b"x" * 2100 + b": 1\r\n\r\n", 431),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 400),
        (b"GET / HTTP/1.1\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nhost: a\r\ncontent-length: 3\r\ntransfer-encoding: chunked\r\n\r\n", 400),
        (GET.replace(b"HTTP/1.1", b"HTTP/9.9"), 400),
    ],
    ids=["url", "long-url", "query", "header", "headers", "name", "tls", "two-lengths", "smuggled", "version"],
)
async def test_what_is_too_large_or_no_http_is_told_and_the_connection_closed(sent: bytes, expected: int) -> None:
    async with served() as dial:
        heard = await said(dial, sent)
        assert status(heard) == expected, heard[:80]
        assert b"connection: close" in heard


@pytest.mark.parametrize(
    "start",
    [b"GET / HTTP/1.1\r\nx: ", b"GET /", b"GET / HTTP/1.1\r\nhost: a\r\nx", b"POST / HTTP/1.1\r\ncontent-type: "],
)
async def test_a_head_without_end_is_cut_off_after_little_of_it(start: bytes) -> None:
    async with served(limits=ConnectionLimits(head_seconds=30)) as dial:
        assert await taken(await dial(), start, b"a" * 65_536) < 20_000_000, "some of it is in the kernel's buffers"


async def test_a_slow_head_and_a_silent_connection_end_in_time() -> None:
    async with served() as dial:
        began = time.monotonic()
        slow, silent = await asyncio.gather(
            said(dial, *(bytes([byte]) for byte in GET[:-2]), pause_seconds=0.05), said(dial)
        )
        assert status(slow) == 408
        assert silent == b""
        assert time.monotonic() - began < 3


async def test_a_slow_second_head_ends_in_time_too() -> None:
    async with served() as dial:
        heard = await said(dial, GET, *(bytes([byte]) for byte in GET[:-2]), pause_seconds=0.05)
        assert heard.count(b"HTTP/1.1 200") == 1
        assert b"HTTP/1.1 408" in heard


async def test_a_slow_body_ends_in_time() -> None:
    async with served() as dial:
        head = b"POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 50\r\n\r\n"
        assert status(await said(dial, head, *[b"x"] * 20, pause_seconds=0.05)) == 408


async def test_a_body_without_end_is_cut_off_although_it_was_answered() -> None:
    async def at_once(scope: Any, receive: Any, send: Any) -> None:
        await answer(send, b"no")

    async with served(at_once, ConnectionLimits(body_bytes_max=100_000, body_seconds=30)) as dial:
        reader, writer = await dial()
        writer.write(b"POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n")
        assert status(await reader.readuntil(b"\r\n\r\n")) == 200
        assert await taken((reader, writer), b"", b"ffff\r\n" + b"x" * 0xFFFF + b"\r\n") < 20_000_000


async def test_trailers_without_end_are_cut_off() -> None:
    async with served() as dial:
        heard = await said(
            dial,
            b"POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n0\r\n" + b"x: 1\r\n" * 50 + b"\r\n",
        )
        assert status(heard) == 431


async def test_who_does_not_read_the_answer_of_a_slow_application_is_no_late_body() -> None:
    async def slow(scope: Any, receive: Any, send: Any) -> None:
        await asyncio.sleep(0.8)  # longer than a body may take
        await reading(scope, receive, send)

    async with served(slow) as dial:
        reader, writer = await dial()
        writer.write(b"POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 90000\r\n\r\n" + b"x" * 90_000)
        assert status(await reader.readuntil(b"\r\n\r\n")) == 200
        assert await reader.readexactly(5) == b"90000"
        writer.close()


async def test_a_thousand_requests_in_one_piece_are_too_many() -> None:
    async with served() as dial:
        heard = await said(dial, GET * 1000)
        assert heard.count(b"HTTP/1.1 200") <= SMALL.pipelined_max + 2
        assert b"HTTP/1.1 400" in heard


async def test_silent_connections_shut_nobody_out_and_their_owner_loses_the_oldest() -> None:
    async with served(limits=ConnectionLimits(connections_max=20, head_seconds=30)) as dial:
        silent = [await dial() for _ in range(60)]
        for _ in range(5):
            reader, writer = await dial()
            writer.write(GET)
            assert status(await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 1)) == 200
            writer.close()

        async def gone() -> list[int]:
            return [n for n, (reader, _) in enumerate(silent) if reader.at_eof()]

        await eventually(lambda: _at_least(gone, 40))
        assert max(await gone()) < 50, "the oldest go first"
        for _, writer in silent:
            writer.close()


async def _at_least(count: Callable[[], Awaitable[list[int]]], wanted: int) -> bool:
    return len(await count()) >= wanted


async def test_a_request_that_is_being_answered_is_not_closed_for_others() -> None:
    go_on = asyncio.Event()

    async def waiting(scope: Any, receive: Any, send: Any) -> None:
        await go_on.wait()
        await answer(send, b"done")

    async with served(waiting, ConnectionLimits(connections_max=5, head_seconds=30)) as dial:
        reader, writer = await dial()
        writer.write(GET)
        await asyncio.sleep(0)
        silent = [await dial() for _ in range(30)]
        go_on.set()
        assert status(await reader.readuntil(b"\r\n\r\n")) == 200
        for _, other in [*silent, (None, writer)]:
            other.close()


async def test_too_many_requests_at_a_time_are_told_when_to_come_again_and_a_probe_is_answered() -> None:
    go_on = asyncio.Event()

    async def waiting(scope: Any, receive: Any, send: Any) -> None:
        if scope["path"] != "/livez":
            await go_on.wait()
        await answer(send, b"done")

    async with served(waiting) as dial:
        busy = [await dial() for _ in range(SMALL.requests_max)]
        for _, writer in busy:
            writer.write(GET)
        await asyncio.sleep(0.05)

        refused = await said(dial, b"GET / HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n")
        probed = await said(dial, b"GET /livez HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n")

        assert (status(refused), status(probed)) == (503, 200)
        assert b"retry-after: 1" in refused
        assert json.loads(refused.split(b"\r\n\r\n", 1)[1])["code"] == "TS-910"
        go_on.set()
        for reader, writer in busy:
            assert status(await reader.readuntil(b"\r\n\r\n")) == 200
            writer.close()
        again = await said(dial, b"GET / HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n")
        assert status(again) == 200


@asynccontextmanager
async def unread(dial: Dial, count: int) -> AsyncIterator[list[socket.socket]]:
    """So many clients that ask, and do not read what they are told."""
    _, writer = await dial()
    address = writer.get_extra_info("peername")
    writer.close()
    sockets = [socket.socket() for _ in range(count)]
    try:
        for each in sockets:
            each.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            each.setblocking(False)
            await asyncio.get_running_loop().sock_connect(each, address)
            await asyncio.get_running_loop().sock_sendall(each, GET)
        yield sockets
    finally:
        for each in sockets:
            each.close()


async def read_all(one: socket.socket, pause_seconds: float = 0.0) -> int:
    """How many bytes come until the server ends."""
    read = 0
    with contextlib.suppress(ConnectionError):
        while piece := await asyncio.wait_for(asyncio.get_running_loop().sock_recv(one, 65_536), 10):
            read += len(piece)
            await asyncio.sleep(pause_seconds)
    return read


async def large(scope: Any, receive: Any, send: Any) -> None:
    await answer(send, LARGE)


async def test_an_answer_that_nobody_takes_is_not_kept() -> None:
    async with served(large) as dial, unread(dial, 1) as [one]:
        await asyncio.sleep(4 * SMALL.unread_seconds)
        assert await read_all(one) < len(LARGE)


async def test_an_answer_that_is_taken_slowly_is_given_whole() -> None:
    async with served(large) as dial, unread(dial, 1) as [one]:
        one.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 100_000)
        assert await read_all(one, pause_seconds=0.05) > len(LARGE)


async def test_a_stream_that_nobody_reads_ends() -> None:
    ended = asyncio.Event()

    async def endless(scope: Any, receive: Any, send: Any) -> None:
        try:
            await send({"type": "http.response.start", "status": 200, "headers": []})
            for _ in range(1000):
                await send({"type": "http.response.body", "body": LARGE[:100_000], "more_body": True})
        finally:
            ended.set()

    async with served(endless) as dial, unread(dial, 1):
        await asyncio.wait_for(ended.wait(), 5)


async def test_answers_that_nobody_takes_have_a_limit_together_and_the_oldest_goes_first() -> None:
    limits = ConnectionLimits(unread_bytes_max=20_000_000)
    async with served(large, limits) as dial, unread(dial, 6) as sockets:
        read = await asyncio.gather(*map(read_all, sockets))
        assert [size > len(LARGE) for size in read][:3] == [False] * 3
        assert read[-1] > len(LARGE)
        assert sum(len(LARGE) for size in read if size > len(LARGE)) <= limits.unread_bytes_max + len(LARGE)


@pytest.mark.parametrize("version", [b"1.1", b"1.0"])
async def test_a_body_behind_an_upgrade_is_no_request_of_its_own(version: bytes) -> None:
    asked: list[str] = []

    async def noting(scope: Any, receive: Any, send: Any) -> None:
        asked.append(scope["path"])
        await answer(send, b"done")

    async with served(noting) as dial:
        hidden = b"GET /hidden HTTP/1.1\r\nhost: a\r\n\r\n"
        head = b"POST /first HTTP/%b\r\nhost: a\r\nconnection: upgrade, keep-alive\r\nupgrade: h2c\r\n" % version
        length = b"content-length: %d\r\n\r\n" % len(hidden)
        assert status(await said(dial, head + length, hidden, pause_seconds=0.1)) == 400
        chunks = b"transfer-encoding: chunked\r\n\r\n"
        assert status(await said(dial, head + chunks, b"0\r\n\r\n", hidden, pause_seconds=0.1)) == 400
        # Without a body it is answered, as some clients always ask; what follows is not read.
        upgrade = head.replace(b"POST", b"GET") + b"\r\n"
        heard = await said(dial, upgrade + hidden[:9], hidden[9:], hidden, pause_seconds=0.1)
        assert heard.count(b"HTTP/1.1 200") == 1
        assert b"connection: close" in heard
        assert asked == ["/first"]


@pytest.mark.parametrize(
    "sent",
    [
        b"GET /\nhost: a\r\ncontent-length: 5\r\n\r\nhello",
        b"GET /\r\n\r\n",
        b"GET / HTTP/1.1\r\nx: 1\r\n\r\n",
        b"GET / HTTP/1.1\r\nhost: a\r\nhost: b\r\n\r\n",
        b"GET / HTTP/1.0\r\nhost: a\r\nhost: b\r\n\r\n",
        b"POST / HTTP/1.0\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
    ],
    ids=["no-version", "no-version-crlf", "no-host", "two-hosts", "two-hosts-1.0", "chunks-1.0"],
)
async def test_what_can_be_read_in_two_ways_is_refused(sent: bytes) -> None:
    async with served() as dial:
        heard = await said(dial, sent)
        assert status(heard) == 400
        assert b"connection: close" in heard


async def test_nobody_says_where_he_comes_from_himself() -> None:
    async def telling(scope: Any, receive: Any, send: Any) -> None:
        await answer(send, f"{scope['client'][0]} {scope['scheme']}".encode())

    async with served(telling) as dial:
        forwarded = b"x-forwarded-for: 203.0.113.7\r\nx-forwarded-proto: https\r\nconnection: close\r\n\r\n"
        heard = await said(dial, GET[:-2] + forwarded)
        assert heard.endswith(b"127.0.0.1 http")


async def test_an_old_client_needs_no_host() -> None:
    async with served() as dial:
        assert status(await said(dial, b"GET / HTTP/1.0\r\n\r\n")) == 200


async def test_no_protocol_is_spoken_but_http() -> None:
    async with served() as dial:
        heard = await said(
            dial,
            b"GET / HTTP/1.1\r\nhost: a\r\nconnection: upgrade\r\nupgrade: websocket\r\n"
            b"sec-websocket-key: x\r\nsec-websocket-version: 13\r\n\r\n",
            pause_seconds=0.1,
        )
        assert b"101" not in heard.split(b"\r\n")[0]
