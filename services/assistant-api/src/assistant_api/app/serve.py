"""The process: uvicorn and the loops on one uvloop, until SIGTERM or SIGINT."""

import asyncio
import gc
import signal
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from types import FrameType
from typing import Final

import structlog
import uvicorn
import uvloop
from fastapi import FastAPI

from assistant_api.app.application import create_app
from assistant_api.app.service import Service
from assistant_api.db import describe
from assistant_api.installation import ForeignDatabase
from assistant_api.settings import Settings
from assistant_api.telemetry import SERVICE_NAME
from zerotouch_platform import logs
from zerotouch_platform.process import cut_off_later, look_for_garbage_every
from zerotouch_platform.traces import show_traces_at

EXIT_LOOPS_FAILED: Final = 1
EXIT_FOREIGN_DATABASE: Final = 3
GRACEFUL_SECONDS: Final = 2
GARBAGE_ALLOCATIONS: Final = 10_000
"""More at a time took 100 ms and longer after failures, whose tracebacks are cycles."""

_log: Final = structlog.get_logger()


def serve(settings: Settings) -> int:
    """Run until a signal; the exit status. A loop that dies takes the process with it, so that it is restarted."""
    show_traces_at(str(settings.jaeger_ui_url) if settings.jaeger_ui_url else None)
    logs.set_up(SERVICE_NAME, level=settings.log_level, log_file=settings.log_file)
    # uvicorn handles signals itself, and when it is done raises them again for whoever was there before: for nobody.
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, _already_handled)
    look_for_garbage_every(GARBAGE_ALLOCATIONS)
    return uvloop.run(_serve(settings))


class _Server(uvicorn.Server):
    def __init__(self, config: uvicorn.Config, on_exit: Callable[[], object]) -> None:
        super().__init__(config)
        self._on_exit = on_exit

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        cut_off_later("cut_off")
        self._on_exit()
        super().handle_exit(sig, frame)


async def _serve(settings: Settings) -> int:
    service = Service(settings)
    status = 0

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        async with service.running() as loops:
            loops.add_done_callback(_loops_ended)
            yield
            loops.remove_done_callback(_loops_ended)

    loop = asyncio.get_running_loop()
    server = _Server(
        uvicorn.Config(
            create_app(service.parts, lifespan=lifespan),
            host=settings.host,
            port=settings.port,
            access_log=False,
            log_config=None,
            lifespan="on",
            timeout_graceful_shutdown=GRACEFUL_SECONDS,
            timeout_keep_alive=75,
            server_header=False,
        ),
        # At the signal, not when uvicorn has waited for requests: it cuts them off, and a save that is stored would
        # be answered with an error.
        on_exit=lambda: loop.call_soon_threadsafe(service.provisioner.end_waits),
    )

    def _loops_ended(loops: "asyncio.Task[None]") -> None:
        nonlocal status
        error = None if loops.cancelled() else loops.exception()
        if isinstance(error, ForeignDatabase):
            _log.error("foreign_database", reason=str(error))
            status = EXIT_FOREIGN_DATABASE
        else:
            _log.error("loops_ended", reason="they should not" if error is None else describe(error), exc_info=error)
            status = EXIT_LOOPS_FAILED
        server.should_exit = True

    gc.freeze()  # the application, too, is here to stay
    _log.info("starting", host=settings.host, port=settings.port)
    await server.serve()
    _log.info("stopped")
    return status if server.started else status or EXIT_LOOPS_FAILED


def _already_handled(number: int, frame: object) -> None:
    return
