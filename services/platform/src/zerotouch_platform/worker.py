"""One of N processes of the same command on one machine: what its supervisor (`workers`) hands it.

A process without a supervisor is no :class:`Worker`, and everything here is as if this module were not there.
"""

import json
import os
import shutil
import signal
import socket
import threading
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

from zerotouch_platform.process import EXIT_CUT_OFF, STOP_SECONDS_MAX

VARIABLE: Final = "ZEROTOUCH_WORKER"
OPEN_SECONDS_MAX: Final = 5.0
WORKS: Final = b"works\n"


@dataclass(frozen=True, slots=True)
class Worker:
    """``number`` of ``count``, from 1; ``starts`` is how often this number was started, this time included.

    ``listening`` is the descriptor of the public port's socket, which all workers share, and ``channel`` that of the
    line to the supervisor. ``folder`` holds a socket for each worker, by which they ask each other.
    """

    number: int
    count: int
    starts: int
    listening: int
    channel: int
    folder: str

    @property
    def opens_after_seconds(self) -> float:
        """How long it leaves connections to its siblings at most while it starts: it would only answer that it starts.

        No time for the very first one: there is nobody yet, and it has to say what it waits for.
        """
        return 0.0 if self.number == self.starts == 1 else OPEN_SECONDS_MAX

    @property
    def owns_gauges(self) -> bool:
        """Whether it is this one that exports the gauges: all workers would look at the same rows."""
        return self.number == 1

    def socket_of(self, number: int) -> Path:
        """Where a worker answers its siblings."""
        return Path(self.folder) / str(number)

    def environment(self) -> dict[str, str]:
        """What the process of this worker is started with, besides its settings."""
        return {VARIABLE: json.dumps(asdict(self))}

    def works(self) -> None:
        """Tell the supervisor that the start is over. Nothing where the supervisor has ended: then so do we."""
        try:
            os.write(self.channel, WORKS)
        except OSError:
            return

    def end_with_supervisor(self) -> None:
        """End this process in order when the supervisor has ended, however it did.

        A thread, as it must work where the event loop is stuck. Not PR_SET_PDEATHSIG, which is Linux's alone and speaks
        of the end of the thread that forked.
        """
        threading.Thread(target=self._watch, name="supervisor watch", daemon=True).start()

    def _watch(self) -> None:
        while True:
            try:
                if not os.read(self.channel, 1):
                    break
            except ConnectionResetError:  # it ended without having read what we told it
                break
        shutil.rmtree(self.folder, ignore_errors=True)
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(STOP_SECONDS_MAX + 0.5)
        os._exit(EXIT_CUT_OFF)


def this_worker() -> Worker | None:
    """The worker that this process is; None without a supervisor. Nobody whom it starts inherits that."""
    given = os.environ.pop(VARIABLE, None)
    return None if given is None else Worker(**json.loads(given))


def instance_id(worker: Worker | None) -> str:
    """``service.instance.id``: the host, and the worker's number where there are several."""
    host = socket.gethostname()
    return host if worker is None else f"{host}/{worker.number}"
