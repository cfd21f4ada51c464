"""How often who did what, as a metric; and how many refusals of one principal become rows."""

import time
from collections import Counter
from typing import Final

from assistant_api.access_log.entry import Entry
from zerotouch_platform.meters import Measure, Meters

METRIC: Final = "zerotouch.access.requests"
MEASURE: Final = Measure("{request}", "reads of patients and writes, by `action` and `result`")
UNAUTHENTICATED: Final = "unauthenticated"
PRINCIPALS_MAX: Final = 1000
"""Whose refusals are told apart within a minute; those of more become no rows."""


class AccessCounter:
    """Counts by action and result. A request without a good token is counted, and is no row."""

    def __init__(self, meters: Meters, refused_rows_per_minute: int) -> None:
        self.counted: Final[Counter[tuple[str, str]]] = Counter()
        """By action and result."""
        self._counter = meters.counter(METRIC, MEASURE)
        self._rows_max = refused_rows_per_minute
        self._minute = 0
        self._rows: Counter[str] = Counter()

    def count(self, action: str, result: str) -> None:
        """Count one request."""
        self.counted[action, result] += 1
        self._counter.add(1, {"action": action, "result": result})

    def takes_row(self, entry: Entry) -> bool:
        """Whether the row of a refusal is to be written: so many a minute of each principal, in this process."""
        minute = int(time.monotonic() // 60)
        if minute != self._minute:
            self._minute = minute
            self._rows.clear()
        principal = f"{entry.who.role}:{entry.who.principal}"
        if self._rows[principal] >= self._rows_max or (
            principal not in self._rows and len(self._rows) >= PRINCIPALS_MAX
        ):
            return False
        self._rows[principal] += 1
        return True
