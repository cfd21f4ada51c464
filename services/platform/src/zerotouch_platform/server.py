"""uvicorn in the process's own event loop; signals stay with the composition root."""

import asyncio
import contextlib
import json
import socket
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


class HttpServer:
    """Serves an app on a bound socket, within ``limits``; what is more at a time is answered 503.

    ``opens_after_seconds``: it accepts nothing before :meth:`open`, at the latest for so long.
    """

    def __init__(
        self,
        app: ASGIApp,
        listening: socket.socket,
        *,
        limits: ConnectionLimits | None = None,
        keep_alive_seconds: int = KEEP_ALIVE_SECONDS,
        opens_after_seconds: float = 0.0,
    ) -> None:
        self._opens_after_seconds, self._opened = opens_after_seconds, asyncio.Event()
        self._app, self._listening, self._draining = app, listening, False
        self.port: int = listening.getsockname()[1]
        self._connections = Connections(limits or ConnectionLimits())
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

        if not self._connections.admits(scope["path"]):
            await _BUSY(scope, receive, say)
            return
        with self._connections.serving():
            await self._app(scope, receive, say)
