"""``tool-sync run``: one process that works, or the supervisor of several; and ``tool-sync console``."""

import asyncio
import sys

import structlog

from tool_sync.cli.exits import EXIT_USAGE, fail
from tool_sync.settings import Settings
from tool_sync.telemetry import SERVICE_NAME
from zerotouch_platform import logs
from zerotouch_platform.server import bind
from zerotouch_platform.settings import SettingsInvalid, load
from zerotouch_platform.worker import this_worker
from zerotouch_platform.workers import Workers


def launch(workers: int | None) -> int:
    """Run until SIGTERM or SIGINT; ``workers`` processes, or as many as the settings say. The exit status.

    Likewise where this process is one of the workers.
    """
    worker = this_worker()
    if worker is not None:
        worker.end_with_supervisor()
    settings = _loaded()
    count = settings.workers if workers is None else workers
    if worker is None and count > 1:
        return _supervise(settings, count)
    # Imported here: the supervisor has no use for all of the service.
    from tool_sync.cli.run import run_service

    return run_service(settings, worker)


def launch_console() -> int:
    """Serve the console alone until SIGTERM or SIGINT. The exit status."""
    settings = _loaded()
    if settings.console_key is None:
        fail("CONSOLE_KEY is not set: without it there is no console")
    from tool_sync.cli.run import run_console

    return run_console(settings)


def _loaded() -> Settings:
    """The settings; ends the command where they are wrong."""
    try:
        return load(Settings)
    except SettingsInvalid as error:
        fail(error)


def _supervise(settings: Settings, count: int) -> int:
    logs.set_up(SERVICE_NAME, level=settings.log_level, log_file=settings.log_file)
    try:
        listening = bind(settings.host, settings.port)
    except OSError as error:
        structlog.get_logger(__name__).error("tool-sync cannot start", reason=str(error))
        return EXIT_USAGE
    return asyncio.run(Workers([sys.executable, "-m", "tool_sync", "run"], count, listening).run())
