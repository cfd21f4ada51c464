"""How much more time work takes on a longer text than on as many characters in shorter ones.

A ratio, in the thread's own time: a busy machine breaks every absolute time.
"""

import contextlib
import gc
import signal
import time
from collections.abc import Callable
from types import FrameType
from typing import Final

PARTS: Final = 8
GROWTH_MAX: Final = 3.5
"""Linear work takes as long for one text as for its eighths together, quadratic work 8 times as long."""
_SECONDS_MIN: Final = 0.003
"""What takes less is noise, and at the sizes used here far from any harm."""
_TRIES: Final = 4


class _TooLong(BaseException):
    """No work's own handler catches it."""


def growth(
    work: Callable[[str], object], make: Callable[[int], str], characters: int, *, seconds_max: float = 3.0
) -> float:
    """The time for a text of ``characters`` by the time for eight of an eighth; 1.0 where it takes no while.

    The best of some tries. Infinite where the long text takes more than ``seconds_max``: what backtracks may never end.
    """
    long, short = make(characters), make(characters // PARTS)
    best = float("inf")
    for _ in range(_TRIES):
        if (longer := _seconds(work, long, 1, seconds_max)) < _SECONDS_MIN:
            return 1.0
        shorter = _seconds(work, short, PARTS, seconds_max)
        best = min(best, longer / max(shorter, _SECONDS_MIN / PARTS))
        if best <= GROWTH_MAX:
            break
    return best


def _seconds(work: Callable[[str], object], text: str, times: int, seconds_max: float) -> float:
    """What is refused has taken its time, too."""
    before = signal.signal(signal.SIGVTALRM, _stop)
    try:
        gc.disable()  # a full collection of what other tests left takes longer than the work
        began = time.thread_time()
        signal.setitimer(signal.ITIMER_VIRTUAL, seconds_max)
        for _ in range(times):
            with contextlib.suppress(Exception):
                work(text)
        return time.thread_time() - began
    except _TooLong:
        return float("inf")
    finally:
        gc.enable()
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        signal.signal(signal.SIGVTALRM, before)


def _stop(_signal: int, _frame: FrameType | None) -> None:
    raise _TooLong
