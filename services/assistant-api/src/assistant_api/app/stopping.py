"""A stop that surely ends: whatever does not end by itself is cut off, as a kill -9 loses nothing either."""

import os
import sys
import threading
from typing import Final

import structlog

STOP_SECONDS_MAX: Final = 4.5
EXIT_CUT_OFF: Final = 1


def cut_off_later(seconds: float = STOP_SECONDS_MAX) -> None:
    """End the process after ``seconds``, unless it has ended by then."""
    timer = threading.Timer(seconds, _exit)
    timer.daemon = True
    timer.start()


def _exit() -> None:
    structlog.get_logger().error("cut_off", reason="the process did not stop in time")
    sys.stderr.flush()
    os._exit(EXIT_CUT_OFF)
