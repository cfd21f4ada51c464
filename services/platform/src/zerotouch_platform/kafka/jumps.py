"""Where a consumer's offsets were not the next ones: aiokafka passes over what is gone without a word.

Offsets have no holes on a topic that is not compacted and has no transactions, so a jump is what was deleted, or what
another replica has read in the meantime: which of them, the next look at the partition says.
"""

from collections.abc import Iterable
from typing import Final, Protocol

from zerotouch_platform.kafka.losses import Jump

JUMPS_MAX: Final = 1000


class Record(Protocol):
    """What is looked at of a record."""

    @property
    def partition(self) -> int: ...

    @property
    def offset(self) -> int: ...


class Jumps:
    """Of one consumer, in the order in which it reads."""

    def __init__(self) -> None:
        self._next: dict[int, int] = {}
        self._jumps: list[Jump] = []

    def read(self, records: Iterable[Record]) -> None:
        """Take in a batch; of each partition in its order."""
        for record in records:
            expected = self._next.get(record.partition)
            if expected is not None and record.offset > expected and len(self._jumps) < JUMPS_MAX:
                self._jumps.append(Jump(record.partition, expected, record.offset))
            self._next[record.partition] = record.offset + 1

    def take(self) -> tuple[Jump, ...]:
        """The jumps since the last time."""
        taken, self._jumps = tuple(self._jumps), []
        return taken
