"""The stop of the process, where a part of it does not end."""

import subprocess
import sys

STUCK = """
import time
from zerotouch_platform.process import cut_off_later

cut_off_later("cut_off", 0.1)
time.sleep(60)
"""


def test_a_process_that_does_not_end_by_itself_is_cut_off() -> None:
    ended = subprocess.run([sys.executable, "-c", STUCK], capture_output=True, text=True, timeout=30, check=False)
    assert ended.returncode == 1
    assert "cut_off" in ended.stdout + ended.stderr
