"""The allowed rate: replicas draw from one row per UTC minute, and never more than it has."""

import asyncio
from collections import Counter
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

import pytest
from tests.unit.tool_sync.vapi.minutes import Rows

from tool_sync.db import Pool
from tool_sync.vapi.rate_limit import KeyTable
from tool_sync.vapi.rate_limit.borrowing import Borrower
from tool_sync.vapi.rate_limit.tokens import Tokens

from .keys import at, calls, rate, replica, saved_orgs, shared_key
from .world import World

NOON = datetime(2026, 11, 24, 12, 0, 10, tzinfo=UTC)


async def taken(tokens: Tokens, now: datetime, lane: Any, tries: int) -> int:
    return [await tokens.take(now, lane) for _ in range(tries)].count(None)


async def test_two_replicas_together_take_what_the_minute_has_and_the_next_minute_has_it_again(world: World) -> None:
    one, other = (Tokens(KeyTable(world.pool, "k"), rate(100)) for _ in range(2))

    both = await asyncio.gather(*(taken(tokens, NOON, "save", 30) for tokens in (one, other) * 3))

    assert sum(both) == 100
    assert await one.take(NOON, "save") == NOON.replace(minute=1, second=0)
    later = NOON + timedelta(minutes=1)
    assert sum(await asyncio.gather(taken(one, later, "save", 80), taken(other, later, "save", 80))) <= 100
    assert await world.pool.fetchval("SELECT max(used) FROM key_minutes") <= 100


async def test_bulk_work_of_two_replicas_never_has_more_than_the_minute_has_reached(world: World) -> None:
    shared = rate(590)  # ten a second, from 0 to 59
    one, other = (Tokens(KeyTable(world.pool, "k"), shared) for _ in range(2))

    assert await taken(one, NOON, "bulk", 200) == 30, "three seconds are caught up"
    assert await taken(other, NOON, "bulk", 200) == 30
    assert await taken(one, NOON + timedelta(seconds=1), "bulk", 200) == 10
    assert await taken(one, NOON + timedelta(seconds=1), "save", 600) == 590 - 70, "the rest of the minute is for saves"
    assert await taken(other, NOON + timedelta(seconds=2), "bulk", 200) == 0


async def test_bulk_work_has_what_saves_do_not_need_and_leaves_what_they_need_at_the_turn(world: World) -> None:
    shared = rate(590, late_seconds=1.5, early_seconds=0.5)
    tokens = Tokens(KeyTable(world.pool, "k"), shared)
    start = NOON.replace(second=0)

    had = sum([await taken(tokens, start + timedelta(seconds=s / 4), "bulk", 30) for s in range(4 * 60)])

    assert shared.ceiling == 590 - 8
    assert had in (581, 582)
    assert await taken(tokens, start + timedelta(seconds=59), "save", 100) == 8


async def test_what_bulk_work_has_begun_goes_on_before_the_pace_allows_more(world: World) -> None:
    tokens = Tokens(KeyTable(world.pool, "k"), rate(59))
    assert await taken(tokens, NOON, "bulk", 10) == 3

    assert await taken(tokens, NOON, "begun", 3) == 3

    later = NOON + timedelta(seconds=2)
    assert await taken(tokens, later, "bulk", 10) == 0, "what went on was early"
    assert await taken(tokens, later + timedelta(seconds=2), "bulk", 10) == 1


async def test_near_the_turn_of_a_minute_a_request_is_taken_from_both_and_what_is_left_is_void(world: World) -> None:
    tokens = Tokens(KeyTable(world.pool, "k"), rate(10, late_seconds=1.5, early_seconds=0.5))
    end = NOON.replace(second=59)

    assert await taken(tokens, NOON, "save", 4) == 4
    assert await taken(tokens, end, "save", 3) == 3
    assert await taken(tokens, end + timedelta(seconds=1.4), "save", 2) == 2
    assert await taken(tokens, NOON + timedelta(minutes=1), "save", 100) == 5
    assert await taken(tokens, NOON + timedelta(minutes=2), "save", 100) == 10


async def test_a_429_halves_what_is_left_of_the_minute(world: World) -> None:
    tokens = Tokens(KeyTable(world.pool, "k"), rate(100, batch=10))
    assert await taken(tokens, NOON, "save", 20) == 20

    await tokens.lower(NOON)

    assert await taken(tokens, NOON, "save", 100) == 40
    assert await taken(tokens, NOON + timedelta(minutes=1), "save", 200) == 100


async def test_the_row_in_memory_that_the_minutes_are_tested_with_answers_as_the_table_does(world: World) -> None:
    table, rows, random = KeyTable(world.pool, "k"), Rows(), Random(7)
    for _ in range(300):
        minute = random.randint(1, 3)
        asked = minute, random.randint(0, 9), random.randint(0, 40)
        match random.randrange(4):
            case 0:
                assert await rows.ask(minute) == await table.ask(minute)
            case 1 if minute in rows.asked:
                assert await rows.borrow(minute, asked[1]) == await table.borrow(minute, asked[1])
            case _:
                assert await rows.draw(*asked) == await table.draw(*asked), asked


async def test_every_replica_uses_what_one_has_borrowed_and_a_429_halves_it_too(world: World) -> None:
    table, shared = KeyTable(world.pool, "k"), rate(590, late_seconds=1.5, early_seconds=0.5)
    one, other = Tokens(table, shared), Tokens(table, shared)
    for _ in range(200):
        await one.take(NOON, "bulk")
    minute = int(NOON.timestamp() // 60)
    lent: list[tuple[int, int]] = []

    async def lend(of: int, wanted: int) -> int:
        lent.append((of, wanted))
        return 100

    borrowers = [Borrower(table, tokens, lend, lambda: NOON) for tokens in (one, other, one)]
    assert [await borrower.run_once() for borrower in borrowers] == [True, False, False]

    assert [of for of, _ in lent] == [minute]
    row = await world.pool.fetchrow("SELECT lent, used FROM key_minutes WHERE minute = $1", minute)
    assert row is not None
    assert row["lent"] == 100
    await other.take(NOON, "save")  # a draw tells it
    await other.lower(NOON)
    left = (590 + 100 - row["used"] - 1) // 2
    assert abs(await taken(other, NOON, "save", 1000) - left) <= 1


async def test_two_processes_never_send_more_than_the_rate_and_go_on_in_the_next_minute(world: World) -> None:
    await saved_orgs(world, 30)  # three calls each
    one, other = (replica(world, rate=rate(40, late_seconds=0.3, early_seconds=0.1)) for _ in range(2))

    async def work() -> None:
        for reconciler in (one, other):
            await reconciler.run_once()
        await asyncio.gather(one.drain(), other.drain())

    for _ in range(8):
        await work()

    by_minute = Counter(at(call).replace(second=0, microsecond=0) for call in await calls(world))
    assert max(by_minute.values()) <= 40
    assert by_minute.total() >= 40
    held = await world.pool.fetch("SELECT next_due FROM leases WHERE next_due IS NOT NULL")
    assert held, "what is left waits"
    assert {row["next_due"].replace(microsecond=0).second for row in held} == {0}


async def test_without_a_rate_and_a_pause_a_call_costs_no_statement(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = shared_key(world, read_seconds=60.0)
    now = await world.now()
    assert await key.admit(now, "save") is None
    await key.note("answered", now, 0.5)

    def refuse(*_: Any) -> Any:
        raise AssertionError("a statement")

    for name in ("execute", "fetchrow", "fetchval", "fetch"):
        monkeypatch.setattr(Pool.__origin__ if hasattr(Pool, "__origin__") else type(world.pool), name, refuse)
    for _ in range(1000):
        assert await key.admit(now, "save") is None
        assert await key.note("answered", now, 0.5) is None
