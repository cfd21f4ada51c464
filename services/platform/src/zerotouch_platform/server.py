"""uvicorn in the process's own event loop; signals stay with the composition root."""

import contextlib
import socket
from typing import Final

import uvicorn
from starlette.types import ASGIApp

KEEP_ALIVE_SECONDS: Final = 5
STOP_SECONDS_MAX: Final = 2


def bind(host: str, port: int) -> socket.socket:
    """A listening socket, so that a port in use is an ``OSError`` at the start; port 0 takes a free one."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listening = socket.socket(family, socket.SOCK_STREAM)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((host, port))
        listening.listen(128)
    except OSError as error:
        listening.close()
        raise OSError(error.errno, f"cannot listen on {host}:{port}: {error.strerror}") from error
    return listening


class HttpServer:
    """Serves an app on a bound socket. ``connections_max``: above it requests are answered 503."""

    def __init__(
        self,
        app: ASGIApp,
        listening: socket.socket,
        *,
        connections_max: int | None = None,
        header_bytes_max: int | None = None,
        keep_alive_seconds: int = KEEP_ALIVE_SECONDS,
    ) -> None:
        self._listening = listening
        self.port: int = listening.getsockname()[1]
        self._server = uvicorn.Server(
            uvicorn.Config(
                app,
                lifespan="off",
                log_config=None,
                access_log=False,
                server_header=False,
                limit_concurrency=connections_max,
                h11_max_incomplete_event_size=header_bytes_max,
                timeout_keep_alive=keep_alive_seconds,
                timeout_graceful_shutdown=STOP_SECONDS_MAX,
            )
        )
        # It would take SIGTERM for itself and raise it once more after its own end.
        self._server.capture_signals = contextlib.nullcontext  # type: ignore[assignment,method-assign]

    def stop(self) -> None:
        """End :meth:`run_forever` after the requests at hand, within 2 s; what is left then is cancelled."""
        self._server.should_exit = True

    async def run_forever(self) -> None:
        """Serve until :meth:`stop`."""
        await self._server.serve(sockets=[self._listening])
