"""Starts a service as its own entry point does, with one addition: how long its event loop was blocked is written down.

    python -m tests.chaos.watch tool_sync FILE run

Each line of FILE is one block: when it ended, how long it took by the clock, how much of that the loop's own thread was
computing, and how much of this went into looking for garbage (and in which generations, with what found). The rest is
waiting: for a core, for a lock, or because the process was stopped.
"""

import asyncio
import functools
import gc
import json
import runpy
import sys
import time
from pathlib import Path
from typing import TextIO

import uvloop

TICK_SECONDS = 0.01
WRITTEN_SECONDS_MIN = 0.05

_new_event_loop = uvloop.new_event_loop


class Watch:
    """Ticks on the loop and notes every gap that is too long."""

    def __init__(self, loop: asyncio.AbstractEventLoop, file: TextIO) -> None:
        self._loop, self._file = loop, file
        self._began = self._clock = time.monotonic()
        self._computed = self._collected = self._collecting_since = 0.0
        self._searches: list[tuple[int, int]] = []

    def start(self) -> None:
        """Begin as soon as the loop runs."""
        gc.callbacks.append(self._garbage)
        self._loop.call_soon(self._first)

    def _first(self) -> None:
        self._began = self._clock = time.monotonic()
        self._computed = time.thread_time()
        self._loop.call_later(TICK_SECONDS, self._tick)

    def _tick(self) -> None:
        clock, computed = time.monotonic(), time.thread_time()
        blocked = clock - self._clock - TICK_SECONDS
        if blocked > WRITTEN_SECONDS_MIN:
            line = {
                "at": time.time(),
                "age": round(clock - self._began, 3),
                "seconds": round(blocked, 4),
                "computing": round(computed - self._computed, 4),
                "collecting": round(self._collected, 4),
                "searches": self._searches,
            }
            print(json.dumps(line), file=self._file, flush=True)
        self._clock, self._computed, self._collected, self._searches = clock, computed, 0.0, []
        self._loop.call_later(TICK_SECONDS, self._tick)

    def _garbage(self, phase: str, search: dict[str, int]) -> None:
        if phase == "start":
            self._collecting_since = time.perf_counter()
        else:
            self._collected += time.perf_counter() - self._collecting_since
            self._searches.append((search["generation"], search["collected"]))


def main() -> None:
    """Wrap the loop factory, then run the module under its own name with the rest of the arguments."""
    _, module, file, *arguments = sys.argv
    output = Path(file).open("a", encoding="utf-8")  # noqa: SIM115 - open as long as the process lives

    def watched() -> asyncio.AbstractEventLoop:
        loop = _new_event_loop()
        Watch(loop, output).start()
        return loop

    uvloop.new_event_loop = watched  # type: ignore[assignment]
    uvloop.run = functools.partial(uvloop.run, loop_factory=watched)  # type: ignore[arg-type]
    sys.argv = [module, *arguments]
    runpy.run_module(module, run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
