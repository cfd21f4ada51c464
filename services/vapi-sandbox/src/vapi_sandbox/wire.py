"""The way back to the caller: a plain answer, a dripping one, or a connection that is cut.

Under the sandbox's own server a cut is a real RST or FIN. Mounted in a process over an ASGI transport there is no
connection to cut, so `ConnectionCut` is raised instead and reaches the caller of the HTTP client.
"""

from __future__ import annotations

import asyncio
from email.utils import formatdate
from typing import Any, Literal

from starlette.types import Receive, Scope, Send

from vapi_sandbox.answers import Header, Reply, phrase
from vapi_sandbox.protocol import EXTENSION, Connection


class ConnectionCut(ConnectionResetError):
    """The connection was cut on purpose; raised only where there is no TCP connection underneath."""


class DateHeader:
    """The `Date` of answers, written once a second. Ours, not the server's, so that it is there in a process too."""

    def __init__(self) -> None:
        self._second = -1
        self._header: Header = (b"date", b"")

    def at(self, seconds: float) -> Header:
        """Return the header for a wall clock in seconds."""
        if int(seconds) != self._second:
            self._second = int(seconds)
            self._header = (b"date", formatdate(self._second, usegmt=True).encode())
        return self._header


class Wire:
    """One request's connection. `sent` is the status that went out, `delivered` whether all of it did.

    Delivered means handed to a connection that was open at that moment; nobody but the caller knows whether it read.
    """

    def __init__(self, scope: Scope, receive: Receive, send: Send, date: Header) -> None:
        self._receive = receive
        self._send = send
        self._date = date
        handle: dict[str, Any] = (scope.get("extensions") or {}).get(EXTENSION) or {}
        self._connection: Connection | None = handle.get("connection")
        self.sent: int | None = None
        self.delivered = False

    @property
    def is_gone(self) -> bool:
        """Say whether the caller has left."""
        return self._connection is not None and self._connection.is_gone

    async def answer(self, reply: Reply) -> None:
        """Send the whole answer."""
        delivered = not self.is_gone
        await self._start(reply)
        await self._send({"type": "http.response.body", "body": reply.body})
        self.delivered = delivered

    async def drip(self, reply: Reply, bytes_per_step: int, step_seconds: float) -> None:
        """Send the body a few bytes at a time, until it is out or the caller has left."""
        await self._start(reply)
        for start in range(0, len(reply.body), bytes_per_step):
            if self.is_gone:
                return
            await asyncio.sleep(step_seconds)
            piece = reply.body[start : start + bytes_per_step]
            await self._send({"type": "http.response.body", "body": piece, "more_body": True})
        delivered = not self.is_gone
        await self._send({"type": "http.response.body", "body": b""})
        self.delivered = delivered

    async def hold(self, seconds: float) -> bool:
        """Wait; False as soon as the caller has left."""
        try:
            async with asyncio.timeout(seconds):
                while (await self._receive())["type"] != "http.disconnect":
                    pass
        except TimeoutError:
            return True
        return False

    async def cut(self, reply: Reply | None, after_bytes: int, close: Literal["rst", "fin"]) -> None:
        """Cut the connection after the first bytes of an answer, status line and headers included."""
        if self._connection is None:
            raise ConnectionCut("the sandbox cut the connection")
        if reply is not None and after_bytes > 0:
            self._connection.write(self._rendered(reply)[:after_bytes])
            self.sent = reply.status
        if close == "rst":
            self._connection.reset()
        else:
            self._connection.close()
        # The server complains of a request without an answer unless it has seen the connection go.
        while (await self._receive())["type"] != "http.disconnect":
            pass

    async def _start(self, reply: Reply) -> None:
        self.sent = reply.status
        await self._send({"type": "http.response.start", "status": reply.status, "headers": self._headers(reply)})

    def _headers(self, reply: Reply) -> list[Header]:
        length = (b"content-length", str(len(reply.body)).encode())
        return [(b"content-type", reply.media_type), length, self._date, *reply.headers]

    def _rendered(self, reply: Reply) -> bytes:
        lines = [f"HTTP/1.1 {reply.status} {phrase(reply.status)}".encode()]
        lines += [name + b": " + value for name, value in self._headers(reply)]
        return b"\r\n".join(lines) + b"\r\n\r\n" + reply.body
