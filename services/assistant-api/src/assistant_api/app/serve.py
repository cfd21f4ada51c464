"""The process: HTTP and the loops on one uvloop, until SIGTERM or SIGINT."""

import asyncio
import gc
import signal
from functools import partial
from typing import Final

import structlog
import uvloop

from assistant_api.app.application import create_app
from assistant_api.app.composition import UNLIMITED
from assistant_api.app.service import Service
from assistant_api.settings import Settings
from assistant_api.telemetry import SERVICE_NAME
from zerotouch_platform import logs
from zerotouch_platform.connections import ConnectionLimits
from zerotouch_platform.loops import in_one_line
from zerotouch_platform.postgres.installation import ForeignInstallation
from zerotouch_platform.process import allow_open_files, cut_off_later, look_for_garbage_every
from zerotouch_platform.server import HttpServer, listening_socket
from zerotouch_platform.settings import warn_of_misspelt
from zerotouch_platform.siblings import Siblings
from zerotouch_platform.supervisor import LoopEnded, Loops
from zerotouch_platform.traces import show_traces_at
from zerotouch_platform.warm_up import warm_up
from zerotouch_platform.worker import Worker

EXIT_LOOPS_FAILED: Final = 1
EXIT_FOREIGN_DATABASE: Final = 3
KEEP_ALIVE_SECONDS: Final = 75
STOP_HTTP_SECONDS: Final = 3.0
GARBAGE_ALLOCATIONS: Final = 10_000
"""More at a time took 100 ms and longer after failures, whose tracebacks are cycles."""

_log: Final = structlog.get_logger()


def serve(settings: Settings, worker: Worker | None = None) -> int:
    """Run until a signal; the exit status. A loop that dies takes the process with it, so that it is restarted."""
    show_traces_at(str(settings.jaeger_ui_url) if settings.jaeger_ui_url else None)
    number = None if worker is None else worker.number
    logs.set_up(SERVICE_NAME, level=settings.log_level, log_file=settings.log_file, worker=number)
    warn_of_misspelt(Settings)
    look_for_garbage_every(GARBAGE_ALLOCATIONS)
    allow_open_files()
    return uvloop.run(_serve(settings, worker))


async def _serve(settings: Settings, worker: Worker | None) -> int:
    stopping, loop = asyncio.Event(), asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, _stop, stopping)
    service, loops = Service(settings, worker=worker), Loops()
    try:
        listening = listening_socket(worker, settings.host, settings.port)
    except OSError as error:
        _log.error("cannot_start", reason=str(error))
        return EXIT_LOOPS_FAILED
    siblings = Siblings(worker, service.health, service.meters)
    siblings.gauges = service.metrics
    app = create_app(service.parts)
    app.add_route("/workers", siblings.page, include_in_schema=False)
    app.add_route("/metrics", siblings.metrics, include_in_schema=False)
    server = HttpServer(
        app,
        listening,
        limits=ConnectionLimits(settings.http_connections_max, settings.http_requests_max, always_served=UNLIMITED),
        keep_alive_seconds=KEEP_ALIVE_SECONDS,
        opens_after_seconds=0.0 if worker is None else worker.opens_after_seconds,
        warm_up=partial(warm_up, app),
    )

    def open_port() -> None:
        server.open()
        if worker is not None:
            worker.works()

    service.on_works = open_port
    gc.freeze()  # the application, too, is here to stay
    _log.info("starting", host=settings.host, port=settings.port)
    loops.start("http", server)
    loops.start("siblings", siblings)
    async with service.running() as work:
        work.add_done_callback(lambda _: stopping.set())
        status = await _until_stopped(loops, work, stopping)
        # Not when requests have been waited for: what waits then is cut off, and a save that is stored would be
        # answered with an error.
        service.provisioner.end_waits()
        await server.drain()
        await loops.stop("http", "siblings", seconds_max=STOP_HTTP_SECONDS)
    _log.info("stopped")
    return status


def _stop(stopping: asyncio.Event) -> None:
    cut_off_later("cut_off")
    stopping.set()


async def _until_stopped(loops: Loops, work: "asyncio.Task[None]", stopping: asyncio.Event) -> int:
    """Return when the process has to stop: the exit status."""
    error: BaseException | None = None
    try:
        await loops.until_ended(stopping)
        if not work.done():
            return 0
        error = None if work.cancelled() else work.exception()
    except LoopEnded as ended:
        error = ended
    if isinstance(error, ForeignInstallation):
        _log.error("foreign_database", reason=str(error))
        return EXIT_FOREIGN_DATABASE
    _log.error("loops_ended", reason="a loop ended by itself" if error is None else in_one_line(error), exc_info=error)
    return EXIT_LOOPS_FAILED
