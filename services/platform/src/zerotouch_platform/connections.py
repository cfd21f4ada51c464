"""The connections of an HTTP server: how many there are, whose, and which of them has to go (`limited_protocol`)."""

import asyncio
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final, Protocol

import structlog

_log: Final = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class ConnectionLimits:
    """What one client may hold, and for how long. ``connections_max``: above it, connections that wait are closed.

    ``requests_max``: more requests at a time are answered 503, but for those of ``always_served``. The application's
    own limit of a body is smaller: ``body_bytes_max`` is for what nobody reads.
    """

    connections_max: int = 500
    requests_max: int = 400
    head_seconds: float = 10.0
    body_seconds: float = 20.0
    head_bytes_max: int = 16 * 1024
    url_bytes_max: int = 8 * 1024
    headers_max: int = 100
    body_bytes_max: int = 16 * 1024 * 1024
    pipelined_max: int = 16
    unread_seconds: float = 10.0
    """In which a client must take ``unread_bytes_min`` of an answer that waits for it."""
    unread_bytes_min: int = 64 * 1024
    unread_bytes_max: int = 32 * 1024 * 1024
    """Of answers in our memory, of all clients. Beyond it those are cut off that have waited longest."""
    always_served: frozenset[str] = frozenset({"/livez", "/readyz"})


class ClientConnection(Protocol):
    """What is known here of one connection (`limited_protocol`): whose it is, and how it is cut off."""

    address: str
    transport: asyncio.Transport


class Connections:
    """Every connection of one server."""

    def __init__(self, limits: ConnectionLimits) -> None:
        self.limits = limits
        self._waiting: dict[ClientConnection, None] = {}
        """In the order in which they began to wait."""
        self._open: set[ClientConnection] = set()
        self._by_address: Counter[str] = Counter()
        self._unread: dict[ClientConnection, None] = {}
        """In the order in which their answers began to wait."""
        self._served = 0
        self._is_short = self._is_unread_much = False

    def opened(self, one: ClientConnection) -> None:
        """A client has connected; where there are too many, one that waits goes."""
        self._open.add(one)
        self._waiting[one] = None
        self._by_address[one.address] += 1
        while len(self._open) > self.limits.connections_max and (longest := self._superfluous()) is not None:
            self.lost(longest)
            longest.transport.abort()  # a close would wait for whoever does not read
            if not self._is_short:  # once, not for each of a thousand
                _log.warning("connections_short", connections_max=self.limits.connections_max)
            self._is_short = True

    def waits(self, one: ClientConnection) -> None:
        """Its last request is answered."""
        if one in self._open:
            self._waiting[one] = None

    def is_served(self, one: ClientConnection) -> None:
        """The head of a request has arrived."""
        self._waiting.pop(one, None)

    def lost(self, one: ClientConnection) -> None:
        """It is closed; twice is once."""
        if one in self._open:
            self._open.remove(one)
            self._waiting.pop(one, None)
            self._unread.pop(one, None)
            self._by_address[one.address] -= 1
            if not self._by_address[one.address]:
                del self._by_address[one.address]
            self._is_short = self._is_short and len(self._open) > self.limits.connections_max / 2

    def is_unread(self, one: ClientConnection) -> None:
        """Its client does not take what is written."""
        self._unread[one] = None
        size = sum(each.transport.get_write_buffer_size() for each in self._unread)
        self._is_unread_much = self._is_unread_much and size > self.limits.unread_bytes_max / 2
        while size > self.limits.unread_bytes_max and len(self._unread) > 1:
            longest = next(iter(self._unread))
            size -= longest.transport.get_write_buffer_size()
            self.lost(longest)
            longest.transport.abort()
            if not self._is_unread_much:  # once, as above
                _log.warning("answers_unread", unread_bytes_max=self.limits.unread_bytes_max)
            self._is_unread_much = True

    def is_read(self, one: ClientConnection) -> None:
        """It has been taken."""
        self._unread.pop(one, None)

    def admits(self, path: str) -> bool:
        """Whether one more request may be answered now."""
        return self._served < self.limits.requests_max or path in self.limits.always_served

    @contextmanager
    def serving(self) -> Iterator[None]:
        """While a request is being answered."""
        self._served += 1
        try:
            yield
        finally:
            self._served -= 1

    def _superfluous(self) -> ClientConnection | None:
        """Of the address with most connections, the one that has waited longest; else whoever has."""
        if not self._waiting:
            return None
        most = max(self._by_address.values())
        greedy = (one for one in self._waiting if self._by_address[one.address] == most)
        return next(greedy, next(iter(self._waiting)))
