"""What lies on the topics: every save with its place, every outcome with the requests that it answers."""

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition

from zerotouch_contracts.envelope import UndecodableRecord, from_record
from zerotouch_contracts.events import AssistantSaved, ToolsSynced, ToolSyncFailed
from zerotouch_contracts.kafka import drop_consumer, new_admin, new_consumer
from zerotouch_contracts.text import uuid_of
from zerotouch_platform.kafka.places import committed_offsets
from zerotouch_platform.traceparent import trace_id_of

POLL_MILLISECONDS: Final = 500
STALLED_SECONDS_MAX: Final = 30.0
STOP_SECONDS_MAX: Final = 2.0


class TopicUnreadable(Exception):
    """A topic is missing, or its records do not come. The message says which."""


@dataclass(frozen=True, slots=True, order=True)
class Place:
    """A record's place."""

    topic: str
    partition: int
    offset: int

    def __str__(self) -> str:
        return f"{self.topic} {self.partition} {self.offset}"


@dataclass(frozen=True, slots=True)
class Save:
    """An ``AssistantSaved`` on the topic; ``at`` is its ``ce_time``."""

    place: Place
    request_id: UUID
    org_id: UUID
    agent_id: str
    at: datetime
    trace_id: str | None


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A record that is no message of ours; ``request_id`` where its headers still say which save it was."""

    place: Place
    at: datetime
    reason: str
    request_id: UUID | None


@dataclass(slots=True)
class History:
    """What was read. ``repeats`` are records of a save that lies on the topic already."""

    saves: dict[UUID, Save] = field(default_factory=dict)
    repeats: int = 0
    unreadable: list[Unreadable] = field(default_factory=list)
    answers: dict[UUID, dict[str, datetime]] = field(default_factory=dict)
    """By request: the outcomes that name it, once each, as the same event may lie on the topic several times."""
    taken_in: dict[tuple[str, int], int] = field(default_factory=dict)
    """By topic and partition: the offset up to which tool-sync has committed."""
    read: dict[tuple[str, int], tuple[int, int]] = field(default_factory=dict)
    """By topic and partition: the offsets that were read, from the first up to (without) the last."""
    gone: dict[tuple[str, int], int] = field(default_factory=dict)
    """By topic and partition: the offset below which its records are deleted, where any are."""


async def read_history(
    bootstrap_servers: str,
    *,
    assistants_topic: str,
    outcomes_topic: str,
    group_id: str,
    since: datetime | None,
    on_record: Callable[[int], None] = lambda _: None,
) -> History:
    """Read both topics from ``since`` to their present ends. Raises `TopicUnreadable` and aiokafka's ``KafkaError``."""
    history = History()
    consumer = new_consumer(
        bootstrap_servers=bootstrap_servers,
        group_id=None,
        enable_auto_commit=False,
        auto_offset_reset="earliest",
        isolation_level="read_uncommitted",
    )
    count = 0
    try:
        await consumer.start()
        # Outcomes afterwards: what was answered meanwhile is seen, and an outcome never comes before its save.
        for topic, take in ((assistants_topic, _take_save), (outcomes_topic, _take_outcome)):
            async for record in _records(history, consumer, bootstrap_servers, topic, since):
                take(history, record)
                on_record(count := count + 1)
    finally:
        await drop_consumer(consumer, STOP_SECONDS_MAX)
    admin = new_admin(bootstrap_servers)
    await admin.start()
    try:
        partitions = [TopicPartition(*place) for place in history.read if place[0] == assistants_topic]
        committed = await committed_offsets(admin, group_id, partitions)
    finally:
        await admin.close()
    history.taken_in = {(p.topic, p.partition): offset for p, offset in committed.items()}
    return history


async def _records(
    history: History, consumer: AIOKafkaConsumer, bootstrap_servers: str, topic: str, since: datetime | None
) -> AsyncIterator[ConsumerRecord[Any, Any]]:
    partitions = await _partitions(bootstrap_servers, topic)
    consumer.assign(partitions)
    ends = await consumer.end_offsets(partitions)
    begins = await consumer.beginning_offsets(partitions)
    history.gone |= {(topic, p.partition): offset for p, offset in begins.items() if offset}
    if since is not None:
        found = await consumer.offsets_for_times({p: int(since.timestamp() * 1000) for p in partitions})
        begins = {p: ends[p] if (at := found.get(p)) is None else at.offset for p in partitions}
    for partition, begin in begins.items():
        consumer.seek(partition, begin)
        history.read[topic, partition.partition] = (begin, ends[partition])
    left = {p for p in partitions if begins[p] < ends[p]}
    consumer.pause(*(set(partitions) - left))
    while left:
        try:
            async with asyncio.timeout(STALLED_SECONDS_MAX):
                while not (batches := await consumer.getmany(timeout_ms=POLL_MILLISECONDS)):
                    left = {p for p in left if await consumer.position(p) < ends[p]}
                    if not left:
                        return
        except TimeoutError:
            raise TopicUnreadable(f"{topic}: no record came within {STALLED_SECONDS_MAX:g} s") from None
        for partition, records in batches.items():
            for record in records:
                if record.offset < ends[partition]:
                    yield record
            if await consumer.position(partition) >= ends[partition]:
                left.discard(partition)
                consumer.pause(partition)


async def _partitions(bootstrap_servers: str, topic: str) -> list[TopicPartition]:
    admin = new_admin(bootstrap_servers)
    await admin.start()
    try:
        if topic not in await admin.list_topics():
            raise TopicUnreadable(f"there is no topic {topic}")
        (described,) = await admin.describe_topics([topic])
    finally:
        await admin.close()
    return sorted(TopicPartition(topic, p["partition"]) for p in described["partitions"])


def _take_save(history: History, record: ConsumerRecord[Any, Any]) -> None:
    place = Place(record.topic, record.partition, record.offset)
    try:
        message, attributes = from_record(record.key, record.value, record.headers)
    except UndecodableRecord as error:
        at = datetime.fromtimestamp(record.timestamp / 1000).astimezone()
        request_id = uuid_of(error.id) if error.type == AssistantSaved.TYPE else None
        history.unreadable.append(Unreadable(place, at, error.reason, request_id))
        return
    if not isinstance(message, AssistantSaved):
        return
    if message.request_id in history.saves:
        history.repeats += 1
        return
    trace_id = trace_id_of(attributes.traceparent)
    history.saves[message.request_id] = Save(
        place, message.request_id, message.org_id, message.agent_id, attributes.time, trace_id
    )


def _take_outcome(history: History, record: ConsumerRecord[Any, Any]) -> None:
    try:
        message, attributes = from_record(record.key, record.value, record.headers)
    except UndecodableRecord:
        return  # not ours: what it may have answered shows as unanswered
    if isinstance(message, ToolsSynced | ToolSyncFailed):
        for request in message.requests:
            history.answers.setdefault(request.request_id, {}).setdefault(attributes.id, attributes.time)
