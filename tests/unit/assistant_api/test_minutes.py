"""Requests of UTC minutes, over a clock that the test turns."""

from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from types import SimpleNamespace
from typing import Any

import pytest

from assistant_api.vapi.minutes import Minutes

NOON = 29_000_000 * 60
GUARD = 0.5
BOOTED = 123.0
"""The monotonic clock at noon."""


class Rows:
    """The table of all replicas, and the database's clock."""

    def __init__(self) -> None:
        self.now = float(NOON)
        self.used: Counter[int] = Counter()
        self.statements = 0

    @asynccontextmanager
    async def connection(self) -> AsyncIterator["Rows"]:
        yield self

    async def fetchval(self, _: str) -> float:
        return self.now

    async def fetchrow(self, _: str, __: str, minute: int, rate: int, kept: float, wanted: int) -> dict[str, Any]:
        self.statements += 1
        granted = max(0, min(wanted, int(rate * (1 - kept)) - self.used[minute]))
        self.used[minute] += granted
        return {"granted": granted, "epoch": self.now}

    async def execute(self, *_: object) -> None:
        pass


@pytest.fixture
def rows() -> Rows:
    return Rows()


def replica(rows: Rows, rate: int = 100) -> Minutes:
    settings: Any = SimpleNamespace(vapi_rate_guard_seconds=GUARD, vapi_rate_saves_share=0.2, vapi_rate_batch=1)
    database: Any = rows
    return Minutes(settings, database, "key", rate, lambda: rows.now - NOON + BOOTED)


async def taken(minutes: Minutes, times: int, *, save: bool = True) -> int:
    return sum([(await minutes.take(save=save))[0] for _ in range(times)])


async def test_in_the_middle_of_a_minute_a_request_is_taken_from_it_and_may_be_sent_until_it_ends(rows: Rows) -> None:
    rows.now = NOON + 30
    assert await replica(rows).take(save=True) == (True, BOOTED + 60 - GUARD)
    assert rows.used == {NOON // 60: 1}


@pytest.mark.parametrize(("second", "minutes"), [(59.6, (0, 1)), (60.3, (0, 1)), (59.4, (0,)), (60.6, (1,))])
async def test_near_the_turn_a_request_is_taken_from_both_minutes(
    rows: Rows, second: float, minutes: tuple[int, ...]
) -> None:
    rows.now = NOON + second
    may_be_sent, until = await replica(rows).take(save=True)
    assert may_be_sent
    assert until == pytest.approx(BOOTED + 60 * (minutes[-1] + 1) - GUARD)
    assert rows.used == {NOON // 60 + minute: 1 for minute in minutes}


async def test_no_minute_has_more_than_its_rate_whatever_clock_counts(rows: Rows) -> None:
    replicas = [replica(rows, rate=10) for _ in range(2)]
    sent: list[float] = []
    for tick in range(180 * 10):
        rows.now = NOON + tick / 10
        sent += [rows.now for one in replicas if (await one.take(save=True))[0]]
    for ahead in (-GUARD + 0.01, 0.0, GUARD - 0.01):  # Vapi's clock
        assert max(Counter(int((at + ahead) // 60) for at in sent).values()) <= 10
    assert len(sent) >= 25


async def test_a_minute_that_is_used_up_is_asked_for_once_and_the_next_one_when_it_has_surely_begun(rows: Rows) -> None:
    minutes = replica(rows, rate=5)
    rows.now = NOON + 10
    assert await taken(minutes, 20) == 5
    asked = rows.statements
    assert await minutes.take(save=True) == (False, BOOTED + 60 + GUARD)
    assert rows.statements == asked
    rows.now = NOON + 60 + GUARD + 0.1
    assert await taken(minutes, 20) == 5


async def test_bulk_work_leaves_a_part_to_saves(rows: Rows) -> None:
    minutes = replica(rows, rate=10)
    rows.now = NOON + 10
    assert await taken(minutes, 20, save=False) == 8
    assert await taken(minutes, 20) == 2
