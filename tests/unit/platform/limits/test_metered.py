"""What a request computed is measured piece by piece, and nothing of it behaves otherwise."""

import asyncio
from collections.abc import Awaitable
from typing import TypeVar

import pytest

from zerotouch_platform.limits.metered import PIECE_SECONDS_MAX, Metered

T = TypeVar("T")


class Loop:
    """A clock that goes on where a test keeps the loop to itself, and what was told of it."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self.told: list[float] = []

    def computes(self, seconds: float) -> None:
        self.seconds += seconds

    def metered(self, work: Awaitable[T]) -> Metered[T]:
        return Metered(work, self.told.append, lambda: self.seconds)

    @property
    def spent(self) -> float:
        return sum(self.told)


async def test_only_its_own_pieces_count_not_what_others_compute_while_it_waits() -> None:
    loop, may_go_on = Loop(), asyncio.Event()

    async def work() -> str:
        loop.computes(0.025)
        await may_go_on.wait()
        loop.computes(0.05)
        return "done"

    async def neighbour() -> None:
        loop.computes(100.0)
        may_go_on.set()

    metered = loop.metered(work())
    _, result = await asyncio.gather(neighbour(), _awaited(metered))
    assert result == "done"
    assert loop.spent == pytest.approx(0.075)


async def test_a_pause_of_the_machine_is_no_clinics_work() -> None:
    loop = Loop()

    async def work() -> None:
        loop.computes(30.0)

    await loop.metered(work())
    assert loop.spent == PIECE_SECONDS_MAX


async def test_what_it_raises_is_raised_and_counted() -> None:
    loop = Loop()

    async def work() -> None:
        await asyncio.sleep(0)
        loop.computes(0.05)
        raise LookupError("no such agent")

    metered = loop.metered(work())
    with pytest.raises(LookupError, match="no such agent"):
        await metered
    assert loop.spent == pytest.approx(0.05)


@pytest.mark.parametrize("handles", [False, True])
async def test_a_cancellation_is_the_works_to_handle(handles: bool) -> None:
    loop, began = Loop(), asyncio.Event()

    async def work() -> str:
        began.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            loop.computes(0.05)
            if not handles:
                raise
        return "all the same"

    metered = loop.metered(work())
    task = asyncio.create_task(_awaited(metered))
    await began.wait()
    task.cancel()
    ended = (await asyncio.gather(task, return_exceptions=True))[0]
    assert ended == "all the same" if handles else isinstance(ended, asyncio.CancelledError)
    assert loop.spent == pytest.approx(0.05)


async def test_a_time_limit_and_a_group_of_tasks_hold_within_it() -> None:
    async def waits() -> None:
        await asyncio.Event().wait()

    async def work() -> str:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.01):
                await waits()
        async with asyncio.TaskGroup() as group:
            of_group = group.create_task(asyncio.sleep(0, "of a task"))
        return of_group.result()

    assert await Metered(work(), lambda _: None) == "of a task"


async def test_what_lasts_is_told_as_it_goes_on() -> None:
    loop, asked = Loop(), asyncio.Queue[float]()

    async def stream() -> None:
        while True:
            loop.computes(await asked.get())

    task = asyncio.create_task(_awaited(loop.metered(stream())))
    for seconds in (0.05, 0.001, 0.001, 0.025):
        asked.put_nowait(seconds)
        for _ in range(5):
            await asyncio.sleep(0)
    assert loop.told == [pytest.approx(0.05), pytest.approx(0.027)]
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def _awaited(work: Awaitable[T]) -> T:
    return await work
