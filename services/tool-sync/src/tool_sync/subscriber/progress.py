"""Does the consumer get on? Its position below the end of a partition, the same at every look, is the only sign of a
consumer that stands still for good.
"""

import time
from collections.abc import Callable
from typing import Any


class Progress:
    """Since when the consumer's positions stand still below the partitions' ends."""

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._positions: dict[object, int] = {}
        self._moved_at = monotonic()

    def still_seconds(self) -> float:
        """How long records have been waiting without any being taken in; 0 where none are known to wait."""
        return self._monotonic() - self._moved_at if self._positions else 0.0

    async def look(self, consumer: Any, *, busy: bool) -> None:
        """Compare with the last look."""
        behind: dict[object, int] = {}
        for partition in consumer.assignment():
            end = consumer.highwater(partition)
            position = await consumer.position(partition) if end else 0
            if end and position < end:
                behind[partition] = position
        stands_still = bool(behind) and behind.items() <= self._positions.items()
        if busy or not stands_still:
            self._moved_at = self._monotonic()
        self._positions = behind
