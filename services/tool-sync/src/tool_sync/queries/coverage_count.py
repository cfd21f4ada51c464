"""Coverage as it is measured all the time: counted again only where the count can have changed.

A count reads every assistant, seconds beside 500,000 of them, and what it says is a function of the log alone. So it is
kept while the log stands still, and is made so rarely that counting takes a thirtieth of the time at most.
"""

import time
from collections.abc import Callable
from typing import Final

from tool_sync.db import Connection
from tool_sync.queries.coverage import Coverage, coverage_of

SHARE: Final = 30
"""A count of one second is made every 30 s, one of less than half a second at every look of 15 s."""
LOOK_SECONDS: Final = 15.0
KEPT_SECONDS_MAX: Final = 600.0
"""A rebuild may mend rows without a new event."""


class CoverageCount:
    """The newest count. ``clock`` is monotonic, in seconds."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._count: Coverage | None = None
        self._counted_at = self._took_seconds = 0.0

    async def at(self, connection: Connection, head: int) -> Coverage:
        """The count, made now or kept; its ``position`` says of what moment. ``head`` is where the log stands."""
        if self._count is None or self._is_due(self._count, head):
            self._counted_at = self._clock()
            self._count = await coverage_of(connection)
            self._took_seconds = self._clock() - self._counted_at
        return self._count

    def _is_due(self, count: Coverage, head: int) -> bool:
        age_seconds = self._clock() - self._counted_at
        if count.position == head:
            return age_seconds >= KEPT_SECONDS_MAX
        return age_seconds >= SHARE * self._took_seconds - LOOK_SECONDS
