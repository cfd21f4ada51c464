"""What libraries repeat is written once a minute."""

import subprocess
import sys

PROGRAM = """
import logging
from assistant_api import logs
logs.configure("INFO", None)
for _ in range(3):
    logging.getLogger("aiokafka.conn").error("refused")
"""


def test_so_it_is_in_the_process() -> None:
    ended = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, timeout=60, check=True)
    assert ended.stdout.count("refused") == 1
