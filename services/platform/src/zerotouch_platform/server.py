"""uvicorn in the process's own event loop; signals stay with the composition root."""

import asyncio
import contextlib
import json
import socket
from collections import deque
from collections.abc import Callable
from functools import partial
from typing import Final

import uvicorn
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from zerotouch_contracts.errors import ErrorCode
from zerotouch_platform.connections import ConnectionLimits, Connections
from zerotouch_platform.limited_protocol import LimitedProtocol
from zerotouch_platform.loops import pause
from zerotouch_platform.problems import MEDIA_TYPE, problem_document
from zerotouch_platform.worker import Worker

KEEP_ALIVE_SECONDS: Final = 5
STOP_SECONDS_MAX: Final = 2
DRAIN_SECONDS: Final = 0.3
SEND_BUFFER_BYTES: Final = 256 * 1024
"""What the kernel keeps for a client that does not read; by itself it would keep 4 MB for each connection."""
BEGUN_AT_ONCE: Final = 20
"""Requests that begin in one turn of the loop: a hundred that came together took up to 0.1 s until the next turn."""
_BUSY: Final = Response(
    json.dumps(
        problem_document(503, ErrorCode.NOT_READY, "too many requests are being answered; try again in a second")
    ),
    503,
    {"Retry-After": "1"},
    MEDIA_TYPE,
)


def bind(host: str, port: int) -> socket.socket:
    """A listening socket, so that a port in use is an ``OSError`` at the start; port 0 takes a free one."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listening = socket.socket(family, socket.SOCK_STREAM)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER_BYTES)  # connections inherit it
    try:
        listening.bind((host, port))
        listening.listen(128)
    except OSError as error:
        listening.close()
        raise OSError(error.errno, f"cannot listen on {host}:{port}: {error.strerror}") from error
    return listening


def listening_socket(worker: Worker | None, host: str, port: int) -> socket.socket:
    """The socket of the public port: the one that the supervisor holds, or one of our own. Raises ``OSError``.

    One inherited socket, not one for each worker by SO_REUSEPORT: there every socket has a queue of its own, and with a
    worker end the connections that wait in its queue. In the shared queue they wait for the next worker.
    """
    return bind(host, port) if worker is None else socket.socket(fileno=worker.listening)


class Beginnings:
    """Requests that came together begin in several turns of the loop, in their order, so that others have a turn."""

    def __init__(self) -> None:
        self._begun = 0
        self._waiting: deque[asyncio.Future[None]] = deque()

    async def turn(self) -> None:
        """Return when it is this request's turn: at once while fewer than :data:`BEGUN_AT_ONCE` have begun in it."""
        if self._begun == 0:
            asyncio.get_running_loop().call_soon(self._next_turn)
        self._begun += 1
        if self._begun > BEGUN_AT_ONCE:
            self._waiting.append(asyncio.get_running_loop().create_future())
            await self._waiting[-1]

    def _next_turn(self) -> None:
        first = [self._waiting.popleft() for _ in range(min(BEGUN_AT_ONCE, len(self._waiting)))]
        for one in first:
            if not one.done():  # cancelled meanwhile
                one.set_result(None)
        self._begun = len(first) + len(self._waiting)
        if self._begun:
            asyncio.get_running_loop().call_soon(self._next_turn)


class HttpServer:
    """Serves an app on a bound socket, within ``limits``; what is more at a time is answered 503.

    ``opens_after_seconds``: it accepts nothing before :meth:`open`, at the latest for so long. ``warm_up`` is run in a
    thread before it accepts anything.
    """

    def __init__(
        self,
        app: ASGIApp,
        listening: socket.socket,
        *,
        limits: ConnectionLimits | None = None,
        keep_alive_seconds: int = KEEP_ALIVE_SECONDS,
        opens_after_seconds: float = 0.0,
        warm_up: Callable[[], object] | None = None,
    ) -> None:
        self._warm_up = warm_up
        self._opens_after_seconds, self._opened = opens_after_seconds, asyncio.Event()
        self._app, self._listening, self._draining = app, listening, False
        self.port: int = listening.getsockname()[1]
        self._connections = Connections(limits or ConnectionLimits())
        self._beginnings = Beginnings()
        self._server = uvicorn.Server(
            uvicorn.Config(
                self._serve,
                interface="asgi3",  # it does not recognize a method
                lifespan="off",
                log_config=None,
                access_log=False,
                server_header=False,
                proxy_headers=False,  # it believes any X-Forwarded-For from loopback; TRUSTED_PROXIES says whose
                http=partial(LimitedProtocol, self._connections),  # type: ignore[arg-type] # it only calls it
                ws="none",
                timeout_keep_alive=keep_alive_seconds,
                timeout_graceful_shutdown=STOP_SECONDS_MAX,
            )
        )
        # It would take SIGTERM for itself and raise it once more after its own end.
        self._server.capture_signals = contextlib.nullcontext  # type: ignore[assignment,method-assign]

    def open(self) -> None:
        """Accept connections from now on."""
        self._opened.set()

    def stop(self) -> None:
        """End :meth:`run_forever` after the requests at hand, within 2 s; what is left then is cancelled."""
        self._server.should_exit = True
        self._opened.set()

    async def drain(self) -> None:
        """Accept no connection any more; return after 0.3 s, in which every answer says that its connection ends.

        What was accepted just now is answered: uvicorn, when it is stopped, closes a connection whose request it has
        not read yet, and the client reads that as a reset. Who comes later is refused, or served by another process
        that has the same socket.
        """
        self._draining = True
        for server in self._server.servers if self._server.started else ():
            server.close()
        await asyncio.sleep(DRAIN_SECONDS)

    async def run_forever(self) -> None:
        """Serve until :meth:`stop`."""
        if self._warm_up is not None:  # the loop goes on to its databases meanwhile
            await asyncio.to_thread(self._warm_up)
        if self._opens_after_seconds:
            await pause(self._opened, self._opens_after_seconds)
        if self._server.should_exit:
            return
        await self._server.serve(sockets=[self._listening])

    async def _serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def say(message: Message) -> None:
            if self._draining and message["type"] == "http.response.start":
                message["headers"] = [*message["headers"], (b"connection", b"close")]
            await send(message)

        if scope["path"] not in self._connections.limits.always_served:
            await self._beginnings.turn()
        if not self._connections.admits(scope["path"]):
            await _BUSY(scope, receive, say)
            return
        with self._connections.serving():
            await self._app(scope, receive, say)
