"""A loop that ends before it was asked to is no end in order, whatever it ended with."""

import asyncio

import pytest

from assistant_api import loops


class Ending:
    """Ends at once, with an error or without one; or only when it is cancelled."""

    def __init__(self, error: BaseException | None = None, *, waits: bool = False) -> None:
        self._error, self._waits = error, waits

    async def run_forever(self) -> None:
        if self._waits:
            await asyncio.Event().wait()
        if self._error is not None:
            raise self._error


@pytest.mark.parametrize("error", [None, asyncio.CancelledError()])
async def test_an_end_by_itself_is_an_error_of_the_whole_group(error: BaseException | None) -> None:
    async def together() -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(loops.run(Ending(waits=True), lambda: False))
            group.create_task(loops.run(Ending(error), lambda: False))

    with pytest.raises(ExceptionGroup) as caught:
        await together()
    assert caught.group_contains(loops.LoopEnded, match="Ending")


async def test_its_own_error_is_kept() -> None:
    with pytest.raises(ValueError, match="broken"):
        await loops.run(Ending(ValueError("broken")), lambda: False)


async def test_an_end_that_was_asked_for_is_in_order() -> None:
    await loops.run(Ending(), lambda: True)


async def test_it_can_be_cancelled() -> None:
    task = asyncio.create_task(loops.run(Ending(waits=True), lambda: False))
    await asyncio.sleep(0)
    task.cancel()
    await asyncio.wait([task])
    assert task.cancelled()
