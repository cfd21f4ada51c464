"""Requests of a UTC minute, drawn from the row of all replicas in batches, so that most calls ask nobody.

A request that is admitted near the end of a minute may reach Vapi in the next one, and clocks differ: near the turn one
is taken from both minutes. What is left of a past minute is void. Bulk work follows a curve (ADR 40).
"""

import asyncio
import math
from dataclasses import dataclass
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Final

from tool_sync.vapi.rate_limit.curve import Curve
from tool_sync.vapi.rate_limit.durations import minute_of, minute_starts
from tool_sync.vapi.rate_limit.pace import BulkPace
from tool_sync.vapi.rate_limit.port import CallLane
from tool_sync.vapi.rate_limit.table import KeyTable

LATECOMERS_SECONDS: Final = 1.0
"""Between the end of the curve and the turn: a clinic that waits is claimed up to a poll after its time."""
TURN_TIMES: Final = 2
"""So many times their share is left to saves for the turn, as they do not come evenly."""

BORROWED_PART_MIN: Final = 0.1
"""Of a minute: what is lent when less of it is left would come too late."""

_STOCKS: Final = MappingProxyType[CallLane, tuple[CallLane, ...]](
    {"save": ("bulk", "begun", "save"), "begun": ("bulk", "begun"), "bulk": ("bulk",)}
)
"""Who may use what was drawn for whom."""


def share_of_rate(requests_per_minute: int, share: float) -> int:
    """The requests a minute of one who takes a share of a key's; at least one."""
    return max(1, int(requests_per_minute * share))


@dataclass(frozen=True, slots=True)
class Rate:
    """``per_minute`` of all replicas; ``saves_share`` is the part of it that saves are expected to need.

    ``late_seconds`` is how long after its admission a request may arrive; ``early_seconds`` how far clocks may differ.
    """

    per_minute: int
    batch: int
    saves_share: float
    late_seconds: float
    early_seconds: float

    @property
    def ceiling(self) -> int:
        """What bulk work may use of a minute: all but what saves need at its turn. At least one, or it never ends."""
        turn = self.per_minute * self.saves_share * (self.late_seconds + self.early_seconds) / 60
        return max(1, self.per_minute - math.ceil(TURN_TIMES * turn))

    @property
    def curve(self) -> Curve:
        """What may be used by when before bulk work begins something."""
        ends = max(60 - self.late_seconds - LATECOMERS_SECONDS, self.early_seconds + 1)
        return Curve(self.ceiling, self.early_seconds, ends)

    @property
    def draw(self) -> int:
        """How many to draw at once: those of a tenth of a second, as what is drawn and not used is lost."""
        return max(1, min(self.batch, self.per_minute // 600))


class Tokens:
    """This process's share of the minute."""

    def __init__(self, table: KeyTable, rate: Rate) -> None:
        self._table = table
        self._rate = rate
        self._curve = rate.curve
        self._pace = BulkPace(rate.curve)
        self._left: dict[tuple[int, CallLane], int] = {}
        self._dry: set[tuple[int, CallLane]] = set()
        self._drawing = asyncio.Lock()

    async def take(self, now: datetime, lane: CallLane) -> datetime | None:
        """Take one request; when to ask again where there is none."""
        first = minute_of(now - timedelta(seconds=self._rate.early_seconds))
        last = minute_of(now + timedelta(seconds=self._rate.late_seconds))
        minutes = range(first, last + 1)
        if lane == "bulk":
            is_at_turn = first < last
            if (until := self._pace.wait(now) if is_at_turn else self._pace.take(now)) is not None:
                return until
        while missing := next((minute for minute in minutes if self._stock(minute, lane) is None), None):
            if not await self._draw(missing, lane, first, now):
                if lane == "bulk":
                    return self._pace.wait(now)
                return minute_starts(missing + 1, now) + timedelta(seconds=self._rate.early_seconds)
        for minute in minutes:
            stock = self._stock(minute, lane)
            assert stock is not None, "there was one of each, and nothing was awaited since"
            self._left[minute, stock] -= 1
        if lane == "begun":
            self._pace.went_on()
        return None

    async def lower(self, now: datetime) -> None:
        """Vapi answered 429: this minute has less than we thought, and what we hold of it is void."""
        minute = minute_of(now)
        self._left = {key: left for key, left in self._left.items() if key[0] != minute}
        await self._table.lower(minute, self._rate.per_minute)

    def wants_more(self, now: datetime) -> int:
        """How many requests more of the running minute bulk work could use; 0 where it does not queue, or ends soon."""
        left = 1 - self._curve.reached(now, minute_of(now)) / self._curve.ceiling
        if left < BORROWED_PART_MIN or not self._pace.is_queued(now):
            return 0
        return math.ceil(left * self._rate.per_minute)

    def borrow(self, minute: int, lent: int) -> None:
        """The minute's row has so many requests more, all in all."""
        self._pace.borrow(minute, lent)

    def _stock(self, minute: int, lane: CallLane) -> CallLane | None:
        """Where one is left."""
        return next((of for of in _STOCKS[lane] if self._left.get((minute, of), 0) > 0), None)

    def _ceiling(self, minute: int, lane: CallLane, now: datetime) -> int:
        """How much of a minute may be used when this lane draws."""
        match lane:
            case "save":
                return self._rate.per_minute + self._pace.lent(minute)
            case "begun":
                return self._rate.ceiling + self._pace.lent(minute)
            case "bulk":
                return self._curve.in_minute(now, minute, self._pace.lent(minute))

    async def _draw(self, minute: int, lane: CallLane, first: int, now: datetime) -> bool:
        async with self._drawing:
            if self._stock(minute, lane) is not None:
                return True
            if (minute, lane) in self._dry:
                return False
            drawn = await self._table.draw(minute, self._rate.draw, self._ceiling(minute, lane, now))
            self._pace.borrow(minute, drawn.lent)
            self._left = {key: left for key, left in self._left.items() if key[0] >= first}
            self._dry = {key for key in self._dry if key[0] >= first}
            self._left[minute, lane] = self._left.get((minute, lane), 0) + drawn.granted
            if not drawn.granted and lane != "bulk":  # what bulk work may use grows with the minute
                self._dry.add((minute, lane))
            return drawn.granted > 0
