"""One look at a topic, as its consumer sees it: before it begins to read, and every few seconds while it does."""

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import Any, Final

import structlog
from aiokafka import AIOKafkaConsumer

from zerotouch_platform.kafka.caught_up import CaughtUp
from zerotouch_platform.kafka.jumps import Jumps
from zerotouch_platform.kafka.ledger import begin, note
from zerotouch_platform.kafka.places import read_places

LOOKS_MAX: Final = 5
"""As long as another process looks at the same time; if one always does, what it finds is enough."""

_log: Final = structlog.get_logger()


class TopicWatch:
    """Of one topic and group. ``transaction`` opens one on the service's own database; ``jumps`` is the consumer's."""

    def __init__(
        self,
        bootstrap_servers: str,
        topic: str,
        group_id: str,
        transaction: Callable[[], AbstractAsyncContextManager[Any]],
        jumps: Jumps,
    ) -> None:
        self._bootstrap_servers, self._topic, self._group_id = bootstrap_servers, topic, group_id
        self._transaction, self._jumps = transaction, jumps
        self.caught_up: Final = CaughtUp()

    async def run_once(self, reader: AIOKafkaConsumer | None = None) -> int:
        """Look, and tell of what was lost since the last look; how much. Raises what Kafka and the database raise.

        By ``reader``, a consumer that is started: to connect another one costs more than the look.
        """
        jumps, found = self._jumps.take(), None
        for _ in range(LOOKS_MAX):
            began_at = self.caught_up.now()
            async with self._transaction() as connection:
                since = await begin(connection)
            places = await read_places(self._bootstrap_servers, self._topic, self._group_id, reader)
            async with self._transaction() as connection:
                found = await note(connection, self._topic, self._group_id, places, jumps, since)
            self.caught_up.look(began_at, places)
            if found is not None:
                break
        for loss in found or ():
            _log.error(
                "records_lost",
                alarm=True,
                topic=self._topic,
                partition=loss.partition,
                first_offset=loss.first,
                end_offset=loss.end,
                cause=loss.cause.value,
            )
        return len(found or ())
