"""``python -m tests.crash``: real processes, killed, stopped and cut off at every port call.

The last line is one summary; the status is 1 where a promise was broken.
"""

import argparse
import json
import logging
import re
import sys
import tempfile
import time
from pathlib import Path
from typing import Final

from tests.crash import report
from tests.crash.campaign import Campaign, campaign
from tests.crash.cuts import Cuts, cuts
from tests.crash.ground import Ground, ground_in
from tests.crash.points import catalogue
from tests.crash.probes import Measured
from tests.crash.recovery import measured

from devstack import process
from devstack.options import say

PARTS: Final = ("points", "cuts", "recovery")


def main() -> int:
    """Run everything that was asked for."""
    parser = argparse.ArgumentParser(prog="python -m tests.crash", description=__doc__)
    parser.add_argument("--points", type=int, help="at most so many crash runs")
    parser.add_argument("--match", default="", help="only crash runs whose title this regular expression finds")
    parser.add_argument("--minutes", type=float, default=5.0, help="for the crash runs")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--cells", type=int, default=8)
    parser.add_argument("--offsets", type=int, default=660, help="answers of Vapi that are cut")
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=PARTS)
    parser.add_argument("--keep", type=Path, help="keep dumps and logs here")
    arguments = parser.parse_args()
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)
    return process.run(_main(arguments))


async def _main(arguments: argparse.Namespace) -> int:
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="zerotouch-crash-", ignore_cleanup_errors=True) as temporary:
        folder = arguments.keep or Path(temporary)
        async with ground_in(folder) as ground:
            say(f"broker and database are up after {time.monotonic() - began:.1f} s")
            done, cut, calm = Campaign(), Cuts(), Measured()
            if "points" in arguments.parts:
                done = await _points(ground, arguments)
                say(f"{len(done.results)} crash runs after {time.monotonic() - began:.0f} s")
            if "cuts" in arguments.parts:
                cut = await cuts(ground, arguments.offsets)
                say(f"{cut.offsets} cut answers after {time.monotonic() - began:.0f} s")
            if "recovery" in arguments.parts:
                calm = await measured(ground)
    print(report.table(done, cut, calm))
    summary = report.summary(done, cut, calm) | {
        "command": "python -m tests.crash",
        "seed": arguments.seed,
        "seconds": round(time.monotonic() - began),
    }
    print(json.dumps(summary))
    return 1 if summary["violations"] else 0


async def _points(ground: Ground, arguments: argparse.Namespace) -> Campaign:
    runs = [run for run in catalogue(arguments.seed) if re.search(arguments.match, run.title)][: arguments.points]
    until = time.monotonic() + arguments.minutes * 60
    pausing = max(1, round(arguments.cells * 0.4))
    return await campaign(ground, runs, until=until, cells=arguments.cells, pausing=pausing)


if __name__ == "__main__":
    sys.exit(main())
