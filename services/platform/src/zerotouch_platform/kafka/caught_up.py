"""How far a whole group is behind its topic, as time: whatever is read elsewhere, by other members, counts too."""

import time
from collections import deque
from collections.abc import Callable, Mapping
from math import inf
from typing import Final

from zerotouch_platform.kafka.places import Place

LOOKS_MAX: Final = 60
"""Looks that wait for the group to get there; of more the oldest are forgotten."""


class CaughtUp:
    """Of one group and topic. ``monotonic`` is an argument so that tests can decide it.

    A topic that is written to all the time is never read to its end: so a look's ends are compared with what the group
    has committed by a later look.
    """

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._looks: deque[tuple[float, dict[int, int]]] = deque(maxlen=LOOKS_MAX)
        self._at: float | None = None

    def now(self) -> float:
        """The time to give to :meth:`look`, before the places are read."""
        return self._monotonic()

    def look(self, began_at: float, places: Mapping[int, Place]) -> None:
        """Take in a look that began at ``began_at``; what came to the topic before it is below its ends."""
        self._looks.append((began_at, {number: place.end for number, place in places.items()}))
        while self._looks:
            at, ends = self._looks.popleft()
            if not all(number in places and _is_read(places[number], end) for number, end in ends.items()):
                self._looks.appendleft((at, ends))
                return
            self._at = at

    def behind_seconds(self) -> float:
        """How long ago the group had read everything that was there; infinite while no look has shown that."""
        return inf if self._at is None else self._monotonic() - self._at


def _is_read(place: Place, end: int) -> bool:
    """Whether the group is at ``end``. Beyond the topic's own end it is lost: the topic was made again."""
    read_to = place.begin if place.committed is None else place.committed
    return end <= read_to <= place.end
