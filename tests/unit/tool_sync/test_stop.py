"""The stop of the process, where a part of it does not end."""

import subprocess
import sys

STUCK = """
import asyncio
from tool_sync.cli.run import stop

async def stuck():
    stop(asyncio.Event(), seconds_max=0.1)
    while True:
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            pass

asyncio.run(asyncio.wait_for(stuck(), 0.05))
"""


def test_a_process_with_a_part_that_ignores_its_cancellation_is_cut_off() -> None:
    ended = subprocess.run([sys.executable, "-c", STUCK], capture_output=True, text=True, timeout=30, check=False)
    assert ended.returncode == 1
    assert "is cut off" in ended.stdout + ended.stderr
