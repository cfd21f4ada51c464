"""When to try again: exponential back-off with full jitter; the randomness comes in as an argument."""

from datetime import datetime, timedelta


def retry_at(now: datetime, failures: int, jitter: float, *, seconds_base: float, seconds_max: float) -> datetime:
    """The due time after the ``failures``-th failure in a row (1, 2, 3 …).

    The wait is drawn evenly from 0 to ``min(seconds_max, seconds_base * 2 ** (failures - 1))``, with ``jitter`` in
    [0, 1): many assistants that failed together come back spread over the whole of it.
    """
    ceiling = min(seconds_max, seconds_base * 2 ** min(failures - 1, 30))
    return now + timedelta(seconds=ceiling * jitter)
