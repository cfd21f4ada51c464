"""One connection of the HTTP server, with limits that hold before any of the application's code runs.

    connected ─► waits ─head─► is served ─answered─► waits ─► …
                 │ no whole head in time: 408         │ no whole body in time: 408
                 │ head too large: 431, URL: 414      │ body larger than any route takes: 413
                 │ two readings of where it ends: 400 │
                 └ too many connections: the one that has waited longest, of whoever has most, is closed

    answered, and nobody takes the answer: cut off after a while, and sooner where what nobody takes becomes too much

A connection that waits is nobody's loss: its client connects anew. So a stranger with a thousand silent sockets loses
his own, and a probe of ``/livez`` always gets in.
"""

import asyncio
import contextlib
import fcntl
import struct
import termios
from typing import Any, Final

from uvicorn.config import Config
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.server import ServerState

from zerotouch_platform.connections import Connections

_SENTENCES: Final = {
    400: "the request is not HTTP, or can be read in two ways",
    408: "the request did not arrive in time",
    413: "the body is too large",
    414: "the URL is too long",
    431: "the headers are too large, or too many",
}

_LINGER_SECONDS: Final = 0.5


class LimitedProtocol(HttpToolsProtocol):
    """One connection. What uvicorn has no limit of is limited here, by the methods that its parser calls."""

    def __init__(
        self,
        all_of_them: Connections,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: Any = None,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        self._all, self._limits = all_of_them, all_of_them.limits
        self._deadline: asyncio.TimerHandle | None = None
        self._unread_deadline: asyncio.TimerHandle | None = None
        self._is_in_head, self._is_in_body = True, False
        self._head_bytes = self._body_bytes = 0
        self._refused: int | None = None
        self._is_ending = False
        self.address = ""
        """Of the client, without its port."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """The head is due from now on."""
        super().connection_made(transport)
        self.address = self.client[0] if self.client else ""
        self._due(self._limits.head_seconds)
        self._all.opened(self)

    def connection_lost(self, exc: Exception | None) -> None:
        """Also after an abort of ours."""
        self._all.lost(self)
        self._no_longer_due()
        self._no_longer_unread()
        super().connection_lost(exc)

    def pause_writing(self) -> None:
        """More waits for the client than a moment's worth. uvicorn counts an answer as done when it is written: without
        this it would stay in memory until the client goes, which it need not."""
        super().pause_writing()
        self._look_again(self._unread_bytes())
        self._all.is_unread(self)

    def resume_writing(self) -> None:
        """The client has taken it."""
        self._no_longer_unread()
        super().resume_writing()

    def data_received(self, data: bytes) -> None:
        """Count before and after the parser has seen it: a head without end never completes."""
        if self._is_ending or self.transport.is_closing():
            return
        if self._is_in_head:
            self._head_bytes += len(data)
            if self._deadline is None:
                self._due(self._limits.head_seconds)
        else:
            self._body_bytes += len(data)
        super().data_received(data)
        if self._is_ending or self.transport.is_closing():
            return
        if self._is_in_head and self._head_bytes > self._limits.head_bytes_max:
            self._refuse(431)
        elif self._body_bytes > self._limits.body_bytes_max:
            self._refuse(413)

    def on_url(self, url: bytes) -> None:
        """Raises where it is too long: the parser stops."""
        super().on_url(url)
        if len(self.url) > self._limits.url_bytes_max:
            self._stop_parsing(414)

    def on_header(self, name: bytes, value: bytes) -> None:
        """Also those that follow a body in chunks."""
        super().on_header(name, value)
        if len(self.headers) > self._limits.headers_max:
            self._stop_parsing(431)

    def on_headers_complete(self) -> None:
        """From now on the request is served, and its body is due."""
        if sum(len(name) + len(value) + 4 for name, value in self.headers) > self._limits.head_bytes_max:
            self._stop_parsing(431)
        if len(self.pipeline) >= self._limits.pipelined_max:
            self._stop_parsing(400)
        if self._is_ambiguous():
            self._stop_parsing(400)
        self._is_in_head, self._is_in_body, self._head_bytes, self._body_bytes = False, True, 0, 0
        self._all.is_served(self)
        self._due(self._limits.body_seconds)
        super().on_headers_complete()
        if self.parser.should_upgrade():
            # Nothing is spoken but HTTP, and the parser has left what came behind the head: none of it is a request.
            self.cycle.keep_alive = False

    def on_message_complete(self) -> None:
        """Nothing is due until the next request begins."""
        super().on_message_complete()
        self._is_in_head, self._is_in_body, self._body_bytes = True, False, 0
        self._no_longer_due()

    def on_response_complete(self) -> None:
        """The connection waits, unless its next request is here."""
        super().on_response_complete()
        if self.cycle is None or self.cycle.response_complete:
            self._all.waits(self)

    def _is_ambiguous(self) -> bool:
        """Whether a proxy in front may see another host, or another end of this request: what we read as the next one
        would be a stranger's words in somebody else's connection (RFC 9112, sections 3.2, 6.1 and 11.2).

        Our parser lets four such heads pass: no version (llhttp's issue 877), `Transfer-Encoding` in HTTP/1.0, no host
        or several, and `Upgrade` with a body, which it would read as the next request.
        """
        names = [name for name, _ in self.headers]
        version, hosts = self.parser.get_http_version(), names.count(b"host")
        is_chunked = b"transfer-encoding" in names
        if version not in ("1.0", "1.1") or (version == "1.0" and is_chunked):
            return True
        if hosts > 1 or (version == "1.1" and not hosts):
            return True
        return self.parser.should_upgrade() and (is_chunked or b"content-length" in names)

    def send_400_response(self, msg: str) -> None:
        """What the parser stopped at, in the status that says it."""
        self._refuse(self._refused or 400)

    def _stop_parsing(self, status: int) -> None:
        self._refused = status
        raise _Refused(status)

    def _refuse(self, status: int) -> None:
        """Say why, where no answer has begun, and close a moment later: a close at once is a reset for a client that is
        still sending, and takes the answer with it. Nothing more is read."""
        self._is_ending = True
        self._due(_LINGER_SECONDS)
        self._all.waits(self)
        if self.cycle is None or self.cycle.response_complete or not self.cycle.response_started:
            text = _SENTENCES[status].encode()
            head = f"HTTP/1.1 {status} Refused\r\ncontent-type: text/plain; charset=utf-8\r\nconnection: close\r\n"
            self.transport.write(head.encode() + b"content-length: %d\r\n\r\n" % len(text) + text)
        if self.cycle is not None:
            self.cycle.disconnected = True
            self.cycle.message_event.set()
        self.flow.pause_reading()
        self.transport.write_eof()

    def _look_again(self, unread_bytes: int) -> None:
        self._unread_deadline = self.loop.call_later(self._limits.unread_seconds, self._still_unread, unread_bytes)

    def _still_unread(self, before: int) -> None:
        now = self._unread_bytes()
        if before - now < self._limits.unread_bytes_min:
            self.transport.abort()
        else:
            self._look_again(now)

    def _unread_bytes(self) -> int:
        """What our memory and the kernel's have for the client. The kernel takes the next megabyte only when it has got
        rid of one: by our memory alone, a slow client would be one that does not read."""
        kernel = b""
        with contextlib.suppress(OSError):  # where the kernel does not say
            kernel = fcntl.ioctl(self.transport.get_extra_info("socket").fileno(), termios.TIOCOUTQ, bytes(4))
        return self.transport.get_write_buffer_size() + (struct.unpack("i", kernel)[0] if kernel else 0)

    def _no_longer_unread(self) -> None:
        self._all.is_read(self)
        if self._unread_deadline is not None:
            self._unread_deadline.cancel()
            self._unread_deadline = None

    def _due(self, seconds: float) -> None:
        self._no_longer_due()
        self._deadline = self.loop.call_later(seconds, self._late)

    def _no_longer_due(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _late(self) -> None:
        self._deadline = None
        if self.transport.is_closing():
            return
        if self._is_ending:
            self.transport.close()
            return
        if self._is_in_body and self.flow.read_paused:  # it is the application that has not read on
            self._due(self._limits.body_seconds)
            return
        if self._is_in_head and not self._head_bytes:
            self.transport.close()  # nobody has asked for anything
            return
        self._refuse(408)


class _Refused(Exception):
    """Ends the parser's work on a connection."""
