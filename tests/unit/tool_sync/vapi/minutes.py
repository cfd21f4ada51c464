"""A key's minutes in virtual time: replicas over one row in memory, and everybody who asks them."""

import heapq
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from random import Random
from typing import Any, cast

from tool_sync.vapi.rate_limit.port import CallLane
from tool_sync.vapi.rate_limit.table import Drawn, KeyTable
from tool_sync.vapi.rate_limit.tokens import Rate, Tokens

NOON = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
START = int(NOON.timestamp())


class Rows:
    """``key_minutes`` as its statement keeps it; a test holds the two together."""

    def __init__(self) -> None:
        self.used: Counter[int] = Counter()
        self.lent: Counter[int] = Counter()
        self.asked: set[int] = set()

    async def draw(self, minute: int, wanted: int, ceiling: int) -> Drawn:
        granted = max(0, min(wanted, ceiling - self.used[minute]))
        self.used[minute] += granted
        return Drawn(granted, self.used[minute], self.lent[minute])

    async def ask(self, minute: int) -> bool:
        was_asked = minute in self.asked
        self.asked.add(minute)
        return not was_asked

    async def borrow(self, minute: int, lent: int) -> int:
        self.lent[minute] += lent
        return self.lent[minute]


def tokens_over(rows: Rows, rate: Rate) -> Tokens:
    return Tokens(cast(KeyTable, rows), rate)


@dataclass(order=True)
class Ask:
    """Somebody who asks at a second; ``calls`` of its step are still to be made."""

    second: float
    number: int
    lane: CallLane = field(compare=False)
    calls: int = field(compare=False, default=1)
    since: float = field(compare=False, default=0.0)


@dataclass(frozen=True)
class Admitted:
    second: float
    lane: CallLane
    waited: float


@dataclass
class Played:
    admitted: list[Admitted] = field(default_factory=list)
    refused: list[tuple[float, CallLane]] = field(default_factory=list)

    def saves_waited(self) -> list[float]:
        return sorted(a.waited for a in self.admitted if a.lane == "save")

    def in_minute(self, minute: int, *lanes: CallLane) -> int:
        return sum(a.second // 60 == minute and (not lanes or a.lane in lanes) for a in self.admitted)


async def nothing(_: float) -> None:
    pass


async def played(
    replicas: list[Tokens],
    asks: list[Ask],
    until: float,
    random: Random,
    *,
    meanwhile: Callable[[float], Awaitable[None]] = nothing,
    every: float = 60.0,
) -> Played:
    """Let everybody ask until ``until``; who has to wait comes back when told to, and up to a poll later if it is bulk
    work, at any replica. A step's next call follows its last one after 100 ms. ``meanwhile`` runs ``every`` seconds."""
    result, heap = Played(), list(asks)
    heapq.heapify(heap)
    number, looks = len(heap), 0
    while heap and heap[0].second < until:
        ask = heapq.heappop(heap)
        while looks * every <= ask.second:
            await meanwhile(looks * every)
            looks += 1
        now = datetime.fromtimestamp(START + ask.second, UTC)
        later = await random.choice(replicas).take(now, ask.lane)
        number += 1
        if later is not None:
            result.refused.append((ask.second, ask.lane))
            poll = 0.0 if ask.lane == "save" else random.random() / 2
            again = (later.timestamp() - START) + poll
            assert again > ask.second, "asked again at once, for ever"
            heapq.heappush(heap, Ask(again, number, ask.lane, ask.calls, ask.since or ask.second))
            continue
        result.admitted.append(Admitted(ask.second, ask.lane, ask.second - (ask.since or ask.second)))
        if ask.calls > 1:
            lane: Any = "save" if ask.lane == "save" else "begun"
            heapq.heappush(heap, Ask(ask.second + 0.1, number, lane, ask.calls - 1))
    return result
