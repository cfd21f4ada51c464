"""What a campaign says: a table of what was injected and what was found, and one summary as the last line."""

import sys
import time

from .campaign import Tally
from .faults import CLASSES

PROGRESS_EVERY_SECONDS = 5.0
STORIES_MAX = 5


class Progress:
    """A line on standard error every few seconds, and one for each violation at once."""

    def __init__(self) -> None:
        self._began = time.monotonic()
        self._shown = 0.0
        self._failures = 0

    def show(self, tally: Tally) -> None:
        """Say how far it is."""
        for result in tally.failures[self._failures :]:
            print(f"VIOLATED by {result.plan}: {result.violations[0].strip()}", file=sys.stderr, flush=True)
        self._failures = len(tally.failures)
        now = time.monotonic()
        if now - self._shown < PROGRESS_EVERY_SECONDS:
            return
        self._shown = now
        rate = tally.runs / (now - self._began)
        print(
            f"{now - self._began:6.0f} s: {tally.runs:,} runs ({tally.exhaustive:,} by plan), {rate:.0f}/s, "
            f"{tally.virtual_hours:,.0f} virtual hours, {tally.violations} violations",
            file=sys.stderr,
            flush=True,
        )


def show_failures(tally: Tally) -> None:
    """The first failing runs with their whole stories."""
    for result in tally.failures[:STORIES_MAX]:
        print(f"\nVIOLATED by {result.plan}")
        for violation in result.violations:
            print(f"  {violation}")
        print("  the log:")
        for line in result.story[-60:]:
            print(f"    {line[:240]}")


def show_table(tally: Tally) -> None:
    """What was injected and which branches were taken."""
    print(f"\n{'injected':24}{'times':>10}   {'reached':36}{'times':>10}")
    injected = [(name, tally.fired[name]) for name in CLASSES]
    reached = sorted(tally.reached.items())
    for row in range(max(len(injected), len(reached))):
        left = f"{injected[row][0]:24}{injected[row][1]:>10,}" if row < len(injected) else " " * 34
        right = f"{reached[row][0]:36}{reached[row][1]:>10,}" if row < len(reached) else ""
        print(f"{left}   {right}".rstrip())
    for name in tally.void:
        print(f"VOID: {name} never happened")


def summary(tally: Tally, seed: int, seconds: float) -> str:
    """The last line."""
    classes = sum(1 for name in CLASSES if tally.fired[name])
    return (
        f"sim: seed {seed}, {tally.runs:,} runs ({tally.exhaustive:,} by plan) in {seconds / 60:.1f} min, "
        f"{sum(tally.fired.values()):,} faults of {classes} classes, {tally.saves:,} saves, "
        f"{tally.violations} violations"
    )
