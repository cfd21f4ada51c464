"""`assistant-api run`: one process that works, or the supervisor of several."""

import asyncio
import sys

import structlog

from assistant_api.cli.exits import EXIT_FOUND, settings_of
from assistant_api.settings import Settings
from assistant_api.telemetry import SERVICE_NAME
from zerotouch_platform import logs
from zerotouch_platform.server import bind
from zerotouch_platform.worker import this_worker
from zerotouch_platform.workers import Workers


def launch(workers: int | None) -> int:
    """Run until SIGTERM or SIGINT; ``workers`` processes, or as many as the settings say. The exit status.

    Likewise where this process is one of the workers.
    """
    worker = this_worker()
    if worker is not None:
        worker.end_with_supervisor()
    settings = settings_of(Settings)
    count = settings.workers if workers is None else workers
    if worker is None and count > 1:
        return _supervise(settings, count)
    # Imported here: the supervisor has no use for all of the service.
    from assistant_api.app.serve import serve

    return serve(settings, worker)


def _supervise(settings: Settings, count: int) -> int:
    logs.set_up(SERVICE_NAME, level=settings.log_level, log_file=settings.log_file)
    try:
        listening = bind(settings.host, settings.port)
    except OSError as error:
        structlog.get_logger(__name__).error("cannot_start", reason=str(error))
        return EXIT_FOUND
    return asyncio.run(Workers([sys.executable, "-m", "assistant_api", "run"], count, listening).run())
