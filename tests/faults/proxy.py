"""A TCP proxy between a client and a server: the network, where it misbehaves.

    async with Proxy("postgres", to_port) as proxy:     # proxy.port is what clients connect to
        proxy.mode = Delay(0.5)                         # from now on, for open connections too
        proxy.reset()                                   # cuts every connection with RST

What a black hole swallows is gone: such a connection is reset when the mode ends, as a peer would do that has lost the
thread. So nothing that was sent into it arrives later than its sender could know.
"""

import asyncio
import socket
import struct
from collections.abc import Callable
from dataclasses import dataclass
from types import TracebackType
from typing import Literal, Self, TypeAlias

HOST = "127.0.0.1"
CHUNK_BYTES = 65_536
_RST_ON_CLOSE = struct.pack("ii", 1, 0)


@dataclass(frozen=True, slots=True)
class Pass:
    """Nothing is wrong."""


@dataclass(frozen=True, slots=True)
class Delay:
    """Everything takes this much longer, each way."""

    seconds: float


@dataclass(frozen=True, slots=True)
class BlackHole:
    """Connections stay open and new ones are accepted, but what is sent is lost; `answers` only: requests arrive."""

    answers: bool = False


@dataclass(frozen=True, slots=True)
class Refuse:
    """New connections are reset at once; open ones work on."""


@dataclass(frozen=True, slots=True)
class CutAfter:
    """Each connection is cut once this many bytes of answers have gone through, counted from now on."""

    answer_bytes: int
    close: Literal["rst", "fin"] = "rst"


Mode: TypeAlias = Pass | Delay | BlackHole | Refuse | CutAfter


class Proxy:
    """Listens on a port of this machine and passes on to another. `mode` may be set at any time."""

    def __init__(self, name: str, to_port: int, port: int = 0) -> None:
        self.name, self.to_port, self.port = name, to_port, port
        self._mode: Mode = Pass()
        self._links: set[_Link] = set()
        self._server: asyncio.Server | None = None
        self.cut_connections = 0

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._connected, HOST, self.port, limit=CHUNK_BYTES)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        assert self._server is not None
        self._server.close()
        self.reset()

    @property
    def mode(self) -> Mode:
        """What happens to the traffic now."""
        return self._mode

    @mode.setter
    def mode(self, mode: Mode) -> None:
        self._mode = mode
        for link in tuple(self._links):
            link.answer_bytes = 0
            if link.lost_bytes and not isinstance(mode, BlackHole):
                self._cut(link, "rst")

    @property
    def connections(self) -> int:
        """How many connections are open."""
        return len(self._links)

    def reset(self, chosen: Callable[[int], bool] = lambda _: True) -> int:
        """Cuts with RST the connections whose outgoing port is chosen; returns how many."""
        links = [link for link in tuple(self._links) if chosen(link.local_port)]
        for link in links:
            self._cut(link, "rst")
        return len(links)

    def owns(self, local_port: int) -> bool:
        """Says whether the server knows one of our connections by this port."""
        return any(link.local_port == local_port for link in self._links)

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if isinstance(self._mode, Refuse):
            self.cut_connections += 1
            _close(writer, "rst")
            return
        try:
            there, back = await asyncio.open_connection(HOST, self.to_port, limit=CHUNK_BYTES)
        except OSError:
            _close(writer, "rst")
            return
        link = _Link(writer, back)
        self._links.add(link)
        try:
            # Either side may vanish at any time; that ends the other one, and is no error of the proxy's.
            await asyncio.gather(
                self._copy(link, reader, back, answers=False),
                self._copy(link, there, writer, answers=True),
                return_exceptions=True,
            )
        finally:
            self._links.discard(link)
            _close(writer, link.close)
            _close(back, link.close)

    async def _copy(
        self, link: "_Link", reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, answers: bool
    ) -> None:
        try:
            while chunk := await reader.read(CHUNK_BYTES):
                if isinstance(self._mode, Delay):
                    await asyncio.sleep(self._mode.seconds)
                if not await self._passed(link, chunk, writer, answers=answers):
                    return
            if writer.can_write_eof():
                writer.write_eof()
        except OSError:
            self._cut(link, "rst", counted=False)

    async def _passed(self, link: "_Link", chunk: bytes, writer: asyncio.StreamWriter, *, answers: bool) -> bool:
        match self._mode:
            case BlackHole(answers=only) if answers or not only:
                link.lost_bytes += len(chunk)
                return True
            case CutAfter(most, close) if answers:
                link.answer_bytes += len(chunk)
                if (surplus := link.answer_bytes - most) >= 0:
                    writer.write(chunk[: max(0, len(chunk) - surplus)])
                    await writer.drain()
                    self._cut(link, close)
                    return False
            case _:
                pass
        writer.write(chunk)
        await writer.drain()
        return True

    def _cut(self, link: "_Link", how: Literal["rst", "fin"], *, counted: bool = True) -> None:
        self.cut_connections += counted
        link.close = how
        self._links.discard(link)
        for writer in (link.client, link.server):
            _close(writer, how)


class _Link:
    """One connection; `local_port` is the one that the server sees."""

    def __init__(self, client: asyncio.StreamWriter, server: asyncio.StreamWriter) -> None:
        self.client, self.server = client, server
        self.local_port: int = server.get_extra_info("sockname")[1]
        self.answer_bytes = 0
        self.lost_bytes = 0
        self.close: Literal["rst", "fin"] = "fin"


def _close(writer: asyncio.StreamWriter, how: Literal["rst", "fin"]) -> None:
    if writer.is_closing():
        return
    if how == "rst":
        found = writer.get_extra_info("socket")
        if found is not None:
            found.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RST_ON_CLOSE)
        writer.transport.abort()
    else:
        writer.close()
