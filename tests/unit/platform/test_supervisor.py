"""Starting, watching and stopping the process's loops."""

import asyncio

import pytest

from zerotouch_platform.supervisor import LoopEnded, Loops


class Part:
    """Runs until it is asked to stop, or fails at once."""

    def __init__(self, *, fails: bool = False, deaf: bool = False) -> None:
        self.fails, self.deaf = fails, deaf
        self.started, self.stopping = asyncio.Event(), asyncio.Event()
        self.ended = False

    async def run_forever(self) -> None:
        self.started.set()
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
    await deaf.started.wait()
    await loops.stop("deaf", seconds_max=0.01)
    assert deaf.ended


class Ending:
    """Ends at once, with an error or without one; or only when it is cancelled."""

    def __init__(self, error: BaseException | None = None, *, waits: bool = False) -> None:
        self._error, self._waits = error, waits

    async def run_forever(self) -> None:
        if self._waits:
            await asyncio.Event().wait()
        if self._error is not None:
            raise self._error

    def stop(self) -> None:
        return


@pytest.mark.parametrize("error", [None, asyncio.CancelledError()])
async def test_an_end_by_itself_is_an_error_of_the_whole_group(error: BaseException | None) -> None:
    loops = Loops()
    loops.start("waiting", Ending(waits=True))
    loops.start("Ending", Ending(error))
    with pytest.raises(LoopEnded, match="Ending"):
        await loops.until_ended(asyncio.Event())
    await loops.stop("waiting", seconds_max=0)


async def test_its_own_error_is_kept() -> None:
    loops = Loops()
    loops.start("Ending", Ending(ValueError("broken")))
    with pytest.raises(LoopEnded) as caught:
        await loops.until_ended(asyncio.Event())
    with pytest.raises(ValueError, match="broken"):
        raise caught.value.__cause__ or caught.value


async def test_an_end_that_was_asked_for_is_in_order() -> None:
    loops, stopping = Loops(), asyncio.Event()
    loops.start("Ending", Ending())
    stopping.set()
    await loops.until_ended(stopping)
    await loops.stop("Ending", seconds_max=1)


async def test_watching_can_be_cancelled() -> None:
    loops = Loops()
    loops.start("waiting", Ending(waits=True))
    task = asyncio.create_task(loops.until_ended(asyncio.Event()))
    await asyncio.sleep(0)  # it begins to watch
    task.cancel()
    await asyncio.wait([task])
    assert task.cancelled()
    await loops.stop("waiting", seconds_max=0)
