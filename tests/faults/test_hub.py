"""What the harness makes of a process that kills itself while it is being told something."""

import asyncio
import signal
from pathlib import Path
from typing import Any

import pytest
from tests.faults.gate import Point
from tests.faults.hub import Process

KILL = Point("append", "before", "KILL")


class Dead:
    """The channel of a process that is gone: what it told last cannot be read any more."""

    def __init__(self, process: Process, status: int) -> None:
        self._process, self._status = process, status

    def write(self, _: bytes) -> None:
        asyncio.get_running_loop().call_soon(self._process.has_ended, self._status)

    async def drain(self) -> None:
        raise ConnectionResetError("Connection lost")


def process_with(status: int) -> Process:
    process = Process("tool-sync", Path("log"))
    channel: Any = Dead(process, status)
    process.writer = channel
    return process


@pytest.mark.parametrize(("status", "fired"), [(-signal.SIGKILL, True), (1, False)])
async def test_a_process_that_was_to_kill_itself_and_is_gone_did_so(status: int, fired: bool) -> None:
    process = process_with(status)

    await process.arm(KILL)

    assert (process.ended.is_set(), process.fired.is_set()) == (True, fired)


async def test_a_process_that_was_killed_unarmed_did_not_fire() -> None:
    process = process_with(-signal.SIGKILL)

    await process.arm(None)

    assert (process.ended.is_set(), process.fired.is_set()) == (True, False)


async def test_once_disarmed_a_kill_is_somebody_elses() -> None:
    process = process_with(0)
    await process.arm(KILL)
    process.heard({"event": "armed", "point": None})

    process.has_ended(-signal.SIGKILL)

    assert not process.fired.is_set()
