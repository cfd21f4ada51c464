"""What stands on the topics: everything read from its beginning, and how far a group of consumers has come."""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient

from zerotouch_contracts.envelope import Attributes, from_record
from zerotouch_contracts.events import Outcome, ToolsSynced, ToolSyncFailed
from zerotouch_contracts.topics import ASSISTANTS, OUTCOMES, PARTITIONS_DEFAULT

READ_MILLISECONDS = 20


@dataclass(frozen=True, slots=True)
class Published:
    """An outcome, its attributes, and the record that it came in."""

    outcome: ToolsSynced | ToolSyncFailed
    attributes: Attributes
    headers: Mapping[str, bytes]

    @property
    def trace_id(self) -> str:
        """The trace that the record belongs to."""
        assert self.attributes.traceparent is not None
        return self.attributes.traceparent.split("-")[1]

    @property
    def tool_names(self) -> list[str]:
        """The names of the assistant's tools, in their order."""
        return [tool.name for tool in self.outcome.tools]


class Outcomes:
    """Every outcome of the topic, since its beginning. It reads only while it is asked."""

    def __init__(self, consumer: Any) -> None:
        self._consumer = consumer
        self.all: list[Published] = []

    def naming(self, request_id: UUID) -> list[Published]:
        """The outcomes read so far that name a request."""
        return [it for it in self.all if any(r.request_id == request_id for r in it.outcome.requests)]

    def of_org(self, org_id: UUID) -> list[Published]:
        """The outcomes read so far of one org, in their order on the topic."""
        return [it for it in self.all if it.outcome.org_id == org_id]

    async def of(self, request_id: UUID, *, until: float) -> Published:
        """The one outcome of a request; fails at `until` on the monotonic clock, or where there are several."""
        while not (found := self.naming(request_id)):
            assert time.monotonic() < until, f"no outcome of request {request_id} in time"
            await self.read()
        assert len(found) == 1, found
        return found[0]

    async def read(self) -> None:
        """Reads what has arrived."""
        for records in (await self._consumer.getmany(timeout_ms=READ_MILLISECONDS)).values():
            for record in records:
                message, attributes = from_record(record.key, record.value, record.headers)
                assert isinstance(message, Outcome), message
                assert isinstance(message, ToolsSynced | ToolSyncFailed), message
                self.all.append(Published(message, attributes, dict(record.headers)))

    async def read_to_the_end(self) -> None:
        """Reads until nothing of what is there now is left."""
        ends = await self._consumer.end_offsets(self._consumer.assignment())
        while any([await self._consumer.position(partition) < end for partition, end in ends.items()]):
            await self.read()


async def end_offsets(consumer: Any, topic: str) -> dict[TopicPartition, int]:
    """The offset that the next record of each partition will get."""
    partitions = [TopicPartition(topic, number) for number in range(PARTITIONS_DEFAULT)]
    found: dict[TopicPartition, int] = await consumer.end_offsets(partitions)
    return found


async def lag(admin: AIOKafkaAdminClient, consumer: Any, topic: str, group: str) -> int:
    """How many records a group has not committed yet."""
    committed = await admin.list_consumer_group_offsets(group)
    ends = await end_offsets(consumer, topic)
    done = {partition: max(committed[partition].offset, 0) for partition in ends if partition in committed}
    return sum(end - done.get(partition, 0) for partition, end in ends.items())


async def every_record(bootstrap_servers: str, topic: str) -> list[Any]:
    """All records that a topic has now, partition by partition, as raw bytes."""
    consumer = AIOKafkaConsumer(topic, bootstrap_servers=bootstrap_servers, group_id=None, auto_offset_reset="earliest")
    await consumer.start()
    try:
        ends = await end_offsets(consumer, topic)
        records: list[Any] = []
        while any([await consumer.position(partition) < end for partition, end in ends.items()]):
            for batch in (await consumer.getmany(timeout_ms=READ_MILLISECONDS)).values():
                records += batch
        return sorted(records, key=lambda record: (record.partition, record.offset))
    finally:
        await consumer.stop()


INPUT = ASSISTANTS.name
OUTPUT = OUTCOMES.name
