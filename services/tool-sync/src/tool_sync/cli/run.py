"""``tool-sync run``: settings, logs, signals and the event loop around the composition root."""

import asyncio
import gc
import os
import signal
import sys
import threading

import structlog
import uvloop

from tool_sync.app import serve
from tool_sync.db import ForeignInstallation
from tool_sync.settings import Settings, SettingsInvalid, load
from tool_sync.telemetry import SERVICE_NAME
from zerotouch_platform import logs
from zerotouch_platform.supervisor import LoopEnded
from zerotouch_platform.traces import show_traces_at

EXIT_SETTINGS = 2
GARBAGE_ALLOCATIONS = 20_000
"""A search frees about as many objects as were allocated: 50,000 at once took 60 to 80 ms."""
EXIT_FAILED = 1
STOP_SECONDS_MAX = 4.5


def run_service() -> int:
    """Run until SIGTERM or SIGINT. The exit status: 0 stopped, 2 wrong settings, 1 could not start or had to end."""
    try:
        settings = load()
    except SettingsInvalid as error:
        print(f"tool-sync: {error}", file=sys.stderr)
        return EXIT_SETTINGS
    _tune_garbage_collection()
    show_traces_at(str(settings.jaeger_ui_url) if settings.jaeger_ui_url else None)
    logs.set_up(SERVICE_NAME, level=settings.log_level, log_file=settings.log_file)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(_until_signalled(settings))


def _tune_garbage_collection() -> None:
    """Look for cycles rarely: a run leaves none, and with 1,000 orgs in flight every search walks all of them."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(GARBAGE_ALLOCATIONS, 20, 100)


async def _until_signalled(settings: Settings) -> int:
    log = structlog.get_logger(__name__)
    stopping, loop = asyncio.Event(), asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop, stopping)
    try:
        await serve(settings, stopping)
    except (ForeignInstallation, OSError) as error:
        log.error("tool-sync cannot start", reason=str(error))
        return EXIT_FAILED
    except LoopEnded as error:
        log.error("tool-sync ends", reason=str(error), exc_info=error)
        return EXIT_FAILED
    return 0


def stop(stopping: asyncio.Event, *, seconds_max: float = STOP_SECONDS_MAX) -> None:
    """Ask the service to stop. Whatever does not end by itself is cut off: nothing is lost by a kill -9 either."""
    stopping.set()
    cut_off = threading.Timer(seconds_max, _exit)
    cut_off.daemon = True
    cut_off.start()


def _exit() -> None:
    structlog.get_logger(__name__).error("tool-sync did not stop in time and is cut off")
    sys.stderr.flush()
    os._exit(EXIT_FAILED)
