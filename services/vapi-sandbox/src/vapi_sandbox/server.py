"""Serving the sandbox over TCP: alone in its process, or beside other tasks in a test's event loop."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager

import uvicorn
from starlette.types import ASGIApp

from vapi_sandbox.protocol import CuttableProtocol

BACKLOG = 2048
# Longer than any client keeps an idle connection: a server that closes first makes a request ambiguous by accident.
KEEP_ALIVE_SECONDS = 120
SHUTDOWN_SECONDS = 1


class _Embedded(uvicorn.Server):
    """A server that leaves the process's signals alone."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Capture nothing."""
        yield


def listen(host: str, port: int) -> tuple[socket.socket, str]:
    """Open a listening socket (port 0: any free one) and return it with its base URL. It accepts at once."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # The protocol is named because asyncio sends without Nagle's delay only on sockets that say they are TCP: answers
    # on a connection that is kept would take 40 ms each.
    sock = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        sock.bind((host, port))
        sock.listen(BACKLOG)
    except OSError:
        sock.close()
        raise
    shown = f"[{host}]" if family == socket.AF_INET6 else host
    return sock, f"http://{shown}:{sock.getsockname()[1]}"


def config(app: ASGIApp) -> uvicorn.Config:
    """Return the server's settings: cuttable connections, no access log, no headers of the server's own."""
    return uvicorn.Config(
        app,
        http=CuttableProtocol,
        ws="none",
        lifespan="off",
        access_log=False,
        log_level="warning",
        date_header=False,
        server_header=False,
        backlog=BACKLOG,
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=SHUTDOWN_SECONDS,
    )


@asynccontextmanager
async def serving(app: ASGIApp, host: str = "127.0.0.1", port: int = 0) -> AsyncIterator[str]:
    """Serve an app over TCP in the running event loop; yields its base URL and stops the server at the end."""
    sock, base_url = listen(host, port)
    server = _Embedded(config(app))
    task = asyncio.create_task(server.serve(sockets=[sock]))
    try:
        yield base_url
    finally:
        server.should_exit = True
        await task
        sock.close()
