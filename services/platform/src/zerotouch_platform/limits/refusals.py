"""How often a process refused for a limit, by kind of limit and by what it is of; never by whose it was."""

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Final

from zerotouch_platform.limits.policy import Kind, Of, Refusal
from zerotouch_platform.meters import Measure, Meters

REFUSED: Final = "zerotouch.limits.refused"
MEASURE: Final = Measure("{request}", "requests that were refused, by `limit` and `of` what it is, never by clinic")


class Refusals:
    """Counts since the process began."""

    def __init__(self) -> None:
        self.counts: Counter[tuple[Kind, Of]] = Counter()

    def add(self, refusal: Refusal) -> None:
        """One request was refused; it counts for each policy that had no room."""
        for standing in refusal.standings:
            self.counts[standing.kind, standing.of] += 1


def export(meters: Meters, refusals: Refusals) -> None:
    """Have the counts of this process read: each of workers and replicas has its own, so take their sum."""

    def counts() -> Iterable[tuple[float, Mapping[str, str]]]:
        found = list(refusals.counts.items())  # the reader has a thread of its own
        return [(count, {"limit": kind.value, "of": of.value}) for (kind, of), count in found]

    meters.counted(REFUSED, MEASURE, counts)
