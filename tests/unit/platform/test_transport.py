"""The transport over real sockets: an answer is whole, or an error says whether anything was sent."""

import asyncio
import gzip
import zlib
from collections.abc import Awaitable, Callable

import aiohttp
import pytest
from tests.support.raw_server import ok, server

from zerotouch_platform.vapi.answers import was_not_sent
from zerotouch_platform.vapi.transport import Answer, PooledTransport, Request

LIMIT = 1000


async def ask(url: str, method: str = "GET", body: bytes | None = None) -> Answer:
    transport = PooledTransport(2)
    try:
        async with asyncio.timeout(10):
            return await transport.send(Request(method, f"{url}/tool", {"accept": "application/json"}, body), LIMIT)
    finally:
        await transport.close()


async def test_an_answer_comes_with_its_status_headers_and_body() -> None:
    async with server(ok(b'{"id":"t"}', "Date: Sun, 29 Nov 2026 01:00:00 GMT", status="201 Created")) as (url, said):
        answer = await ask(url, "POST", b'{"a":1}')
    assert (answer.status, answer.body) == (201, b'{"id":"t"}')
    assert answer.headers["date"] == answer.headers["Date"] == "Sun, 29 Nov 2026 01:00:00 GMT"
    assert said[0].startswith(b"POST /tool HTTP/1.1\r\n")
    assert said[0].endswith(b'\r\n\r\n{"a":1}')


@pytest.mark.parametrize("status", ["302 Found", "307 Temporary Redirect", "500 Oops", "404 Not Found"])
async def test_every_status_is_an_answer_and_a_redirect_is_not_followed(status: str) -> None:
    async with server(ok(b"{}", "Location: /elsewhere", status=status)) as (url, said):
        assert (await ask(url)).status == int(status[:3])
    assert len(said) == 1


async def test_pieces_are_put_together() -> None:
    chunked = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n"
    async with server(chunked) as (url, _):
        assert (await ask(url)).body == b"abcde"


@pytest.mark.parametrize("head", ["Content-Length: 1000000000", "Transfer-Encoding: chunked"])
async def test_what_is_too_long_is_not_waited_for(head: str) -> None:
    endless = f"HTTP/1.1 200 OK\r\n{head}\r\n\r\n".encode() + b"1388\r\n" + b"x" * 5000 + b"\r\n"
    async with server(endless, hold=True) as (url, _):
        answer = await ask(url)
    assert (answer.status, answer.body) == (200, None)


@pytest.mark.parametrize(("encoding", "pack"), [("gzip", gzip.compress), ("deflate", zlib.compress)])
async def test_a_packed_body_is_unpacked_up_to_the_limit(encoding: str, pack: Callable[[bytes], bytes]) -> None:
    header = f"Content-Encoding: {encoding}"
    async with server(ok(pack(b"x" * LIMIT), header)) as (url, _):
        assert (await ask(url)).body == b"x" * LIMIT
    async with server(ok(pack(b"x" * 50_000_000), header), hold=True) as (url, _):
        assert (await ask(url)).body is None
    for status in ("200 OK", "401 Unauthorized", "429 Too Many Requests", "503 Oops"):
        async with server(ok(b"this is not packed", header, status=status)) as (url, _):
            answer = await ask(url)
        assert (answer.status, answer.body, answer.packed_wrongly) == (int(status[:3]), b"", True)


BROKEN = [
    pytest.param(b"", id="closed without a word"),
    pytest.param(b"HTTP/1.1 200", id="half a status line"),
    pytest.param(b"HTTP/1.1 200 OK\r\nContent-Le", id="half a head"),
    pytest.param(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n{}", id="half a body"),
    pytest.param(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab", id="half a chunk"),
    pytest.param(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nab\r\n", id="a chunk without a length"),
    pytest.param(b"SSH-2.0-OpenSSH_9.2\r\n\r\n", id="not HTTP"),
    pytest.param(b"HTTP/1.1 200 OK\r\nContent-Length: ten\r\n\r\n{}", id="no number"),
    pytest.param(b"HTTP/1.1 200 OK\r\nX: " + b"x" * 100_000 + b"\r\n\r\n", id="a head without end"),
]


@pytest.mark.parametrize("answer", BROKEN)
async def test_an_exchange_that_broke_may_have_been_heard_and_a_write_is_sent_once(answer: bytes) -> None:
    async with server(answer) as (url, said):
        with pytest.raises((aiohttp.ClientError, OSError)) as caught:
            await ask(url, "POST", b"{}")
    assert not was_not_sent(caught.value)
    assert len(said) == 1


async def test_a_write_on_a_kept_connection_that_the_server_ends_is_not_sent_again() -> None:
    transport = PooledTransport(1)
    async with server(ok(b"{}"), hold=True) as (url, said):
        await transport.send(Request("GET", f"{url}/tool", {}), LIMIT)
        with pytest.raises(aiohttp.ClientError):
            await transport.send(Request("POST", f"{url}/tool", {}, b"{}"), LIMIT)
    await transport.close()
    assert [head.split()[0] for head in said] == [b"GET", b"POST"]


async def test_nobody_there_was_not_sent() -> None:
    async with server() as (url, _):
        pass
    with pytest.raises(aiohttp.ClientConnectorError) as caught:
        await ask(url, "POST", b"{}")
    assert was_not_sent(caught.value)


async def test_no_cookie_is_kept() -> None:
    async with server(ok(b"{}", "Set-Cookie: a=b"), ok(b"{}")) as (url, said):
        transport = PooledTransport(1)
        for _ in range(2):
            await transport.send(Request("GET", f"{url}/tool", {}), LIMIT)
        await transport.close()
    assert not any(b"\r\ncookie:" in head.lower() for head in said)


async def test_more_calls_than_connections_wait_for_their_turn() -> None:
    open_now, most = 0, 0
    release, full = asyncio.Event(), asyncio.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal open_now, most
        open_now += 1
        most = max(most, open_now)
        if open_now == 3:
            full.set()
        await reader.readuntil(b"\r\n\r\n")
        await release.wait()
        writer.write(ok(b"{}", "Connection: close"))
        open_now -= 1
        writer.close()

    listening = await asyncio.start_server(serve, "127.0.0.1")
    url = f"http://127.0.0.1:{listening.sockets[0].getsockname()[1]}/tool"
    transport = PooledTransport(3)
    calls: list[Awaitable[Answer]] = [
        asyncio.ensure_future(transport.send(Request("GET", url, {}), LIMIT)) for _ in range(9)
    ]
    await full.wait()
    release.set()
    assert [answer.status for answer in await asyncio.gather(*calls)] == [200] * 9
    assert most <= 3
    await transport.close()
    listening.close()
