"""Starting, watching and stopping the process's loops."""

import asyncio

import pytest

from tool_sync.loops import LoopEnded, Loops


class Part:
    """Runs until it is asked to stop, or fails at once."""

    def __init__(self, *, fails: bool = False, deaf: bool = False) -> None:
        self.fails, self.deaf = fails, deaf
        self.stopping = asyncio.Event()
        self.ended = False

    async def run_forever(self) -> None:
        try:
            if self.fails:
                raise ValueError("broken")
            await self.stopping.wait()
        finally:
            self.ended = True

    def stop(self) -> None:
        if not self.deaf:
            self.stopping.set()


async def test_it_waits_until_it_is_stopped() -> None:
    loops, part, stopping = Loops(), Part(), asyncio.Event()
    loops.start("part", part)
    waiting = asyncio.create_task(loops.until_ended(stopping))
    stopping.set()
    await waiting
    assert not part.ended
    await loops.stop("part", "unknown", seconds_max=1)
    assert part.ended


async def test_a_loop_that_ends_by_itself_is_named() -> None:
    loops = Loops()
    loops.start("good", good := Part())
    loops.start("bad", Part(fails=True))
    with pytest.raises(LoopEnded, match="'bad'") as caught:
        await loops.until_ended(asyncio.Event())
    assert isinstance(caught.value.__cause__, ValueError)
    await loops.stop("good", "bad", seconds_max=1)
    assert good.ended


async def test_so_is_one_that_a_library_cancelled() -> None:
    loops, part = Loops(), Part()
    loops.start("part", part)
    next(task for task in asyncio.all_tasks() if task.get_name() == "part").cancel()
    with pytest.raises(LoopEnded, match="'part'"):
        await loops.until_ended(asyncio.Event())


async def test_a_loop_that_does_not_listen_is_cancelled() -> None:
    loops = Loops()
    loops.start("deaf", deaf := Part(deaf=True))
    await asyncio.sleep(0)  # lets it start
    await loops.stop("deaf", seconds_max=0.01)
    assert deaf.ended
