"""Is a topic ahead of the log? Then the database was restored from a backup that is older than what was published.

The newest records of each partition are looked up in the log by their ids. One that is not there is ahead if its
clinic has not come to its number yet: a record that somebody else put on the topic repeats a number, and stops nobody.
"""

from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

from tool_sync.db import Connection, Pool
from tool_sync.log.head import ahead_of_log
from tool_sync.log.records import toolset_stream
from tool_sync.outcomes.published import OUTCOMES, PublishedTopic
from zerotouch_contracts.envelope import UndecodableRecord
from zerotouch_contracts.fleet import RolloutEnded, RolloutStarted
from zerotouch_platform.kafka.reading import newest_records

NEWEST_RECORDS: Final = 200
"""Looked at in each partition: those that a backup lacks are the newest."""


@dataclass(frozen=True, slots=True)
class Ahead:
    """A record that was published under this log's id and is not in the log."""

    partition: int
    offset: int
    event_id: UUID


async def find_ahead(
    connection: "Connection | Pool",
    log_id: UUID,
    bootstrap_servers: str,
    topic: str,
    published: PublishedTopic = OUTCOMES,
) -> list[Ahead]:
    """The records ahead of the log, of the newest ones; those under another log's id are another log's affair.

    Raises `KafkaUnavailable`.
    """
    found: list[Ahead] = []
    for records in await newest_records(bootstrap_servers, topic, NEWEST_RECORDS):
        said = {one.event_id: one for record in records if (one := _read_one(record, log_id, published))}
        known = [(one.event_id, one.stream, one.sequence) for one in said.values()]
        ahead = await ahead_of_log(connection, known, published.numbered_by)
        found += [Ahead(said[event_id].partition, said[event_id].offset, event_id) for event_id in ahead]
    return found


@dataclass(frozen=True, slots=True)
class _Said:
    event_id: UUID
    stream: str
    sequence: int
    partition: int
    offset: int


def _read_one(record: Any, log_id: UUID, published: PublishedTopic) -> _Said | None:
    """What a record of this log says; None for another log's, and for what is no message of ours."""
    if dict(record.headers).get("log_id") != str(log_id).encode():
        return None
    try:
        message, attributes = published.read(record.key, record.value, record.headers)
        event_id = UUID(attributes.id)
    except (UndecodableRecord, ValueError):
        return None
    if attributes.sequence is None:
        return None
    if isinstance(message, RolloutStarted | RolloutEnded):
        stream = f"rollout-{message.rollout_id}"
    else:
        stream = toolset_stream(message.org_id)
    return _Said(event_id, stream, attributes.sequence, record.partition, record.offset)
