"""An OpenTelemetry collector that reads spans and forgets them, so that both sides export theirs for real.

POST /v1/traces    200, an empty answer; anything else is 404
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from devstack.ports import HOST

_ACCEPTED = b"HTTP/1.1 200 OK\r\nContent-Type: application/x-protobuf\r\nContent-Length: 0\r\n\r\n"
_REFUSED = b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"


class SpanSink:
    """Fields: ``url`` (an OTLP endpoint), ``bytes_received`` and ``exports`` since the start."""

    def __init__(self) -> None:
        self.url = ""
        self.bytes_received = 0
        self.exports = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection of an exporter, any number of exports."""
        try:
            while head := await _head(reader):
                request, length = head
                self.bytes_received += len(await reader.readexactly(length))
                if not request.startswith(b"POST /v1/traces "):
                    writer.write(_REFUSED)
                    return
                self.exports += 1
                writer.write(_ACCEPTED)
        except (asyncio.IncompleteReadError, ConnectionError):
            return  # the exporter left in the middle: its process was stopped
        finally:
            writer.close()


@asynccontextmanager
async def collecting() -> AsyncIterator[SpanSink]:
    """Lends a collector on a free port."""
    sink = SpanSink()
    async with await asyncio.start_server(sink.serve, HOST, 0, limit=2**24) as server:
        sink.url = f"http://{HOST}:{server.sockets[0].getsockname()[1]}"
        yield sink


async def _head(reader: asyncio.StreamReader) -> tuple[bytes, int] | None:
    """Request line and length of the body; None where the exporter closed the connection between two requests."""
    try:
        head = await reader.readuntil(b"\r\n\r\n")
    except asyncio.IncompleteReadError as error:
        if error.partial:
            raise
        return None
    request, *headers = head.split(b"\r\n")
    lengths = [line.partition(b":")[2] for line in headers if line.lower().startswith(b"content-length:")]
    return request, int(lengths[0]) if lengths else 0
