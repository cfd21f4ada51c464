"""``python -m tests.upgrade [--seed N]``: the release before and this one, beside each other under load."""

import argparse
import asyncio
import logging
import random
import shutil
import sys
import tempfile
from pathlib import Path

import uvloop
from tests.upgrade.release import BEFORE, NotThere, unpacked
from tests.upgrade.run import upgrade
from tests.upgrade.verdict import broken, table, told_to_repeat

from devstack import process


def main() -> int:
    """Run it; 0 where every promise held, and where there is no history to take the release from."""
    parser = argparse.ArgumentParser(prog="python -m tests.upgrade", description=__doc__)
    parser.add_argument("--seed", type=int, default=None)
    parser.add_argument("--keep", type=Path, default=None, help="a new folder for dump and logs, kept in any case")
    arguments = parser.parse_args()
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)
    asyncio.set_event_loop_policy(uvloop.EventLoopPolicy())
    seed = random.SystemRandom().randrange(1_000_000) if arguments.seed is None else arguments.seed
    folder = (arguments.keep or Path(tempfile.mkdtemp(prefix="zerotouch-upgrade-"))).resolve()
    status = process.run(_upgrade(folder, seed))
    if status == 0 and arguments.keep is None:
        shutil.rmtree(folder)
    else:
        print(f"kept in {folder}", file=sys.stderr)
    return status


async def _upgrade(folder: Path, seed: int) -> int:
    try:
        code = unpacked(folder / "release")
    except NotThere as reason:
        print(f"make upgrade: NOT RUN: the history has no {BEFORE[:7]}: {reason}")
        return 0
    found, verdict = await upgrade(folder, code, seed)
    own = list(broken(found))
    print("\n".join(table(found)), "", verdict.table(), sep="\n")
    for line in [*(f"VIOLATION: {line}" for line in own), *(f"VOID: {line}" for line in verdict.void)]:
        print(line)
    violations = len(own) + len(verdict.violations)
    calls, saves = len(found.booked), sum(answer.state == "ok" for answer in found.answers["saves"])
    if repeated := told_to_repeat(found):
        print(f"{repeated} requests have to be repeated for a fault of the release before, as the runbook says")
    print(f"\nmake upgrade: seed {seed}, {BEFORE[:7]} and this, {saves} saves, {calls} booked, {violations} violations")
    return 1 if violations or verdict.void else 0


if __name__ == "__main__":
    sys.exit(main())
