"""A process of ``tool-sync run`` or ``console``: logs, signals and the event loop around the composition root."""

import asyncio
import signal
from collections.abc import Awaitable, Callable

import structlog
import uvloop

from tool_sync.app import serve, serve_console
from tool_sync.cli.exits import EXIT_REFUSED, EXIT_USAGE
from tool_sync.settings import Settings
from tool_sync.telemetry import SERVICE_NAME
from zerotouch_platform import logs
from zerotouch_platform.postgres.installation import ForeignInstallation
from zerotouch_platform.process import STOP_SECONDS_MAX, allow_open_files, cut_off_later, look_for_garbage_every
from zerotouch_platform.settings import warn_of_misspelt
from zerotouch_platform.supervisor import LoopEnded
from zerotouch_platform.traces import show_traces_at
from zerotouch_platform.worker import Worker

GARBAGE_ALLOCATIONS = 20_000
"""A search frees about as many objects as were allocated: 50,000 at once took 60 to 80 ms. A run leaves no cycles, and
with 1,000 orgs in flight every search walks all of them: hence not fewer."""
EXIT_FAILED = 1

Serving = Callable[[asyncio.Event], Awaitable[None]]
"""Serves until the event is set."""


def run_service(settings: Settings, worker: Worker | None = None) -> int:
    """Run until SIGTERM or SIGINT. The exit status: 0 stopped, 1 had to end, 2 cannot start, 3 another's database."""
    return _run(settings, worker, lambda stopping: serve(settings, stopping, worker=worker))


def run_console(settings: Settings) -> int:
    """Serve the console alone, likewise."""
    return _run(settings, None, lambda stopping: serve_console(settings, stopping))


def _run(settings: Settings, worker: Worker | None, serving: Serving) -> int:
    look_for_garbage_every(GARBAGE_ALLOCATIONS)
    allow_open_files()
    show_traces_at(str(settings.jaeger_ui_url) if settings.jaeger_ui_url else None)
    number = None if worker is None else worker.number
    logs.set_up(SERVICE_NAME, level=settings.log_level, log_file=settings.log_file, worker=number)
    warn_of_misspelt(Settings)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(_until_signalled(serving))


async def _until_signalled(serving: Serving) -> int:
    log = structlog.get_logger(__name__)
    stopping, loop = asyncio.Event(), asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop, stopping)
    try:
        await serving(stopping)
    except ForeignInstallation as error:
        log.error("tool-sync cannot start", reason=str(error))
        return EXIT_REFUSED
    except OSError as error:
        log.error("tool-sync cannot start", reason=str(error))
        return EXIT_USAGE
    except LoopEnded as error:
        log.error("tool-sync ends", reason=str(error), exc_info=error)
        return EXIT_FAILED
    return 0


def stop(stopping: asyncio.Event, *, seconds_max: float = STOP_SECONDS_MAX) -> None:
    """Ask the service to stop. Whatever does not end by itself is cut off."""
    stopping.set()
    cut_off_later("tool-sync did not stop in time and is cut off", seconds_max)
