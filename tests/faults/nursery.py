"""Forks services that are imported already: a start costs 0.1 s instead of a second of a core.

``python -m tests.faults.nursery``, connected by `FAULTS_SOCKET` as every process under test is. It hears ``{"start":
name, "service": …, "env": {…}, "log": path}`` and says ``{"event": "started", "name": …, "pid": …}`` and ``{"event":
"ended", "pid": …, "status": …}``. What it starts is of its own process group, so that whoever ends that group ends all.
"""

import os
import select
import signal
import sys
import traceback
from typing import Any

from tests.faults import entry
from tests.faults.channel import Channel


def main() -> None:
    """Serve until the harness hangs up; then nothing of what was started is left."""
    channel = Channel.from_environment()
    assert channel is not None, "the nursery needs FAULTS_SOCKET"
    entry.preload()
    wake_read, wake_write = os.pipe()
    os.set_blocking(wake_write, False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.set_wakeup_fd(wake_write, warn_on_full_buffer=False)
    children: set[int] = set()
    channel.send({"event": "ready"})
    try:
        while True:
            readable, _, _ = select.select([channel.fileno(), wake_read], [], [])
            if wake_read in readable:
                os.read(wake_read, 4096)
                _reap(channel, children)
            if channel.fileno() in readable:
                for order in channel.received():
                    pid = _fork(order, (channel.fileno(), wake_read, wake_write))
                    children.add(pid)
                    channel.send({"event": "started", "name": order["start"], "pid": pid})
                if channel.closed:
                    return
    finally:
        for pid in children:
            os.kill(pid, signal.SIGKILL)


def _fork(order: dict[str, Any], inherited: tuple[int, ...]) -> int:
    pid = os.fork()
    if pid:
        return pid
    status = 1
    try:
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        for number in inherited:
            os.close(number)
        log = os.open(order["log"], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        os.dup2(log, 1)
        os.dup2(log, 2)
        os.environ.update(order["env"])
        status = entry.main(order["service"])
    except SystemExit as ending:
        status = ending.code if isinstance(ending.code, int) else 1
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)


def _reap(channel: Channel, children: set[int]) -> None:
    for pid in tuple(children):
        ended, status = os.waitpid(pid, os.WNOHANG)
        if ended:
            children.discard(pid)
            channel.send({"event": "ended", "pid": pid, "status": os.waitstatus_to_exitcode(status)})


if __name__ == "__main__":
    main()
