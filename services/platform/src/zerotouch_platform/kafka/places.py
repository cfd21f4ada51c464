"""Where a topic's partitions begin and end, and how far a group has committed."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import GroupLoadInProgressError

from zerotouch_contracts.kafka import drop_consumer, new_admin, new_consumer

REQUEST_MILLISECONDS = 5000
STOP_SECONDS_MAX = 2.0

Offsets: TypeAlias = dict[TopicPartition, int]


@dataclass(frozen=True, slots=True)
class Place:
    """One partition: its oldest offset, the one after its newest, and what the group reads next (None: never said)."""

    begin: int
    end: int
    committed: int | None


async def read_places(
    bootstrap_servers: str, topic: str, group_id: str, reader: AIOKafkaConsumer | None = None
) -> dict[int, Place]:
    """Every partition of a topic that exists. ``reader`` is a consumer that is started: without, one is made for it.

    Raises aiokafka's ``KafkaError``, ``OSError`` and ``TimeoutError``.
    """
    numbers, committed = await _asked(bootstrap_servers, topic, group_id)
    partitions = [TopicPartition(topic, number) for number in numbers]
    begins, ends = await (_made_for_it(bootstrap_servers, partitions) if reader is None else _ends(reader, partitions))
    return {p.partition: Place(begins[p], ends[p], committed.get(p.partition)) for p in partitions}


async def _made_for_it(bootstrap_servers: str, partitions: Sequence[TopicPartition]) -> tuple[Offsets, Offsets]:
    consumer = new_consumer(
        bootstrap_servers=bootstrap_servers,
        group_id=None,
        enable_auto_commit=False,
        request_timeout_ms=REQUEST_MILLISECONDS,
    )
    try:
        await consumer.start()
        return await _ends(consumer, partitions)
    finally:
        await drop_consumer(consumer, STOP_SECONDS_MAX)


async def _ends(consumer: AIOKafkaConsumer, partitions: Sequence[TopicPartition]) -> tuple[Offsets, Offsets]:
    return await consumer.beginning_offsets(partitions), await consumer.end_offsets(partitions)


async def committed_offsets(
    admin: AIOKafkaAdminClient, group_id: str, partitions: Sequence[TopicPartition]
) -> dict[TopicPartition, int]:
    """What a group has committed of some partitions; those of which it never did are left out.

    Raises aiokafka's ``KafkaError``, also where the coordinator does not know yet, as after the broker's start: it then
    leaves out every partition, and aiokafka 0.14 does not look at the error beside them.
    """
    if not partitions:
        return {}
    told = await admin.list_consumer_group_offsets(group_id, partitions=list(partitions))
    if missing := [p for p in partitions if p not in told]:
        raise GroupLoadInProgressError(f"group {group_id}: {len(missing)} partition(s) were not told of")
    return {p: found.offset for p, found in told.items() if found.offset >= 0}


async def _asked(bootstrap_servers: str, topic: str, group_id: str) -> tuple[list[int], dict[int, int]]:
    """The topic's partitions, and what the group has committed of them."""
    admin = new_admin(bootstrap_servers, request_timeout_ms=REQUEST_MILLISECONDS)
    try:
        await admin.start()
        known = await admin.describe_topics()  # of all: to ask for one by name may create it
        numbers = sorted(p["partition"] for one in known if one["topic"] == topic for p in one["partitions"])
        committed = await committed_offsets(admin, group_id, [TopicPartition(topic, number) for number in numbers])
    finally:
        await admin.close()
    return numbers, {at.partition: offset for at, offset in committed.items()}
