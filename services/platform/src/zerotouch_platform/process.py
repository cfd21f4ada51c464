"""The process itself: that it surely ends, and when it looks for garbage."""

import gc
import os
import sys
import threading
from typing import Final

import structlog

STOP_SECONDS_MAX: Final = 4.5
EXIT_CUT_OFF: Final = 1


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
