"""Bulk work with what the other service gives up of each minute, in virtual time."""

from collections import Counter
from datetime import UTC, datetime, timedelta
from random import Random
from typing import cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tool_sync.vapi.rate_limit.borrowing import Borrower
from tool_sync.vapi.rate_limit.table import KeyTable

from .minutes import START, Ask, Played, Rows, played, tokens_over
from .test_minutes import ALLOWED, backlog, rate, saves

LENDABLE = 360  # of the 480 of 1,200 that the other service has


class Lender:
    """The other service: it has so much to give up of each minute."""

    def __init__(self, lendable: int = LENDABLE) -> None:
        self.lendable = lendable
        self.asked: Counter[int] = Counter()
        self.lent: Counter[int] = Counter()

    async def lend(self, minute: int, wanted: int) -> int:
        self.asked[minute] += 1
        lent = min(wanted, self.lendable - self.lent[minute])
        self.lent[minute] += lent
        return lent


async def borrowed(
    lender: Lender, asks: list[Ask], until: float, *, replicas: int = 1, seed: int = 1, every: float = 0.5
) -> Played:
    """As :func:`.minutes.played`, with replicas that look every half second whether something can be borrowed."""
    rows, random = Rows(), Random(seed)
    tokens = [tokens_over(rows, rate()) for _ in range(replicas)]
    now = datetime.fromtimestamp(START, UTC)
    borrowers = [Borrower(cast(KeyTable, rows), one, lender.lend, lambda: now) for one in tokens]

    async def look(second: float) -> None:
        nonlocal now
        now = datetime.fromtimestamp(START + second, UTC)
        for borrower in borrowers:
            await borrower.run_once()

    return await played(tokens, asks, until, random, meanwhile=look, every=every)


@pytest.mark.parametrize("replicas", [1, 3])
async def test_bulk_work_uses_what_was_lent_and_never_more(replicas: int) -> None:
    lender = Lender()
    result = await borrowed(lender, backlog(6000), 180, replicas=replicas)

    by_minute = [result.in_minute(minute) for minute in range(3)]
    assert max(by_minute) <= ALLOWED + LENDABLE
    assert min(by_minute) >= 0.97 * (ALLOWED + LENDABLE), by_minute
    assert set(lender.asked.values()) == {1}, "one replica asks, once a minute"


async def test_nothing_is_borrowed_while_no_bulk_work_waits() -> None:
    lender = Lender()
    await borrowed(lender, saves(1, 120, Random(1)) + [Ask(n * 0.5, n, "bulk") for n in range(200)], 120)
    assert not lender.asked


async def test_who_begins_late_in_a_minute_borrows_for_the_rest_of_it() -> None:
    lender = Lender()
    result = await borrowed(lender, [Ask(40 + n / 250, n, "bulk") for n in range(4000)], 115)

    first = min(lender.lent)
    assert lender.lent[first] <= 0.35 * ALLOWED
    assert result.in_minute(0) <= ALLOWED


async def test_a_save_waits_no_longer_because_something_was_borrowed() -> None:
    random = Random(3)
    result = await borrowed(Lender(), backlog(4000) + saves(0.8, 180, random), 180, replicas=2)

    waited = result.saves_waited()
    assert waited[int(len(waited) * 0.99)] == 0.0


@settings(max_examples=60, deadline=None)
@given(
    lendable=st.integers(0, 500),
    begins=st.floats(0, 100),
    count=st.integers(1, 3000),
    replicas=st.integers(1, 3),
    seed=st.integers(0, 2**32),
    every=st.sampled_from((0.5, 3.0, 70.0)),
)
async def test_however_slowly_it_is_borrowed_no_minute_has_more_than_its_own_and_what_was_lent(
    lendable: int, begins: float, count: int, replicas: int, seed: int, every: float
) -> None:
    lender, random = Lender(lendable), Random(seed)
    asks = [Ask(begins + n / 250, n, "bulk", 1 + n % 2) for n in range(count)] + saves(2, 150, random)
    result = await borrowed(lender, asks, 180, replicas=replicas, seed=seed, every=every)

    for minute in range(3):
        assert result.in_minute(minute) <= ALLOWED + lender.lent[START // 60 + minute]


@pytest.mark.parametrize("said", [-5, 0, 10**9])
async def test_a_number_that_cannot_be_is_no_loan(said: int) -> None:
    class Stranger(Lender):
        async def lend(self, minute: int, wanted: int) -> int:
            self.asked[minute] += 1
            return said

    stranger = Stranger()
    result = await borrowed(stranger, backlog(3000), 120)

    assert stranger.asked
    assert max(result.in_minute(0), result.in_minute(1)) <= ALLOWED


async def test_a_loan_that_arrives_a_minute_late_changes_nothing() -> None:
    rows = Rows()
    tokens = tokens_over(rows, rate())
    noon = datetime.fromtimestamp(START, UTC)
    clock = [noon + timedelta(seconds=20)]

    async def slept(_: int, wanted: int) -> int:
        clock[0] += timedelta(seconds=60)
        return wanted

    for _ in range(200):
        await tokens.take(clock[0], "bulk")
    await Borrower(cast(KeyTable, rows), tokens, slept, lambda: clock[0]).run_once()
    assert rows.lent[START // 60] > 0

    had = 0
    while had < 5000 and await tokens.take(clock[0], "save") is None:
        had += 1
    assert had == ALLOWED
