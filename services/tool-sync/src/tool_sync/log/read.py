"""Reading the log in position order: the whole of it by pages, or one org's part."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

import asyncpg
from pydantic import TypeAdapter

from tool_sync.db import Connection
from tool_sync.log import codec
from tool_sync.log.codec import UnknownEvent
from tool_sync.log.records import Meta, StoredEvent

COLUMNS = (
    "position, stream, version, event_id, org_id, type, schema, data::text AS data, meta::text AS meta, recorded_at"
)

_META = TypeAdapter(Meta)


@dataclass(frozen=True, slots=True)
class Page:
    """Events in position order without holes, and the newest position of the log when they were read."""

    events: tuple[StoredEvent, ...]
    head: int


READ = f"""
SELECT h.head, e.*
FROM (SELECT coalesce(max(position), 0) AS head FROM events) h
LEFT JOIN LATERAL (SELECT {COLUMNS} FROM events WHERE position > $1 ORDER BY position LIMIT $2) e ON true
ORDER BY e.position
"""  # noqa: S608 - constants


async def read(connection: Connection, after: int, limit: int) -> Page:
    """The events after a position, at most ``limit``.

    The page ends before an event that this release cannot read; raises `UnknownEvent` where it would be the first.
    """
    rows = await connection.fetch(READ, after, limit)
    head: int = rows[0]["head"]
    return Page(tuple(_until_unknown([row for row in rows if row["position"] is not None])), head)


READ_ORG = f"""
SELECT {COLUMNS} FROM events WHERE org_id = $1 AND position > $2 ORDER BY position LIMIT $3
"""  # noqa: S608


async def read_org(connection: Connection, org_id: UUID, after: int, limit: int) -> list[StoredEvent]:
    """One org's events after a position, at most ``limit``, under the rights of the connection (see `db.tenant_tx`).

    Ends before an event that this release cannot read; raises `UnknownEvent` where it would be the first.
    """
    return _until_unknown(await connection.fetch(READ_ORG, org_id, after, limit))


def _until_unknown(rows: Sequence[asyncpg.Record]) -> list[StoredEvent]:
    events: list[StoredEvent] = []
    for row in rows:
        try:
            events.append(stored_event(row))
        except UnknownEvent:
            if not events:
                raise
            break
    return events


def stored_event(row: asyncpg.Record) -> StoredEvent:
    """A row of `COLUMNS` as a record. Raises `UnknownEvent`."""
    position = row["position"]
    return StoredEvent(
        position,
        row["stream"],
        row["version"],
        row["event_id"],
        row["org_id"],
        codec.decode(position, row["type"], row["schema"], row["data"]),
        _META.validate_json(row["meta"]),
        row["recorded_at"],
    )
