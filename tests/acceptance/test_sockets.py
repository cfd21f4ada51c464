"""Strangers' sockets at both services' ports: what they send too much of, or never, harms nobody else."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from urllib.parse import urlsplit

import pytest

from .world import World

SILENT = 2600
"""More than both services take."""
PROBE_SECONDS_MAX = 2.0


@pytest.fixture(params=["assistant-api", "tool-sync"])
def at(request: pytest.FixtureRequest, world: World) -> tuple[str, int]:
    url = urlsplit(str((world.http if request.param == "assistant-api" else world.tool_sync).base_url))
    assert url.hostname is not None
    assert url.port is not None
    return url.hostname, url.port


@asynccontextmanager
async def silent(at: tuple[str, int], count: int) -> AsyncIterator[list[asyncio.StreamReader]]:
    """So many connections that say nothing."""
    pairs: list[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = []
    try:
        pairs += [await asyncio.open_connection(*at) for _ in range(count)]
        yield [reader for reader, _ in pairs]
    finally:
        for _, writer in pairs:
            writer.close()


async def first_line(at: tuple[str, int], request: bytes) -> bytes:
    """Of the answer; empty where the connection was reset before it was read."""
    reader, writer = await asyncio.open_connection(*at)
    heard = b""

    async def listen() -> None:
        nonlocal heard
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            heard = await asyncio.wait_for(reader.readuntil(b"\r\n"), 10)

    listening = asyncio.create_task(listen())
    with contextlib.suppress(ConnectionError):
        for start in range(0, len(request), 65_536):
            if listening.done():
                break
            writer.write(request[start : start + 65_536])
            await writer.drain()
            await asyncio.sleep(0)
    await listening
    writer.close()
    return heard


@pytest.mark.parametrize(
    ("start", "status"),
    [
        (b"GET /livez?" + b"a" * 30_000_000 + b" HTTP/1.1\r\nhost: a\r\n\r\n", b"414"),
        (b"GET /livez HTTP/1.1\r\nhost: a\r\nx: " + b"a" * 60_000_000 + b"\r\n\r\n", b"431"),
        (b"GET /livez HTTP/1.1\r\nhost: a\r\n" + b"x: 1\r\n" * 1_000_000 + b"\r\n", b"431"),
    ],
    ids=["url", "header", "headers"],
)
async def test_heads_of_megabytes_are_refused_at_once(at: tuple[str, int], start: bytes, status: bytes) -> None:
    began = time.monotonic()
    heard = await first_line(at, start)
    assert status in heard
    assert time.monotonic() - began < PROBE_SECONDS_MAX


async def test_thousands_of_silent_connections_shut_nobody_out(at: tuple[str, int], world: World) -> None:
    async with silent(at, SILENT) as readers:
        for path in ("/livez", "/readyz"):
            began = time.monotonic()
            assert b"200" in await first_line(at, b"GET %b HTTP/1.1\r\nhost: a\r\n\r\n" % path.encode())
            assert time.monotonic() - began < PROBE_SECONDS_MAX
        org_id = await world.organization("Beside a stranger")
        await world.synced_agent(org_id)
        assert sum(reader.at_eof() for reader in readers) >= SILENT - 2000, "the stranger lost his own"
