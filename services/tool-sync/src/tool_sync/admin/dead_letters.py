"""Dead letters: what was set aside, and taking it in again with a release that can read it."""

import base64
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final
from uuid import UUID, uuid5

from aiokafka import ConsumerRecord

from tool_sync.db import Connection
from tool_sync.domain.events import SyncRequested
from tool_sync.intake.mapping import Poison, Record, read_record
from tool_sync.log import AppendRejected, AppendRequest, EventLog, NewEvent, event_id
from zerotouch_contracts.envelope import SOURCE_ASSISTANT_API

REPLAYED: Final = UUID("8b1f1d5e-0b7d-5c0e-9a86-61f8a7b4c0d2")
"""Names the request of a replayed save whose own request has its outcome already."""

_COLUMNS: Final = """id, topic, partition, "offset", key, headers, value, reason, org_id, recorded_at,
       acknowledged_at, acknowledged_reason, replayed_at"""
_LIST: Final = f"""
SELECT {_COLUMNS} FROM dead_letters
 WHERE ($1::uuid IS NULL OR org_id = $1) AND ($2::timestamptz IS NULL OR recorded_at >= $2)
   AND ($3 OR (acknowledged_at IS NULL AND replayed_at IS NULL))
 ORDER BY id LIMIT $4
"""  # noqa: S608 - column names of our own
_READ: Final = f"SELECT {_COLUMNS} FROM dead_letters WHERE id = $1"  # noqa: S608
_DONE: Final = "UPDATE dead_letters SET replayed_at = clock_timestamp() WHERE id = $1 AND replayed_at IS NULL"
_HAS_OUTCOME: Final = """
SELECT EXISTS (SELECT FROM events
  WHERE org_id = $1 AND type = 'RequestUnreadable' AND data ->> 'request_id' = $2)
"""


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """A record that could not be taken in, byte for byte. ``closed_by``: what was done about it; None while open."""

    id: int
    topic: str
    partition: int
    offset: int
    key: bytes | None
    headers: tuple[tuple[str, bytes | None], ...]
    value: bytes | None
    reason: str
    org_id: UUID | None
    recorded_at: datetime
    closed_by: str | None


@dataclass(frozen=True, slots=True)
class Replayed:
    """``problem`` says why a letter could not be taken in this time either; None where it was."""

    letter: DeadLetter
    problem: str | None


async def list_letters(
    connection: Connection, *, org_id: UUID | None, since: datetime | None, closed: bool, limit: int
) -> list[DeadLetter]:
    """At most ``limit`` letters, oldest first; with ``closed`` also those that something was done about."""
    return [_letter(row) for row in await connection.fetch(_LIST, org_id, since, closed, limit)]


async def read_letter(connection: Connection, letter_id: int) -> DeadLetter | None:
    """One letter."""
    row = await connection.fetchrow(_READ, letter_id)
    return None if row is None else _letter(row)


async def replay_letters(
    connection: Connection, log: EventLog, letters: Sequence[DeadLetter], service_version: str
) -> list[Replayed]:
    """Take letters in as this release reads them, in their order; those that it still cannot read stay as they are.

    A save whose request was answered already (it got its outcome as unreadable) is taken in under a request id that
    follows from its own: its assistant is synced, and no request has two outcomes.
    """
    answers = []
    for letter in letters:
        problem = await _replay(connection, log, letter, service_version)
        if problem is None:
            await connection.execute(_DONE, letter.id)
        answers.append(Replayed(letter, problem))
    return answers


async def _replay(connection: Connection, log: EventLog, letter: DeadLetter, service_version: str) -> str | None:
    read = read_record(_record(letter), service_version)
    if isinstance(read, Poison):
        return read.reason
    try:
        await log.append(await _request(connection, read.request))
    except AppendRejected as rejected:
        return rejected.reason
    return None


async def _request(connection: Connection, request: AppendRequest) -> AppendRequest:
    (new,) = request.events
    event = new.event
    if not isinstance(event, SyncRequested):
        return request
    if not await connection.fetchval(_HAS_OUTCOME, request.org_id, str(event.request_id)):
        return request
    request_id = uuid5(REPLAYED, str(event.request_id))
    again = event_id(request.stream, SOURCE_ASSISTANT_API, str(request_id), type(event).__name__, 0)
    return replace(request, events=(NewEvent(again, replace(event, request_id=request_id)),))


def _record(letter: DeadLetter) -> Record:
    return ConsumerRecord(
        topic=letter.topic,
        partition=letter.partition,
        offset=letter.offset,
        timestamp=int(letter.recorded_at.timestamp() * 1000),
        timestamp_type=0,
        key=letter.key,
        value=letter.value,
        checksum=None,
        serialized_key_size=len(letter.key or b""),
        serialized_value_size=len(letter.value or b""),
        headers=letter.headers,
    )


def _letter(row: Any) -> DeadLetter:
    closed_by = row["acknowledged_reason"] or ("replayed" if row["replayed_at"] else None)
    return DeadLetter(
        id=row["id"],
        topic=row["topic"],
        partition=row["partition"],
        offset=row["offset"],
        key=row["key"],
        headers=tuple((name, _bytes(value)) for name, value in row["headers"]),
        value=row["value"],
        reason=row["reason"],
        org_id=row["org_id"],
        recorded_at=row["recorded_at"],
        closed_by=closed_by,
    )


def _bytes(stored: str | dict[str, str] | None) -> bytes | None:
    """The other way round of what `subscriber.dead_letters` stores."""
    if stored is None:
        return None
    return base64.b64decode(stored["base64"]) if isinstance(stored, dict) else stored.encode()
