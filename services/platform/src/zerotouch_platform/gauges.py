"""Gauges of what the database holds: looked up every 15 s where they are exported, and when ``/metrics`` is read.

The same from every replica, as all look at the same rows: take the greatest, not the sum.
"""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Final

from zerotouch_platform.loops import Loop
from zerotouch_platform.meters import Measure, Meters

LOOK_SECONDS: Final = 15.0
FRESH_SECONDS: Final = 5.0
"""Whoever reads the page more often than this is told what was found last."""

# By their names in both services: one alarm reads either.
RECORDS_LOST: Final = "zerotouch.records.lost"
CLOCK_SKEW: Final = "zerotouch.vapi.clock_skew"
CLOCK_SKEW_MEASURE: Final = Measure(
    "s", "how far Vapi's clock is ahead of the database's; not exported before the first answer of Vapi"
)


class Gauges:
    """``values`` is what was looked up last. ``look`` answers values by name; a name that it leaves out is not
    observed. ``measures`` has every name there is; ``transient`` is raised where the database is away."""

    def __init__(
        self,
        meters: Meters,
        measures: Mapping[str, Measure],
        look: Callable[[], Awaitable[Mapping[str, float]]],
        transient: tuple[type[Exception], ...] = (),
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.values: Mapping[str, float] = {}
        self._look, self._clock = look, clock
        self._away: tuple[type[Exception], ...] = (TimeoutError, *transient)
        self._looked_at, self._looking = float("-inf"), asyncio.Lock()
        meters.gauges(measures, lambda: self.values)

    async def run_once(self) -> None:
        """Look once. Raises what ``look`` raises; then nothing is observed: better a gap than an old value."""
        found: Mapping[str, float] = {}
        try:
            found = await self._look()
        finally:
            self.values, self._looked_at = found, self._clock()

    async def refresh(self, seconds_max: float) -> None:
        """Look where nobody has for 5 s. Nothing is observed where the database does not answer in time."""
        try:
            async with asyncio.timeout(seconds_max), self._looking:
                if self._clock() - self._looked_at >= FRESH_SECONDS:
                    await self.run_once()
        except self._away:
            self.values = {}

    def loop(self) -> Loop:
        """Looks every 15 s."""
        return Loop(self.run_once, LOOK_SECONDS, "metrics: not looked", self._away, level=logging.DEBUG)
