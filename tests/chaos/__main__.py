"""``python -m tests.chaos [--minutes N | --soak --hours N] [--seed N]``, and ``python -m tests.chaos fairness``."""

import argparse
import asyncio
import json
import logging
import random
import shutil
import sys
import tempfile
from pathlib import Path

import uvloop
from tests.chaos.fairness import fairness
from tests.chaos.report import report
from tests.chaos.run import Plan, run
from tests.chaos.times import SCALED, UNSCALED
from tests.checker.dump import Dump
from tests.checker.judge import judge

from devstack import process


def main() -> int:
    """Run the command; 0 where every promise held."""
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    parser.add_argument("what", nargs="?", choices=("chaos", "fairness"), default="chaos")
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--hours", type=float, default=1)
    parser.add_argument("--soak", action="store_true", help="for hours, with the times of production")
    parser.add_argument("--seed", type=int, default=None)
    parser.add_argument(
        "--bare",
        action="store_true",
        help="without the measurements before the nemesis, and times are shown but not judged: for a shared machine",
    )
    parser.add_argument("--keep", type=Path, default=None, help="a new folder for dump and logs, kept in any case")
    arguments = parser.parse_args()
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)  # a broker that is away is what these runs are about
    asyncio.set_event_loop_policy(uvloop.EventLoopPolicy())
    seed = random.SystemRandom().randrange(1_000_000) if arguments.seed is None else arguments.seed
    folder = (arguments.keep or Path(tempfile.mkdtemp(prefix="zerotouch-chaos-"))).resolve()
    if arguments.what == "fairness":
        status = process.run(fairness(folder))
    else:
        status = process.run(_chaos(_plan(arguments, seed, folder), "soak" if arguments.soak else "chaos"))
    if status == 0 and arguments.keep is None:
        shutil.rmtree(folder)
    else:
        print(f"kept in {folder}", file=sys.stderr)
    return status


def _plan(arguments: argparse.Namespace, seed: int, folder: Path) -> Plan:
    return Plan(
        seconds=arguments.hours * 3600 if arguments.soak else arguments.minutes * 60,
        seed=seed,
        times=UNSCALED if arguments.soak else SCALED,
        folder=folder,
        phases=not arguments.bare,
    )


async def _chaos(plan: Plan, command: str) -> int:
    found = await run(plan)
    verdict = judge(Dump.read(found.dump))
    (plan.folder / "verdict.json").write_text(json.dumps(verdict.document(), indent=1, default=str))
    done = report(plan, f"make {command}", found, verdict)
    print("\n".join(done.lines), flush=True)
    return 0 if done.good else 1


if __name__ == "__main__":
    sys.exit(main())
