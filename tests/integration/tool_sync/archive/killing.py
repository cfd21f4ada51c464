"""``tool-sync`` in a process that is killed, or refused by the disk, at the n-th time that it does something.

    python killing.py STEP N log archive …

``STEP`` is a function of ``os``, with ``before-`` in front to die before it, or ``bytes``: no file may grow above N.
"""

import os
import resource
import signal
import sys
from collections.abc import Callable
from typing import Any

from tool_sync.__main__ import main


def _dying(name: str, at: int, *, before: bool) -> Callable[..., Any]:
    real, calls = getattr(os, name), 0

    def call(*arguments: Any, **options: Any) -> Any:
        nonlocal calls
        calls += 1
        if before and calls == at:
            os.kill(os.getpid(), signal.SIGKILL)
        answer = real(*arguments, **options)
        if calls == at:
            os.kill(os.getpid(), signal.SIGKILL)
        return answer

    return call


if __name__ == "__main__":
    step, number = sys.argv[1], int(sys.argv[2])
    del sys.argv[1:3]
    if step == "bytes":
        sys.dont_write_bytecode = True  # or modules that are imported from here on would be cached cut short
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (number, number))
    else:
        name = step.removeprefix("before-")
        setattr(os, name, _dying(name, number, before=step != name))
    main()
