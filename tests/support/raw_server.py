"""Answers over a real socket, byte by byte as a test wants them."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

Said = list[bytes]


@asynccontextmanager
async def server(*answers: bytes, hold: bool = False) -> AsyncIterator[tuple[str, Said]]:
    """Answers each request with the next of ``answers`` and then closes, unless ``hold``; with what it was asked."""
    said: Said = []
    left = list(answers)

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                length = next((int(x[15:]) for x in head.lower().split(b"\r\n") if x.startswith(b"content-length:")), 0)
                said.append(head + await reader.readexactly(length))
                if not left:
                    break
                writer.write(left.pop(0))
                await writer.drain()
                if not (hold or left):
                    break
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    listening = await asyncio.start_server(serve, "127.0.0.1")
    try:
        yield f"http://127.0.0.1:{listening.sockets[0].getsockname()[1]}", said
    finally:
        listening.close()


def ok(body: bytes, *headers: str, status: str = "200 OK") -> bytes:
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", *headers]
    return "\r\n".join((*lines, "", "")).encode() + body
