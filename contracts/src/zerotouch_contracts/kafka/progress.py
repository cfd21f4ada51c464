"""Does a consumer get on? aiokafka's can stop for good without an exception (issues 1154, 847, 1187). There are two
signs: a task of it has ended, or its position stays the same below the end of a partition.
"""

import time
from collections.abc import Callable
from typing import Any, Final

from aiokafka.errors import KafkaError

LOOK_SECONDS: Final = 10.0
STILL_SECONDS_MAX: Final = 60.0


class ConsumerStuck(KafkaError):  # type: ignore[misc]  # aiokafka has no types
    """A consumer stands still: drop it and make another."""


class Progress:
    """Since when the consumer's positions stand still below the partitions' ends."""

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._positions: dict[object, int] = {}
        self._moved_at = monotonic()

    def still_seconds(self) -> float:
        """How long records have been waiting without any being taken in; 0 where none are known to wait."""
        return self._monotonic() - self._moved_at if self._positions else 0.0

    async def problem_of(self, consumer: Any, still_seconds_max: float, *, busy: bool) -> str | None:
        """Look, and say why the consumer does not get on, or None. ``busy``: a batch of its is being handled."""
        if task := _ended_task(consumer):
            return f"Kafka's client has lost its {task}"
        await self.look(consumer, busy=busy)
        if (still := self.still_seconds()) > still_seconds_max:
            return f"no progress for {still:.0f} s with records waiting"
        return None

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


class Watch:
    """Looks at one consumer from within the loop that reads from it, at most every ``look_seconds``."""

    def __init__(
        self,
        look_seconds: float = LOOK_SECONDS,
        still_seconds_max: float = STILL_SECONDS_MAX,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._look_seconds, self._still_seconds_max, self._monotonic = look_seconds, still_seconds_max, monotonic
        self._progress = Progress(monotonic)
        self._next = monotonic() + look_seconds

    async def look(self, consumer: Any) -> None:
        """Return where it gets on, or where it is not time to look. Raises :class:`ConsumerStuck`."""
        if self._monotonic() < self._next:
            return
        self._next = self._monotonic() + self._look_seconds
        if reason := await self._progress.problem_of(consumer, self._still_seconds_max, busy=False):
            raise ConsumerStuck(reason)


def _ended_task(consumer: Any) -> str | None:
    """What a consumer does no more as its task has ended, or None."""
    tasks = {
        "group coordination": getattr(consumer._coordinator, "_coordination_task", None),
        "fetching": getattr(consumer._fetcher, "_fetch_task", None),
        "metadata": consumer._client._sync_task,
    }
    return next((name for name, task in tasks.items() if task is not None and task.done()), None)
