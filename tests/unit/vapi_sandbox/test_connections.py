"""Faults of the connection itself, over TCP: resets, early ends, hanging and dripping answers, callers who leave."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest
from tests.support.eventually import eventually

from vapi_sandbox import DEFAULT_KEY, create_app, serving
from vapi_sandbox.server import listen

from .caller import Caller, rule, tool_body

HEADERS = {"authorization": f"Bearer {DEFAULT_KEY}"}
REQUEST = (
    b"POST /tool HTTP/1.1\r\nhost: sandbox\r\nauthorization: Bearer " + DEFAULT_KEY.encode() + b"\r\n"
    b'content-type: application/json\r\ncontent-length: 18\r\n\r\n{"type":"endCall"}'
)


@pytest.fixture
async def base_url() -> AsyncIterator[str]:
    """A sandbox on a port of its own."""
    async with serving(create_app()) as url:
        yield url


@pytest.fixture
async def vapi(base_url: str) -> AsyncIterator[Caller]:
    """A caller over TCP."""
    async with httpx.AsyncClient(base_url=base_url, headers=HEADERS) as http:
        yield Caller(http)


@asynccontextmanager
async def _connected(base_url: str) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    """A bare TCP connection on which the request has been sent."""
    url = httpx.URL(base_url)
    reader, writer = await asyncio.open_connection(url.host, url.port)
    try:
        writer.write(REQUEST)
        yield reader, writer
    finally:
        writer.close()


async def _until_the_end(base_url: str) -> tuple[bytes, bool]:
    """Send the request and read until the connection ends; was it a reset?"""
    read = b""
    async with _connected(base_url) as (reader, _), asyncio.timeout(5):
        while True:
            try:
                piece = await reader.read(1000)
            except ConnectionResetError:
                return read, True
            if not piece:
                return read, False
            read += piece


async def _entry(vapi: Caller) -> dict[str, Any]:
    (entry,) = await vapi.journal(method="POST")
    return entry


@pytest.mark.parametrize("commit", [False, True])
@pytest.mark.parametrize("close", ["rst", "fin"])
async def test_a_cut_is_a_real_one(vapi: Caller, base_url: str, commit: bool, close: str) -> None:
    await vapi.turn(rules=[rule("POST /tool", "reset", commit=commit, close=close)])
    assert await _until_the_end(base_url) == (b"", close == "rst")
    entry = await _entry(vapi)
    assert (entry["executed"], entry["status"], entry["delivered"]) == (commit, None, False)
    assert len(await vapi.listed()) == int(commit)


@pytest.mark.parametrize("after_bytes", [1, 12, 40, 150, 300])
async def test_an_answer_is_cut_after_any_byte(vapi: Caller, base_url: str, after_bytes: int) -> None:
    await vapi.turn(rules=[rule("POST /tool", "reset", commit=True, close="fin", after_bytes=after_bytes)])
    read, was_reset = await _until_the_end(base_url)
    assert len(read) == after_bytes
    assert read == b"HTTP/1.1 201 Created\r\n"[:after_bytes] or read.startswith(b"HTTP/1.1 201 Created\r\n")
    assert not was_reset
    entry = await _entry(vapi)
    assert (entry["executed"], entry["status"], entry["delivered"]) == (True, 201, False)


@pytest.mark.parametrize(
    ("close", "error"), [("rst", httpx.ReadError), ("fin", httpx.RemoteProtocolError)], ids=["rst", "fin"]
)
async def test_an_http_client_sees_a_broken_connection_and_can_go_on(
    vapi: Caller, close: str, error: type[Exception]
) -> None:
    await vapi.turn(rules=[rule("POST /tool", "reset", commit=True, close=close)])
    with pytest.raises(error):
        await vapi.http.post("/tool", json=tool_body())
    assert (await vapi.http.post("/tool", json=tool_body())).status_code == 201
    assert len(await vapi.listed()) == 2


async def test_the_operation_of_a_hanging_answer_takes_place_at_once(vapi: Caller, base_url: str) -> None:
    await vapi.turn(rules=[rule("POST /tool", "hang", hold_ms=60_000)])
    async with _connected(base_url):

        async def took_place() -> bool:
            return len(await vapi.listed()) == 1

        await eventually(took_place)
        assert not (await _entry(vapi))["finished"]
        assert (await vapi.summary())["requests_in_flight"] == 1

    async def noticed() -> bool:
        return bool((await _entry(vapi))["finished"])

    await eventually(noticed)
    entry = await _entry(vapi)
    assert (entry["executed"], entry["status"], entry["delivered"]) == (True, None, False)


async def test_a_request_that_is_never_answered_ends_without_an_operation(vapi: Caller, base_url: str) -> None:
    await vapi.turn(rules=[rule("POST /tool", "hang", commit=False, hold_ms=30)])
    assert await _until_the_end(base_url) == (b"", False)
    assert not (await _entry(vapi))["executed"]


async def test_a_dripping_answer_stops_when_the_caller_leaves(vapi: Caller, base_url: str) -> None:
    await vapi.turn(rules=[rule("POST /tool", "drip", bytes_per_step=1, step_ms=5)])
    async with _connected(base_url) as (reader, _):
        head = await reader.readuntil(b"\r\n\r\n{")
        assert head.startswith(b"HTTP/1.1 201 Created")

    async def noticed() -> bool:
        return bool((await _entry(vapi))["finished"])

    await eventually(noticed)
    assert not (await _entry(vapi))["delivered"]


async def test_a_late_operation_takes_place_after_the_caller_has_closed_the_connection(
    vapi: Caller, base_url: str
) -> None:
    await vapi.turn(rules=[rule("POST /tool", "late", delay_ms=50)])
    async with _connected(base_url):

        async def arrived() -> bool:
            return len(await vapi.journal(method="POST")) == 1

        await eventually(arrived)

    async def took_place() -> bool:
        return bool((await _entry(vapi))["finished"])

    await eventually(took_place)
    entry = await _entry(vapi)
    assert (entry["executed"], entry["delivered"]) == (True, False)


async def test_a_caller_who_leaves_in_the_middle_of_its_request_leaves_no_trace(vapi: Caller, base_url: str) -> None:
    url = httpx.URL(base_url)
    _, writer = await asyncio.open_connection(url.host, url.port)
    writer.write(REQUEST[:-5])
    await writer.drain()
    writer.close()
    await writer.wait_closed()
    assert (await vapi.tool())["id"] in await vapi.listed()
    assert [entry["body"]["type"] for entry in await vapi.journal(method="POST")] == ["function"]


async def test_the_server_adds_no_headers_of_its_own(vapi: Caller) -> None:
    answer = await vapi.http.get("/tool")
    assert sorted(answer.headers) == ["content-length", "content-type", "date"]


def test_answers_are_sent_without_delay_in_an_event_loop_of_asyncio() -> None:
    sock, _ = listen("127.0.0.1", 0)
    with sock:
        assert sock.proto == socket.IPPROTO_TCP  # what asyncio looks at before it sets TCP_NODELAY
