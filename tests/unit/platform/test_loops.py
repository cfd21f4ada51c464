"""A loop: when it runs again, what it waits out, what it says and how it ends."""

import asyncio
import logging
from collections.abc import Awaitable, Callable

import pytest
from structlog.testing import capture_logs

from zerotouch_platform.loops import Loop, Wake, cut_off, pause

LONG_SECONDS = 60.0


class Script:
    """Runs that answer, or raise, one thing after the other; the last one ends the loop."""

    def __init__(self, *runs: object) -> None:
        self.runs, self.loop = list(runs), None

    def looped(self, *, at_end: Callable[[], Awaitable[None]] | None = None, **options: object) -> Loop:
        """The loop of this script."""
        settings: dict[str, object] = {"pause_seconds": 0.0, "waits": "it waits", "transient": (OSError,), **options}
        self.loop = Loop(run_once=self.run_once, at_end=at_end, **settings)  # type: ignore[arg-type, assignment]
        assert self.loop is not None
        return self.loop

    async def run_once(self) -> object:
        """The next answer."""
        run = self.runs.pop(0)
        if not self.runs and self.loop is not None:
            self.loop.stop()
        if isinstance(run, Exception):
            raise run
        return run


async def within_a_second(loop: Loop) -> None:
    async with asyncio.timeout(1):
        await loop.run_forever()


async def test_an_eager_loop_runs_again_at_once_while_it_finds_something() -> None:
    script = Script(2, True, 1, None)
    await within_a_second(script.looped(pause_seconds=LONG_SECONDS, eager=True))
    assert script.runs == []


@pytest.mark.parametrize(("found", "eager"), [(0, True), (7, False)])
async def test_otherwise_it_pauses_until_it_is_woken(found: object, eager: bool) -> None:
    script = Script(found, None)
    loop = script.looped(pause_seconds=lambda: LONG_SECONDS, eager=eager)
    running = asyncio.create_task(loop.run_forever())
    await asyncio.sleep(0.01)  # the time in which it does not run again
    assert len(script.runs) == 1
    loop.wake()
    async with asyncio.timeout(1):
        await running


async def test_a_call_during_the_run_is_remembered_and_one_before_it_is_not() -> None:
    runs = 0

    async def run_once() -> None:
        nonlocal runs
        runs += 1
        if runs == 1:
            loop.wake()

    loop = Loop(run_once, LONG_SECONDS, "it waits", ())
    loop.wake()
    running = asyncio.create_task(loop.run_forever())
    await asyncio.sleep(0.01)  # the time in which it does not run a third time
    assert runs == 2, "the first one saw what came before it"
    loop.stop()
    await running


async def test_what_is_waited_out_is_said_once_and_again_after_it_worked() -> None:
    script = Script(OSError("gone"), OSError("still gone"), None, OSError("again\nand more"), None)
    with capture_logs() as logs:
        await within_a_second(script.looped())
    assert [(line["event"], line["log_level"], line["reason"]) for line in logs] == [
        ("it waits", "warning", "OSError: gone"),
        ("it waits", "warning", "OSError: again"),
    ]


async def test_it_can_be_said_more_quietly() -> None:
    with capture_logs() as logs:
        await within_a_second(Script(OSError(), None).looped(level=logging.DEBUG))
    assert [(line["log_level"], line["reason"]) for line in logs] == [("debug", "OSError")]


async def test_a_fault_is_an_alarm_once_and_does_not_end_it() -> None:
    script = Script(ValueError("a bug"), ValueError("a bug"), OSError("gone"), ValueError("a bug"), None)
    with capture_logs() as logs:
        await within_a_second(script.looped(fault="a fault of ours"))
    assert [line["event"] for line in logs] == ["a fault of ours", "it waits", "a fault of ours"]
    assert [line.get("alarm") for line in logs] == [True, None, True]


async def test_where_none_is_named_a_fault_ends_it() -> None:
    with pytest.raises(ValueError, match="a bug"):
        await within_a_second(Script(ValueError("a bug"), None).looped())


@pytest.mark.parametrize("runs", [(None,), (ValueError("a bug"), None)])
async def test_what_belongs_to_its_end_is_done_however_it_ends(runs: tuple[object, ...]) -> None:
    ended = asyncio.Event()

    async def end() -> None:
        ended.set()

    await asyncio.wait([asyncio.create_task(Script(*runs).looped(at_end=end).run_forever())], timeout=1)
    assert ended.is_set()


async def test_a_stop_ends_the_pause() -> None:
    loop = Script(None, None).looped(pause_seconds=LONG_SECONDS)
    running = asyncio.create_task(loop.run_forever())
    await asyncio.sleep(0)  # it runs once and begins to pause
    assert not loop.stopping
    loop.stop()
    async with asyncio.timeout(1):
        await running


async def test_several_calls_wake_once() -> None:
    wake = Wake()
    wake()
    wake()
    async with asyncio.timeout(1):
        await wake.wait(LONG_SECONDS)
    began = asyncio.get_running_loop().time()
    await wake.wait(0.02)
    assert asyncio.get_running_loop().time() - began >= 0.02


async def test_a_pause_says_whether_it_was_ended() -> None:
    event = asyncio.Event()
    assert not await pause(event, 0.001)
    event.set()
    assert await pause(event, LONG_SECONDS)


async def test_who_takes_its_cancellation_for_another_is_cancelled_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("zerotouch_platform.loops.CUT_OFF_AGAIN_SECONDS", 0.01)
    cancelled = 0

    async def deaf_once() -> None:
        nonlocal cancelled
        while True:
            try:
                await asyncio.sleep(LONG_SECONDS)
            except asyncio.CancelledError:
                cancelled += 1
                if cancelled > 1:
                    raise

    async def failing() -> None:
        raise OSError

    tasks = [asyncio.create_task(deaf_once()), asyncio.create_task(failing())]
    await asyncio.sleep(0)
    async with asyncio.timeout(LONG_SECONDS / 10):
        await cut_off(*tasks)
    assert (cancelled, [task.done() for task in tasks]) == (2, [True, True])
