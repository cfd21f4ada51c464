"""Child processes that start with a reason or fail with one, and that never stay behind.

Every child leads a session of its own, writes to a log file, and is stopped as a whole process group. `guard` stops
the children of a parent that was killed; a `detached` child (`devstack up`) is left to `devstack down`.
"""

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from pathlib import Path
from typing import Any

from devstack import guard
from devstack.errors import DevstackError

POLL_SECONDS = 0.03
LOG_TAIL_LINES = 40

Check = Callable[[], Awaitable[str | None]]
"""Says why something is not ready yet, or None when it is."""


class StartFailed(DevstackError):
    """A process ended, or was not ready in time. Fields: name, reason, log (path), tail (its last lines)."""

    def __init__(self, name: str, reason: str, log: Path) -> None:
        self.name, self.reason, self.log, self.tail = name, reason, log, tail(log)
        super().__init__(f"{name} did not start: {reason}\n--- last lines of {log}\n{self.tail}\n---")


def tail(log: Path, lines: int = LOG_TAIL_LINES) -> str:
    """Returns the last lines of a log file, or a remark when there are none."""
    text = log.read_text(errors="replace").splitlines() if log.exists() else []
    return "\n".join(text[-lines:]) or "(nothing was logged)"


async def wait_until(check: Check, within_seconds: float) -> str | None:
    """Polls until the check passes; returns None then, or the last reason when the time is up."""
    deadline = time.monotonic() + within_seconds
    while (reason := await check()) is not None:
        if time.monotonic() > deadline:
            return reason
        await asyncio.sleep(POLL_SECONDS)
    return None


class Child:
    """One running child process. Fields: name, pid (= process group), log (path), stop_signal."""

    def __init__(self, name: str, process: subprocess.Popen[bytes], log: Path, stop_signal: int) -> None:
        self.name, self.log, self.stop_signal = name, log, stop_signal
        self.pid = process.pid
        self._process = process

    @property
    def returncode(self) -> int | None:
        """The exit status, negative for a signal; None while it runs."""
        return self._process.poll()

    async def ready(self, check: Check, within_seconds: float) -> None:
        """Waits for readiness; raises `StartFailed` at once when the process ends, or when the time is up.

        A child that did not get ready is stopped before the error is raised, also when the wait is cancelled.
        """

        async def alive_and_ready() -> str | None:
            # The check may hang, on somebody else's server at our port for one: the end of the child ends it.
            checking = asyncio.ensure_future(check())
            try:
                while not checking.done() and self.returncode is None:
                    await asyncio.wait({checking}, timeout=POLL_SECONDS)
                return None if self.returncode is not None else await checking
            finally:
                checking.cancel()

        try:
            reason = await wait_until(alive_and_ready, within_seconds)
        except BaseException:
            await self.stop()
            raise
        if self.returncode is not None:
            reason = f"it ended with status {self.returncode}"
        elif reason is not None:
            reason = f"not ready within {within_seconds:.0f} s: {reason}"
        if reason is not None:
            await self.stop()
            raise StartFailed(self.name, reason, self.log)

    async def stop(self, within_seconds: float = 10.0) -> None:
        """Stops the whole group: the stop signal, then SIGKILL for whatever is left. Safe to repeat."""

        async def ended() -> str | None:
            return None if self.returncode is not None else "still running"

        if self.returncode is None:
            guard.signal_group(self.pid, self.stop_signal)
            await wait_until(ended, within_seconds)
        # The leader may be gone while a grandchild is not: the group gets its SIGKILL in either case.
        await self.kill()

    async def kill(self) -> None:
        """Sends SIGKILL to the whole group and waits for the leader's end."""
        guard.signal_group(self.pid, signal.SIGKILL)
        await asyncio.to_thread(self._process.wait)
        _forget(self.pid)


def start(
    name: str,
    command: Sequence[str],
    *,
    log: Path,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    user: tuple[int, int] | None = None,
    stop_signal: int = signal.SIGTERM,
    detached: bool = False,
) -> Child:
    """Starts a child in a session of its own; standard output and error are appended to `log`.

    `env` is added to our own environment; `user` is the (uid, gid) to run as, without further groups.
    A `detached` child survives us; any other ends when we end, whatever ends us.
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    uid, gid = user or (None, None)
    with log.open("ab") as output:
        process = subprocess.Popen(
            list(command),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env={**os.environ, **(env or {})},
            cwd=cwd,
            user=uid,
            group=gid,
            extra_groups=None if user is None else [],
            start_new_session=True,
        )
    if not detached:
        _watch(process.pid, stop_signal)
    return Child(name, process, log, stop_signal)


def run(main: Coroutine[Any, Any, int]) -> int:
    """Runs a program's main coroutine; SIGTERM and Ctrl-C cancel it, so that its `finally` blocks stop the children."""

    async def cancellable() -> int:
        task = asyncio.ensure_future(main)
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, task.cancel)
        try:
            return await task
        except asyncio.CancelledError:
            return 130

    return asyncio.run(cancellable())


_guard: tuple[int, subprocess.Popen[str]] | None = None


def _tell_guard(line: str) -> None:
    global _guard
    # A forked copy of us must not write to its parent's guard, hence the pid.
    if _guard is None or _guard[0] != os.getpid():
        process = subprocess.Popen(
            [sys.executable, "-I", "-S", guard.__file__], stdin=subprocess.PIPE, text=True, start_new_session=True
        )
        _guard = (os.getpid(), process)
    pipe = _guard[1].stdin
    assert pipe is not None
    pipe.write(line)
    pipe.flush()


def _watch(pid: int, stop_signal: int) -> None:
    _tell_guard(f"+{pid} {stop_signal}\n")


def _forget(pid: int) -> None:
    if _guard is not None and _guard[0] == os.getpid():
        _tell_guard(f"-{pid}\n")
