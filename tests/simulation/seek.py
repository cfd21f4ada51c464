"""``python -m tests.simulation.seek "MUTANT" …`` : a plan that catches each of these, for the tests that name one.

A change of the loop or the feeder shifts what a seed does, and so which seeds catch a mutant. Plain seeds are tried,
or, with ``--script``, every single kill and pause in it. A plan that the right protocol violates as well is a finding.
"""

import argparse
import sys
from collections.abc import Iterator
from typing import get_args

from .faults import Plan, Point, Script
from .mutants import MUTANTS
from .world import run

PAUSES = (0.0, 0.9, 15.0)
"""Seconds of a point: killed, a moment, longer than a lease."""
LOST_ANSWERS = 40


def plans(script: Script | None, *, hours: bool, first: int, tries: int) -> Iterator[Plan]:
    """So many plans, the least surprising first."""
    if script is None:
        yield from (Plan(seed, hours=hours) for seed in range(first, first + tries))
        return
    yield Plan(None, script)
    yield from (Plan(None, script, lost_answer=n) for n in range(1, LOST_ANSWERS + 1))
    points = (Point(step, seconds) for step in range(first, first + tries) for seconds in PAUSES)
    yield from (Plan(None, script, (point,)) for point in points)


def main() -> int:
    """0 where every mutant is caught."""
    reader = argparse.ArgumentParser(prog="python -m tests.simulation.seek", description=__doc__)
    reader.add_argument("mutants", nargs="+", metavar="MUTANT", choices=sorted(MUTANTS))
    reader.add_argument("--script", choices=get_args(Script))
    reader.add_argument("--hours", action="store_true", help="seeds with change windows")
    reader.add_argument("--first", type=int, default=1, help="seed or step")
    reader.add_argument("--tries", type=int, default=2_000, help="seeds or steps")
    asked = reader.parse_args()
    left = list(asked.mutants)
    for plan in plans(asked.script, hours=asked.hours, first=asked.first, tries=asked.tries):
        for name in tuple(left):
            with MUTANTS[name]():
                violations = run(plan).violations
            if violations and (wrong := run(plan).violations):
                print(f"{plan}: the protocol itself violates {wrong}", file=sys.stderr)
            elif violations:
                print(f"{name}: {plan!r}: {violations[0]}", flush=True)
                left.remove(name)
        if not left:
            return 0
    print(f"not caught: {', '.join(left)}", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
