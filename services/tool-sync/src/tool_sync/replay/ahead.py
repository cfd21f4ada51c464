"""Is a topic ahead of the log? Then the database was restored from a backup that is older than what was published.

The newest records of each partition are looked up in the log by their ids.
"""

from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

from aiokafka import TopicPartition

from tool_sync.db import Connection, Pool
from tool_sync.replay.topic import partitions_of

NEWEST_RECORDS: Final = 200
"""Looked at in each partition: those that a backup lacks are the newest."""

_KNOWN: Final = "SELECT event_id FROM events WHERE event_id = ANY ($1::uuid[])"


@dataclass(frozen=True, slots=True)
class Ahead:
    """A record that was published under this log's id and is not in the log."""

    partition: int
    offset: int
    event_id: UUID


async def find_ahead(connection: "Connection | Pool", log_id: UUID, bootstrap_servers: str, topic: str) -> list[Ahead]:
    """The records ahead of the log, of the newest ones; those under another log's id are another log's affair.

    Raises `CannotReplay` where Kafka cannot be asked.
    """
    found: list[Ahead] = []
    async with partitions_of(bootstrap_servers, topic) as (consumer, partitions):
        first, end = await consumer.beginning_offsets(partitions), await consumer.end_offsets(partitions)
        for partition in partitions:
            start = max(first[partition], end[partition] - NEWEST_RECORDS)
            records = await _read(consumer, partition, start, end[partition])
            ids = {id_: record.offset for record in records if (id_ := _event_of(record, log_id)) is not None}
            known = {row["event_id"] for row in await connection.fetch(_KNOWN, list(ids))}
            found += [Ahead(partition.partition, offset, id_) for id_, offset in ids.items() if id_ not in known]
    return found


def _event_of(record: Any, log_id: UUID) -> UUID | None:
    """The event of this log that a record says; None for another log's, and for what is no message of ours."""
    headers = dict(record.headers)
    if headers.get("log_id") != str(log_id).encode():
        return None
    try:
        return UUID((headers.get("ce_id") or b"").decode())
    except ValueError:
        return None


async def _read(consumer: Any, partition: TopicPartition, start: int, end: int) -> list[Any]:
    records: list[Any] = []
    if start == end:
        return records
    consumer.seek(partition, start)
    while await consumer.position(partition) < end:
        batch = await consumer.getmany(partition, timeout_ms=500)
        records += batch.get(partition, [])
    return records
