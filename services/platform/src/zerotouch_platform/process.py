"""The process itself: that it surely ends, when it looks for garbage, and how many files it may open."""

import gc
import os
import resource
import sys
import threading
from typing import Final

import structlog

STOP_SECONDS_MAX: Final = 4.5
EXIT_CUT_OFF: Final = 1
OPEN_FILES_MAX: Final = 65_536


def cut_off_later(event: str, seconds: float = STOP_SECONDS_MAX) -> None:
    """Say ``event`` and end the process after ``seconds``, unless it has ended by then: a kill -9 loses nothing."""
    timer = threading.Timer(seconds, _cut_off, (event,))
    timer.daemon = True
    timer.start()


def _cut_off(event: str) -> None:
    structlog.get_logger(__name__).error(event, reason="the process did not stop in time")
    sys.stderr.flush()
    os._exit(EXIT_CUT_OFF)


def look_for_garbage_every(allocations: int) -> None:
    """Look for cycles among the newest objects only: while a whole search lasts nobody is answered."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(allocations, 20, 100)


def allow_open_files() -> int:
    """Let the process have as many connections as it is allowed: shells begin with 1,024. How many that are."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = OPEN_FILES_MAX if hard == resource.RLIM_INFINITY else min(hard, OPEN_FILES_MAX)
    if soft != resource.RLIM_INFINITY and soft < most:
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
    return max(soft, most)
