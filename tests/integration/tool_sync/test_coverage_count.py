"""Coverage is counted again only where the count can have changed, and for a small share of the time."""

import asyncio
from uuid import uuid4

from tests.support.eventually import eventually

from tool_sync import db
from tool_sync.domain.events import OrgRegistered, SyncRequested
from tool_sync.log import AppendRequest, EventLog, Meta, NewEvent, org_stream
from tool_sync.queries.coverage import CoverageCount
from tool_sync.queries.kept import KEPT_SECONDS_MAX, KEYS_MAX, SHARE, WAITED_SECONDS_MAX, Kept, KeptBy

META = Meta("cause", "correlation", None, "test", "1")


class Clock:
    """Seconds that a test sets; each reading takes ``step_seconds``."""

    def __init__(self, step_seconds: float = 0.0) -> None:
        self.now, self.step_seconds = 0.0, step_seconds

    def __call__(self) -> float:
        self.now += self.step_seconds
        return self.now


async def save(log: EventLog) -> int:
    org_id = uuid4()
    what = (OrgRegistered("basic"), SyncRequested(uuid4(), "a", "vapi-a", 1, "a" * 64, "save", None))
    new = tuple(NewEvent(uuid4(), event) for event in what)
    await log.append(AppendRequest(org_stream(org_id), org_id, None, new, META))
    return (await log.read(0, 1)).head


async def counted(pool: db.Pool, count: CoverageCount, head: int) -> tuple[int, int]:
    """Assistants, and the position of the count; of no tool, as none is published."""
    async with pool.acquire() as connection:
        found = await count.at(connection, head)
    return found.without_tools, found.position


async def test_a_count_is_kept_while_the_log_stands_still(pool: db.Pool, event_log: EventLog) -> None:
    clock = Clock()
    count = CoverageCount(clock)
    head = await save(event_log)
    assert await counted(pool, count, head) == (1, head)
    newer = await save(event_log)
    assert await counted(pool, count, head) == (1, head), "as if nobody had appended: it is not read again"
    assert await counted(pool, count, newer) == (2, newer)


async def test_a_count_that_takes_long_is_made_seldom(pool: db.Pool, event_log: EventLog) -> None:
    clock = Clock(step_seconds=1.0)
    count = CoverageCount(clock)
    head = await save(event_log)
    assert await counted(pool, count, head) == (1, head)
    newer = await save(event_log)
    clock.now += SHARE - 5
    assert await counted(pool, count, newer) == (1, head)
    clock.now += 5
    assert await counted(pool, count, newer) == (2, newer)


async def test_nobody_waits_for_a_count_that_takes_long_but_who_asks_first(pool: db.Pool) -> None:
    going, clock, made = asyncio.Event(), Clock(step_seconds=2 * WAITED_SECONDS_MAX), list[int]()

    async def make(_: db.Connection) -> int:
        if made:
            await going.wait()
        made.append(len(made))
        return made[-1]

    kept = Kept(make, clock, pool.acquire)
    async with pool.acquire() as connection:
        assert await kept.at(connection, head=1) == 0
        clock.now += KEPT_SECONDS_MAX
        assert [await kept.at(connection, head=2) for _ in range(3)] == [0, 0, 0]
        going.set()
        await eventually(lambda: _is(made, [0, 1]))
        assert await kept.at(connection, head=2) == 1


async def test_a_count_that_fails_beside_those_who_ask_is_made_again(pool: db.Pool) -> None:
    clock, tries = Clock(step_seconds=2 * WAITED_SECONDS_MAX), list[int]()

    async def make(_: db.Connection) -> int:
        tries.append(1)
        if len(tries) == 2:
            raise OSError("away")
        return len(tries)

    kept = Kept(make, clock, pool.acquire)
    async with pool.acquire() as connection:
        assert await kept.at(connection, head=1) == 1
        clock.now += KEPT_SECONDS_MAX

        async def newest() -> bool:
            return await kept.at(connection, head=2) == 3

        await eventually(newest)


async def _is(found: list[int], wanted: list[int]) -> bool:
    return found == wanted


async def test_what_a_rebuild_may_have_mended_is_counted_in_the_end(pool: db.Pool, event_log: EventLog) -> None:
    clock = Clock()
    count = CoverageCount(clock)
    head = await save(event_log)
    await counted(pool, count, head)
    newer = await save(event_log)
    clock.now = KEPT_SECONDS_MAX
    assert await counted(pool, count, head) == (2, newer)


async def test_of_many_keys_the_newest_few_are_kept(pool: db.Pool) -> None:
    made = list[int]()

    async def make(_: db.Connection, key: int) -> int:
        made.append(key)
        return -key

    kept = KeptBy(make)
    async with pool.acquire() as connection:
        for key in (*range(KEYS_MAX), 0, KEYS_MAX, 0, 1):
            assert await kept.at(key, connection, head=1) == -key
    assert made == [*range(KEYS_MAX), KEYS_MAX, 1], "0 was asked for again, so that 1 was the oldest"
