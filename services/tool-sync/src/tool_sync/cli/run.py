"""One process of ``tool-sync run``: logs, signals and the event loop around the composition root."""

import asyncio
import signal

import structlog
import uvloop

from tool_sync.app import serve
from tool_sync.cli.options import EXIT_REFUSED, EXIT_USAGE
from tool_sync.settings import Settings
from tool_sync.telemetry import SERVICE_NAME
from zerotouch_platform import logs
from zerotouch_platform.postgres.installation import ForeignInstallation
from zerotouch_platform.process import STOP_SECONDS_MAX, cut_off_later, look_for_garbage_every
from zerotouch_platform.supervisor import LoopEnded
from zerotouch_platform.traces import show_traces_at
from zerotouch_platform.worker import Worker

GARBAGE_ALLOCATIONS = 20_000
"""A search frees about as many objects as were allocated: 50,000 at once took 60 to 80 ms. A run leaves no cycles, and
with 1,000 orgs in flight every search walks all of them: hence not fewer."""
EXIT_FAILED = 1


def run_service(settings: Settings, worker: Worker | None = None) -> int:
    """Run until SIGTERM or SIGINT. The exit status: 0 stopped, 1 had to end, 2 cannot start, 3 another's database."""
    look_for_garbage_every(GARBAGE_ALLOCATIONS)
    show_traces_at(str(settings.jaeger_ui_url) if settings.jaeger_ui_url else None)
    number = None if worker is None else worker.number
    logs.set_up(SERVICE_NAME, level=settings.log_level, log_file=settings.log_file, worker=number)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(_until_signalled(settings, worker))


async def _until_signalled(settings: Settings, worker: Worker | None) -> int:
    log = structlog.get_logger(__name__)
    stopping, loop = asyncio.Event(), asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop, stopping)
    try:
        await serve(settings, stopping, worker=worker)
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
