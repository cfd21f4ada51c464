"""Reading outcomes as any subscriber would, with the moment at which each became readable.

While the clock runs records are only counted, since the reader shares the cores with what is measured; what they say
is checked afterwards.
"""

import time
from collections import Counter
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from uuid import UUID

from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition

from benchmarks.errors import NotMeasured
from zerotouch_contracts.envelope import from_record
from zerotouch_contracts.events import ToolsSynced

FETCH_MS = 50
RECORDS_MAX = 2_000


class OutcomeReader:
    """Reads one outcomes topic from its beginning, without a group."""

    def __init__(self, consumer: AIOKafkaConsumer) -> None:
        self._consumer = consumer
        self._arrived: list[tuple[float, ConsumerRecord[bytes, bytes]]] = []
        self._returned = 0

    async def take(self, count: int, within_seconds: float) -> list[tuple[float, ConsumerRecord[bytes, bytes]]]:
        """The next ``count`` records with the monotonic time at which each was readable.

        Raises :class:`NotMeasured` when they are not there in time.
        """
        wanted, deadline = self._returned + count, time.monotonic() + within_seconds
        while len(self._arrived) < wanted:
            if time.monotonic() > deadline:
                found = len(self._arrived) - self._returned
                raise NotMeasured(f"{found} of {count} outcomes within {within_seconds:.0f} s")
            batches = await self._consumer.getmany(timeout_ms=FETCH_MS, max_records=RECORDS_MAX)
            now = time.monotonic()
            self._arrived += [(now, record) for batch in batches.values() for record in batch]
        taken = self._arrived[self._returned : wanted]
        self._returned = wanted
        return taken

    async def arrival(self, request_id: UUID, within_seconds: float) -> float:
        """The monotonic time at which a request's outcome was readable, whoever's else arrive before it.

        Raises :class:`NotMeasured` when it is not there in time, or is no ``ToolsSynced``.
        """
        deadline = time.monotonic() + within_seconds
        while time.monotonic() < deadline:
            [(at, record)] = await self.take(1, deadline - time.monotonic())
            message, _ = from_record(record.key, record.value, record.headers)
            if request_id.bytes in {each.request_id.bytes for each in getattr(message, "requests", ())}:
                check_all_synced([record], [request_id])
                return at
        raise NotMeasured(f"no outcome of {request_id} within {within_seconds:.0f} s")


@asynccontextmanager
async def reading(bootstrap_servers: str, topic: str, partitions: int) -> AsyncIterator[OutcomeReader]:
    """Lends a reader of all partitions of a topic."""
    consumer = AIOKafkaConsumer(
        bootstrap_servers=bootstrap_servers, group_id=None, enable_auto_commit=False, auto_offset_reset="earliest"
    )
    await consumer.start()
    try:
        consumer.assign([TopicPartition(topic, number) for number in range(partitions)])
        await consumer.seek_to_beginning()
        yield OutcomeReader(consumer)
    finally:
        await consumer.stop()


def check_all_synced(records: Iterable[ConsumerRecord[bytes, bytes]], requests: Iterable[UUID]) -> None:
    """Raises :class:`NotMeasured` unless exactly these requests ended in ``ToolsSynced``, each once and with a tool."""
    settled: Counter[UUID] = Counter()
    for record in records:
        message, _ = from_record(record.key, record.value, record.headers)
        if not isinstance(message, ToolsSynced) or not message.tools:
            raise NotMeasured(f"an outcome is {type(message).__name__}: {message}")
        settled.update(request.request_id for request in message.requests)
    wanted = set(requests)
    if settled.keys() != wanted or any(times != 1 for times in settled.values()):
        missing, foreign = len(wanted - settled.keys()), len(settled.keys() - wanted)
        repeated = sum(times > 1 for times in settled.values())
        raise NotMeasured(f"outcomes: {missing} saves without one, {repeated} with several, {foreign} unknown")
