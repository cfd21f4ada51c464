"""How long work keeps the event loop to itself, in the CPU time of the loop's own thread.

CPU time does not grow while another process has the core. What a slower machine, or a busy sibling of the core, adds is
taken off by how long some plain Python takes here, just now.
"""

import asyncio
import contextlib
import gc
import time
from collections.abc import Awaitable, Callable
from typing import Final

PIECE_SECONDS_MAX: Final = 0.05
"""The goal, on the machine on which the figures of the documents were measured."""
_REFERENCE_SECONDS: Final = 0.010
"""What :func:`_reference` takes there."""
_TRIES: Final = 3


def _reference() -> int:
    return sum(number % 7 for number in range(250_000))


def slowness() -> float:
    """By how much plain Python is slower here and now than where the figures were measured; at least 1."""
    return max(1.0, min(cpu_seconds(_reference) for _ in range(_TRIES)) / _REFERENCE_SECONDS)


def cpu_seconds(work: Callable[[], object]) -> float:
    """Of this thread; also of work that is refused."""
    gc.collect()  # what other tests left is not this work's
    began = time.thread_time()
    with contextlib.suppress(ValueError):
        work()
    return time.thread_time() - began


async def longest_piece(work: Callable[[], Awaitable[object]], tries: int = _TRIES) -> float:
    """CPU seconds of the longest time between two turns of the loop while ``work`` goes on, as they would be where the
    figures were measured; of the best of ``tries``."""
    return min([await _longest_piece(work) for _ in range(tries)]) / slowness()


async def _longest_piece(work: Callable[[], Awaitable[object]]) -> float:
    gc.collect()
    going_on = asyncio.ensure_future(work())
    longest, last = 0.0, time.thread_time()
    while not going_on.done():
        await asyncio.sleep(0)
        now = time.thread_time()
        longest, last = max(longest, now - last), now
    await going_on
    return longest
