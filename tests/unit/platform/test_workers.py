"""The supervisor over real processes, which do as little as a worker can."""

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from tests.support.eventually import eventually

SUPERVISOR = """
import asyncio, sys
from pathlib import Path
from zerotouch_platform import logs
from zerotouch_platform.server import bind
from zerotouch_platform import workers
workers.RESTART_SECONDS_MIN = 0.01
workers.STOP_WORKERS_SECONDS_MAX = 1.0
logs.set_up("test", level="INFO", log_file=None)
folder, count, port = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
command = [sys.executable, str(folder / "worker.py"), str(folder)]
sys.exit(asyncio.run(workers.Workers(command, count, bind("127.0.0.1", port)).run()))
"""

WORKER = """
import os, signal, sys, time
from pathlib import Path
from zerotouch_platform.worker import this_worker
worker = this_worker()
worker.end_with_supervisor()
mark = Path(sys.argv[1]) / f"{worker.number}.{worker.starts}.{os.getpid()}"
signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
"""
STEADY = WORKER + "mark.touch(); worker.works()\nwhile True: time.sleep(0.01)\n"
DEAF = WORKER + "signal.signal(signal.SIGTERM, signal.SIG_IGN); mark.touch(); worker.works(); time.sleep(60)\n"


def cannot_start(status: int) -> str:
    """A worker that says so and ends."""
    return WORKER + f"mark.touch(); sys.exit({status})\n"


class Machine:
    """A supervisor, and what its workers have left in their folder."""

    def __init__(self, process: asyncio.subprocess.Process, folder: Path) -> None:
        self.process, self.folder = process, folder

    def started(self) -> list[tuple[int, int, int]]:
        """Every process that was started: its number, which start of that number it was, its pid."""
        marks = [path.name for path in self.folder.iterdir() if path.name != "worker.py"]
        return sorted((int(n), int(starts), int(pid)) for n, starts, pid in (mark.split(".") for mark in marks))

    async def until_started(self, *numbers_and_starts: tuple[int, int]) -> dict[int, int]:
        """Wait for these starts, and no others; the newest pid by number."""

        async def seen() -> bool:
            return [(number, starts) for number, starts, _ in self.started()] == sorted(numbers_and_starts)

        await eventually(seen, within_seconds=20)
        return {number: pid for number, _, pid in self.started()}

    async def end(self, within_seconds: float = 60) -> tuple[int | None, list[dict[str, Any]]]:
        """The exit status and the lines of the log, once it has ended."""
        async with asyncio.timeout(within_seconds):
            output, errors = await self.process.communicate()
        assert errors == b""
        return self.process.returncode, [json.loads(line) for line in output.splitlines()]


@asynccontextmanager
async def machine(folder: Path, program: str, count: int = 2) -> AsyncIterator[Machine]:
    """A supervisor of ``count`` processes of a program; whatever is left at the end is killed."""
    (folder / "worker.py").write_text(program)
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", SUPERVISOR, str(folder), str(count), "0",
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    running = Machine(process, folder)
    try:
        yield running
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
        for _, _, pid in running.started():
            if runs(pid):
                os.kill(pid, signal.SIGKILL)


def runs(pid: int) -> bool:
    """Whether there is such a process; a zombie is none."""
    found = subprocess.run(["ps", "-o", "stat=", "-p", str(pid)], capture_output=True, text=True, check=False)
    return found.stdout.strip()[:1] not in ("", "Z")


def events(lines: list[dict[str, Any]]) -> list[str]:
    return [line["event"] for line in lines]


async def test_all_workers_run_and_sigterm_ends_them_in_order(tmp_path: Path) -> None:
    async with machine(tmp_path, STEADY, 3) as running:
        await running.until_started((1, 1), (2, 1), (3, 1))
        running.process.send_signal(signal.SIGTERM)
        status, lines = await running.end()
    assert (status, events(lines)) == (0, ["workers_start", "workers_stopped"])
    assert not any(runs(pid) for _, _, pid in running.started())


async def test_a_worker_that_is_killed_is_started_anew_and_the_others_are_left_alone(tmp_path: Path) -> None:
    async with machine(tmp_path, STEADY) as running:
        pids = await running.until_started((1, 1), (2, 1))
        os.kill(pids[2], signal.SIGKILL)
        assert (await running.until_started((1, 1), (2, 1), (2, 2)))[1] == pids[1]
        running.process.send_signal(signal.SIGTERM)
        status, lines = await running.end()
    assert status == 0
    [died] = [line for line in lines if line["event"] == "worker_ended"]
    assert (died["worker"], died["status"]) == (2, -signal.SIGKILL)


@pytest.mark.parametrize("status", [2, 3])
async def test_what_cannot_start_is_started_once_and_its_exit_status_is_the_supervisors(
    tmp_path: Path, status: int
) -> None:
    async with machine(tmp_path, cannot_start(status), 4) as running:
        assert (await running.end())[0] == status
    assert [(number, starts) for number, starts, _ in running.started()] == [(1, 1)]


async def test_a_worker_that_never_works_is_not_restarted_for_ever(tmp_path: Path) -> None:
    async with machine(tmp_path, cannot_start(1), 4) as running:
        status, lines = await running.end()
    assert (status, events(lines)[-2:]) == (1, ["workers_cannot_start", "workers_stopped"])
    assert [(number, starts) for number, starts, _ in running.started()] == [(1, start) for start in range(1, 6)]


async def test_pauses_between_restarts_grow(tmp_path: Path) -> None:
    async with machine(tmp_path, cannot_start(1)) as running:
        _, lines = await running.end()
    pauses = [line["again_in"] for line in lines if line["event"] == "worker_ended"]
    assert pauses == sorted(pauses)
    assert pauses[-1] >= 4 * pauses[0]


async def test_a_worker_that_does_not_stop_is_killed_and_the_exit_status_says_so(tmp_path: Path) -> None:
    async with machine(tmp_path, DEAF) as running:
        await running.until_started((1, 1), (2, 1))
        running.process.send_signal(signal.SIGINT)
        status, lines = await running.end()
    assert status == 1
    assert sorted(line["worker"] for line in lines if line["event"] == "worker_killed") == [1, 2]
    assert not any(runs(pid) for _, _, pid in running.started())


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSEGV])
async def test_no_worker_outlives_its_supervisor(tmp_path: Path, number: signal.Signals) -> None:
    async with machine(tmp_path, STEADY) as running:
        pids = await running.until_started((1, 1), (2, 1))
        running.process.send_signal(number)
        await running.process.wait()

        async def ended() -> bool:
            return not any(runs(pid) for pid in pids.values())

        await eventually(ended, within_seconds=10)


async def test_a_worker_that_hears_no_signal_does_not_outlive_it_either(tmp_path: Path) -> None:
    async with machine(tmp_path, DEAF) as running:
        pids = await running.until_started((1, 1), (2, 1))
        running.process.kill()

        async def ended() -> bool:
            return not any(runs(pid) for pid in pids.values())

        await eventually(ended, within_seconds=15)


async def test_sighup_restarts_the_workers_one_after_another(tmp_path: Path) -> None:
    async with machine(tmp_path, STEADY) as running:
        before = await running.until_started((1, 1), (2, 1))
        running.process.send_signal(signal.SIGHUP)
        after = await running.until_started((1, 1), (1, 2), (2, 1), (2, 2))
        assert not {*before.values()} & {*after.values()}
        running.process.send_signal(signal.SIGTERM)
        assert (await running.end())[0] == 0


async def test_a_release_that_does_not_start_takes_no_second_worker_with_it(tmp_path: Path) -> None:
    async with machine(tmp_path, STEADY) as running:
        before = await running.until_started((1, 1), (2, 1))
        (tmp_path / "worker.py").write_text(WORKER + "mark.touch(); time.sleep(60)\n")
        running.process.send_signal(signal.SIGHUP)
        await running.until_started((1, 1), (1, 2), (2, 1))
        assert runs(before[2])
        running.process.send_signal(signal.SIGTERM)
        await running.end()
