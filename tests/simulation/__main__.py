"""``python -m tests.simulation``: the campaign. ``… mutants``: every broken protocol must be caught. ``… replay N``."""

import argparse
import sys
import time

from .campaign import campaign, catch_mutants, of_seed
from .report import Progress, show_failures, show_table, summary
from .world import run


def main() -> int:
    """The command; the exit status is 1 on any violation, and where the campaign is void."""
    parser = argparse.ArgumentParser(prog="python -m tests.simulation", description=__doc__)
    parser.add_argument("what", nargs="?", choices=("campaign", "mutants", "replay"), default="campaign")
    parser.add_argument("--seed", type=int, default=1, help="where the seeds begin; with replay, the one to run")
    parser.add_argument("--runs", type=int, help="runs in all; 100,000 where neither this nor --minutes is given")
    parser.add_argument("--minutes", type=float, help="as many seeds as fit")
    options = parser.parse_args()
    if options.what == "mutants":
        return _mutants()
    if options.what == "replay":
        return _replay(options.seed)
    began = time.monotonic()
    tally = campaign(options.seed, runs=options.runs, minutes=options.minutes, show=Progress().show)
    show_failures(tally)
    show_table(tally)
    print(summary(tally, options.seed, time.monotonic() - began))
    return 1 if tally.violations or tally.void else 0


def _mutants() -> int:
    survivors = catch_mutants(lambda name, caught: print(f"{name:40} {caught}", flush=True))
    print(f"sim mutants: {len(survivors)} not caught" + (f": {', '.join(survivors)}" if survivors else ""))
    return 1 if survivors else 0


def _replay(seed: int) -> int:
    result = run(of_seed(seed), tell=True)
    print(*result.story, sep="\n")
    print(*result.violations, sep="\n")
    print(f"{result.plan}: {dict(result.fired)}, trace {result.trace[:16]}")
    return 1 if result.violations else 0


if __name__ == "__main__":
    sys.exit(main())
