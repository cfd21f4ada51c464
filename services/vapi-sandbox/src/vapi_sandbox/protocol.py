"""The one thing ASGI cannot do: cut the caller's TCP connection.

uvicorn takes its HTTP protocol class as an argument. This one puts a handle on the connection into each request's
scope, under `extensions`, as the ASGI specification provides for what servers can do beyond it.
"""

from __future__ import annotations

import asyncio
import socket
import struct
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

EXTENSION = "vapi_sandbox.connection"
_NO_LINGER = struct.pack("ii", 1, 0)


class Connection:
    """A caller's TCP connection."""

    __slots__ = ("_transport",)

    def __init__(self, transport: asyncio.Transport) -> None:
        self._transport = transport

    @property
    def is_gone(self) -> bool:
        """Say whether either side has closed it."""
        return self._transport.is_closing()

    def write(self, data: bytes) -> None:
        """Send bytes past the server's own HTTP writer; nothing but a cut may follow."""
        self._transport.write(data)

    def reset(self) -> None:
        """Send RST: the socket is closed with a linger time of zero, and what was not sent yet is dropped."""
        sock = self._transport.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _NO_LINGER)
        self._transport.abort()

    def close(self) -> None:
        """Send FIN once everything written has gone out."""
        self._transport.close()


class CuttableProtocol(HttpToolsProtocol):
    """uvicorn's protocol, with the connection in each scope."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Keep the handle; one per connection, shared by the requests on it."""
        super().connection_made(transport)
        self._extensions: dict[str, Any] = {EXTENSION: {"connection": Connection(transport)}}

    def on_message_begin(self) -> None:
        """Put the handle into the scope that the parser has just begun."""
        super().on_message_begin()
        self.scope["extensions"] = self._extensions
