"""Is `assistants.v1` ahead of the rows? Then the database was restored from a backup that is older than what was said.

A record is sent after its row is committed, and Kafka is read before the database: so what is newest on the topic of a
clinic or an agent is in the rows, or was.
"""

from dataclasses import dataclass
from typing import Final
from uuid import UUID

from aiokafka import ConsumerRecord

from assistant_api.db import Connection
from assistant_api.settings import Settings
from zerotouch_contracts.envelope import AnyMessage, UndecodableRecord, from_record
from zerotouch_contracts.events import AssistantDeleted, AssistantSaved, OrganizationDeleted, OrganizationSaved
from zerotouch_platform.kafka.reading import newest_records

NEWEST_RECORDS: Final = 200
"""Looked at in each partition: those that a backup lacks are the newest."""

# '' is the organization itself. Of one that was deleted its last revision is kept for ever.
_BEHIND: Final = """
SELECT n.org_id, n.agent_id
FROM unnest($1::uuid[], $2::text[], $3::bigint[], $4::boolean[]) AS n(org_id, agent_id, revision, deleted)
LEFT JOIN former_revisions f ON f.org_id = n.org_id AND f.agent_id = n.agent_id
LEFT JOIN organizations o ON n.agent_id = '' AND o.id = n.org_id
LEFT JOIN agents a ON n.agent_id <> '' AND a.org_id = n.org_id AND a.id = n.agent_id
WHERE CASE WHEN n.deleted
           THEN coalesce(o.id::text, a.id) IS NOT NULL AND coalesce(f.revision, 0) < greatest(n.revision, 1)
           ELSE greatest(f.revision, o.revision, a.saved_revision, 0) < n.revision END
LIMIT 1
"""


@dataclass(frozen=True, slots=True)
class Ahead:
    """Whose newest record the rows know nothing of; ``agent_id`` is '' for the organization itself."""

    org_id: UUID
    agent_id: str


@dataclass(frozen=True, slots=True)
class _Said:
    revision: int
    deleted: bool


Newest = dict[tuple[UUID, str], _Said]


async def newest_said(settings: Settings, log_id: UUID) -> Newest:
    """What the topic's newest records under this log's id say last, by organization and agent.

    Raises `KafkaUnavailable`.
    """
    newest: Newest = {}
    for records in await newest_records(settings.kafka_bootstrap_servers, settings.assistants_topic, NEWEST_RECORDS):
        for record in records:
            newest |= _said(record, log_id)
    return newest


async def find_ahead(connection: Connection, newest: Newest) -> Ahead | None:
    """One that the rows know nothing of, or None. ``newest`` was read before this."""
    keys = [org_id for org_id, _ in newest], [agent_id for _, agent_id in newest]
    said = [one.revision for one in newest.values()], [one.deleted for one in newest.values()]
    row = await connection.fetchrow(_BEHIND, *keys, *said)
    return None if row is None else Ahead(row["org_id"], row["agent_id"])


def _said(record: ConsumerRecord, log_id: UUID) -> Newest:
    try:
        message, attributes = from_record(record.key, record.value, record.headers)
    except UndecodableRecord:
        return {}
    return _of(message) if attributes.log_id == log_id else {}


def _of(message: AnyMessage) -> Newest:
    match message:
        case OrganizationSaved():
            return {(message.org_id, ""): _Said(message.revision, deleted=False)}
        case OrganizationDeleted():
            return {(message.org_id, ""): _Said(0, deleted=True)}
        case AssistantSaved():
            return {(message.org_id, message.agent_id): _Said(message.revision, deleted=False)}
        case AssistantDeleted():
            return {(message.org_id, message.agent_id): _Said(message.revision or 0, deleted=True)}
        case _:
            return {}
