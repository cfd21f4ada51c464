"""Measures for how long the event loop was blocked at worst.

A sleep of 20 ms that comes back late was blocked, or the machine had no core free. The kernel says how long the thread
waited for a core (schedstat), and that is not the loop's doing: it is taken off.
"""

import asyncio
import os
import threading
import time
from collections.abc import Callable
from typing import Final

EVERY_SECONDS: Final = 0.02
WORTH_TELLING_SECONDS: Final = 0.005


async def watch(woken: Callable[[], int], tell: Callable[[float, float], None]) -> None:
    """Run for ever; ``tell(blocked_seconds, late_seconds)`` each time a longer block than before was seen.

    ``woken`` counts the times that this process was stopped and let go on: a sample across one says nothing.
    """
    schedstat = os.open(f"/proc/self/task/{threading.get_native_id()}/schedstat", os.O_RDONLY)
    worst = WORTH_TELLING_SECONDS
    waited, stops = _waited_seconds(schedstat), woken()
    while True:
        began = time.monotonic()
        await asyncio.sleep(EVERY_SECONDS)
        late = time.monotonic() - began - EVERY_SECONDS
        waited_before, waited = waited, _waited_seconds(schedstat)
        stops_before, stops = stops, woken()
        blocked = late - (waited - waited_before)
        if blocked > worst and stops == stops_before:
            worst = blocked
            tell(blocked, late)


def _waited_seconds(schedstat: int) -> float:
    """How long this thread has been ready to run without a core, since it began."""
    return int(os.pread(schedstat, 100, 0).split()[1]) / 1e9
