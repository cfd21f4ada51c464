"""The process that outlives us by a moment, so that nothing else does.

A parent that is killed cannot stop its children. This guard can: it reads `+<pid> <signal>` and `-<pid>` lines on
standard input, and when that pipe closes, however its writer ended, it stops every process group still on the list.
It runs in a session of its own (Ctrl-C does not reach it) and imports the standard library only.
"""

import os
import signal
import sys
import time

STOP_SECONDS = 15.0
POLL_SECONDS = 0.05


def group_exists(pgid: int) -> bool:
    """Says whether any process of the group is left, zombies included."""
    try:
        os.killpg(pgid, 0)
    except ProcessLookupError:
        return False
    return True


def signal_group(pgid: int, number: int) -> bool:
    """Signals a process group; False when nobody was left to receive it."""
    try:
        os.killpg(pgid, number)
    except ProcessLookupError:
        return False
    return True


def main() -> None:
    """Keeps the list until the pipe closes, then stops what is still on it."""
    groups: dict[int, int] = {}
    for line in sys.stdin:
        if line.startswith("+"):
            pgid, number = line[1:].split()
            groups[int(pgid)] = int(number)
        else:
            groups.pop(int(line[1:]), None)
    for pgid, number in groups.items():
        signal_group(pgid, number)
    deadline = time.monotonic() + STOP_SECONDS
    while any(map(group_exists, groups)) and time.monotonic() < deadline:
        time.sleep(POLL_SECONDS)
    for pgid in groups:
        signal_group(pgid, signal.SIGKILL)


if __name__ == "__main__":
    main()
