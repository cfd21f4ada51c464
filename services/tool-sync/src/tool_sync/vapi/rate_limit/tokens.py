"""Requests of a UTC minute, drawn from the row of all replicas in batches, so that most calls ask nobody.

A request that is admitted near the end of a minute may reach Vapi in the next one, and clocks differ: near the turn one
is taken from both minutes. What is left of a past minute is void.
"""

import asyncio
from dataclasses import dataclass
from datetime import datetime, timedelta

from tool_sync.domain.plan.steps import Lane
from tool_sync.vapi.rate_limit.durations import minute_of, minute_starts
from tool_sync.vapi.rate_limit.table import KeyTable


@dataclass(frozen=True, slots=True)
class Rate:
    """``per_minute`` of all replicas, ``saves_share`` of which bulk work leaves to saves.

    ``late_seconds`` is how long after its admission a request may arrive; ``early_seconds`` how far clocks may differ.
    """

    per_minute: int
    batch: int
    saves_share: float
    late_seconds: float
    early_seconds: float

    def ceiling(self, lane: Lane) -> int:
        """How much of a minute may be used when this lane draws."""
        return self.per_minute if lane == "save" else int(self.per_minute * (1 - self.saves_share))

    @property
    def draw(self) -> int:
        """How many to draw at once: few where there are few, or one replica would hold them all."""
        return max(1, min(self.batch, self.per_minute // 20))


class Tokens:
    """This process's share of the minute."""

    def __init__(self, table: KeyTable, rate: Rate) -> None:
        self._table = table
        self._rate = rate
        self._left: dict[tuple[int, Lane], int] = {}
        self._dry: set[tuple[int, Lane]] = set()
        self._drawing = asyncio.Lock()

    async def take(self, now: datetime, lane: Lane) -> datetime | None:
        """Take one request; when to ask again where there is none."""
        first = minute_of(now - timedelta(seconds=self._rate.early_seconds))
        last = minute_of(now + timedelta(seconds=self._rate.late_seconds))
        minutes = range(first, last + 1)
        while missing := next((minute for minute in minutes if self._stock(minute, lane) is None), None):
            if not await self._draw(missing, lane, first):
                return minute_starts(missing + 1, now) + timedelta(seconds=self._rate.early_seconds)
        for minute in minutes:
            stock = self._stock(minute, lane)
            assert stock is not None, "there was one of each, and nothing was awaited since"
            self._left[minute, stock] -= 1
        return None

    async def lower(self, now: datetime) -> None:
        """Vapi answered 429: this minute has less than we thought, and what we hold of it is void."""
        minute = minute_of(now)
        self._left = {key: left for key, left in self._left.items() if key[0] != minute}
        await self._table.lower(minute, self._rate.per_minute)

    def _stock(self, minute: int, lane: Lane) -> Lane | None:
        """Where one is left: a save may use what was drawn for bulk work."""
        lanes: tuple[Lane, ...] = ("bulk", "save") if lane == "save" else ("bulk",)
        return next((of for of in lanes if self._left.get((minute, of), 0) > 0), None)

    async def _draw(self, minute: int, lane: Lane, first: int) -> bool:
        async with self._drawing:
            if self._stock(minute, lane) is not None:
                return True
            if (minute, lane) in self._dry:
                return False
            granted = await self._table.draw(minute, self._rate.draw, self._rate.ceiling(lane))
            self._left = {key: left for key, left in self._left.items() if key[0] >= first}
            self._dry = {key for key in self._dry if key[0] >= first}
            self._left[minute, lane] = self._left.get((minute, lane), 0) + granted
            if not granted:
                self._dry.add((minute, lane))
            return granted > 0
