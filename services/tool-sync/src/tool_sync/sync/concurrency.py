"""How many orgs this process works on at once: as many as it can serve in time.

Whoever announces a write must send it within the send window. With more at work than the CPU, the log or the machine
can serve, appends take longer than that, and what was announced has to be taken back and done again. So the number
follows the time that appends take: one more for each quick one, a quarter fewer when they are slow. What is not claimed
waits in the database, where another replica may take it; and what is claimed is finished soon.
"""

from collections.abc import Callable
from typing import Final

ORGS_MIN: Final = 16
ORGS_FIRST: Final = 128
SHRINK: Final = 0.75


class ConcurrencyLimiter:
    """``slow_seconds``: an append that takes longer means too many orgs. ``monotonic`` is in seconds."""

    def __init__(self, orgs_max: int, *, slow_seconds: float, monotonic: Callable[[], float]) -> None:
        self._max = orgs_max
        self._slow_seconds = slow_seconds
        self._monotonic = monotonic
        self._limit = float(min(ORGS_FIRST, orgs_max))
        self._shrunk_at = float("-inf")

    @property
    def orgs(self) -> int:
        """How many orgs to work on at once now."""
        return int(self._limit)

    def note(self, append_seconds: float) -> None:
        """Learn how long an append took, from queued to answered."""
        if append_seconds < self._slow_seconds:
            self._limit = min(self._max, self._limit + 1)
        elif self._monotonic() - self._shrunk_at > self._slow_seconds:  # once for all that waited together
            self._shrunk_at = self._monotonic()
            self._limit = max(min(ORGS_MIN, self._max), self._limit * SHRINK)
