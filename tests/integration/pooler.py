"""A pooler between a client and PostgreSQL, as small as can be: it hands out a server's session for each transaction.

A client's own connection is made as the client asked for it, with its password, and then belongs to everybody. Real
ones (PgBouncer 1.18 was tried by hand) are no different to whoever looks at their sessions.
"""

import asyncio
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from urllib.parse import urlsplit, urlunsplit

SSL_REQUEST = 80877103
DROPPED = (b"lock_timeout", b"idle_in_transaction_session_timeout", b"statement_timeout")
Stream = tuple[asyncio.StreamReader, asyncio.StreamWriter]


@dataclass(slots=True)
class Pooler:
    """``by_transaction`` False: session mode. ``drops_settings``: PgBouncer's `ignore_startup_parameters`."""

    host: str
    port: int
    by_transaction: bool
    drops_settings: bool
    idle: asyncio.LifoQueue[Stream] = field(default_factory=asyncio.LifoQueue)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One client, until it leaves."""
        with suppress(OSError, EOFError):
            mine = await self._begin(reader, writer)
            if self.by_transaction:
                self.idle.put_nowait(mine)
            while True:
                message = await _message(reader)
                if message[:1] == b"X":
                    break
                server = await self.idle.get() if self.by_transaction else mine
                try:
                    await self._transaction(message, (reader, writer), server)
                finally:
                    if self.by_transaction:
                        self.idle.put_nowait(server)
        writer.close()

    async def _begin(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> Stream:
        startup = await _untyped(reader)
        if struct.unpack_from("!I", startup, 4)[0] == SSL_REQUEST:
            writer.write(b"N")
            startup = await _untyped(reader)
        server = await asyncio.open_connection(self.host, self.port)
        server[1].write(_without(startup) if self.drops_settings else startup)
        while True:
            answer = await _message(server[0])
            writer.write(answer)
            if answer[:1] == b"Z":
                return server
            if answer[:1] == b"R" and struct.unpack_from("!I", answer, 5)[0] in (3, 10, 11):  # it wants to hear more
                server[1].write(await _message(reader))

    async def _transaction(self, first: bytes, client: Stream, server: Stream) -> None:
        server[1].write(first)

        async def to_server() -> None:
            while True:
                server[1].write(await _message(client[0]))

        sending = asyncio.create_task(to_server())
        try:
            while True:
                answer = await _message(server[0])
                client[1].write(answer)
                if answer == b"Z\x00\x00\x00\x05I":
                    return
        finally:
            sending.cancel()
            await asyncio.wait([sending])


def _without(startup: bytes) -> bytes:
    words = startup[8:].split(b"\0")
    pairs = [(name, value) for name, value in zip(words[::2], words[1::2], strict=False) if name]
    kept = b"".join(name + b"\0" + value + b"\0" for name, value in pairs if name not in DROPPED) + b"\0"
    return struct.pack("!I", 8 + len(kept)) + startup[4:8] + kept


async def _message(reader: asyncio.StreamReader) -> bytes:
    return await reader.readexactly(1) + await _untyped(reader)


async def _untyped(reader: asyncio.StreamReader) -> bytes:
    length = await reader.readexactly(4)
    return length + await reader.readexactly(struct.unpack("!I", length)[0] - 4)


@asynccontextmanager
async def pooled(url: str, *, by_transaction: bool, drops_settings: bool) -> AsyncIterator[str]:
    """The same database through a pooler."""
    parts = urlsplit(url)
    assert parts.hostname is not None
    assert parts.port is not None
    pooler = Pooler(parts.hostname, parts.port, by_transaction, drops_settings)
    server = await asyncio.start_server(pooler.serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    try:
        yield urlunsplit(parts._replace(netloc=f"{parts.netloc.rpartition('@')[0]}@127.0.0.1:{port}"))
    finally:
        server.close()
