"""The sandbox as a process of its own, where a test wants nothing else of a stack."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def sandbox_process() -> Iterator[str]:
    """Run it on a free port; its base URL, as it prints it."""
    command = [sys.executable, "-m", "vapi_sandbox", "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            first_line = process.stdout.readline()
            assert "http://" in first_line, f"the sandbox did not start: {first_line!r}"
            yield first_line.split()[-1]
        finally:
            process.terminate()
