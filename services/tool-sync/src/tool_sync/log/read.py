"""Reading the log in position order: the whole of it by pages, one org's part, or what is published of it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Final, NamedTuple
from uuid import UUID

import asyncpg
from pydantic import TypeAdapter

from tool_sync.db import Connection, Pool
from tool_sync.log import codec
from tool_sync.log.codec import SCHEMAS, UnknownEvent
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
SELECT {COLUMNS} FROM events WHERE org_id = $1 AND position > $2 AND position <= $4 ORDER BY position LIMIT $3
"""  # noqa: S608

POSITION_MAX: Final = 2**63 - 1


async def read_org(
    connection: Connection, org_id: UUID, after: int, limit: int, through: int = POSITION_MAX
) -> list[StoredEvent]:
    """One org's events after a position, at most ``limit``, under the rights of the connection (see `db.tenant_tx`).

    Ends before an event that this release cannot read; raises `UnknownEvent` where it would be the first.
    """
    return _until_unknown(await connection.fetch(READ_ORG, org_id, after, limit, through))


READ_FLEET = f"""
SELECT {COLUMNS} FROM events
 WHERE org_id IS NULL AND ($1::timestamptz IS NULL OR recorded_at <= $1) AND ($2::bigint IS NULL OR position <= $2)
 ORDER BY position
"""  # noqa: S608


async def read_fleet(
    connection: Connection, *, at: datetime | None = None, through: int | None = None
) -> list[StoredEvent]:
    """The events of no org: what was published and ordered, all of it or up to a time or position.

    Needs the service's role. Raises `UnknownEvent`.
    """
    return [stored_event(row) for row in await connection.fetch(READ_FLEET, at, through)]


def unreadable(schemas: Mapping[str, int]) -> str:
    """True for a row of ``events`` whose type or schema a release with these schemas does not know.

    For readers that let PostgreSQL pass over the rest. That is safe only for what is known: another type, or a newer
    schema of a known one, may be just what such a reader should have seen. It must meet the event, and stop.
    """
    # Literals: PostgreSQL hashes a list of constants, and compares a parameter's elements one by one.
    known = ", ".join(f"'{name}'" for name in sorted(schemas))
    raised = "".join(f" WHEN '{name}' THEN {schema}" for name, schema in sorted(schemas.items()) if schema > 1)
    newest = f"CASE type{raised} ELSE 1 END" if raised else "1"
    return f"(type NOT IN ({known}) OR schema > {newest})"


UNREADABLE: Final = unreadable(SCHEMAS)

# What this release cannot read is read too, whatever was asked for: it must stop the reader, as a newer release may
# publish it.
_SEQUENCED: Final = f"""
SELECT position, org_id, event_id, type, schema, data::text AS data, meta ->> 'traceparent' AS traceparent, recorded_at
  FROM events
 WHERE position > $1 AND position <= $2
   AND ((type = ANY ($3::text[]) AND data ->> $5::text IS NOT NULL) OR {UNREADABLE})"""  # noqa: S608
# Two statements, as one with "$6 IS NULL OR" would not be planned by the org's own index.
_OF_ALL: Final = f"{_SEQUENCED} ORDER BY position LIMIT $4"
_OF_ORG: Final = f"{_SEQUENCED} AND org_id = $6 ORDER BY position LIMIT $4"


async def read_sequenced(
    connection: "Connection | Pool",
    after: int,
    through: int,
    types: Sequence[str],
    limit: int,
    org_id: UUID | None,
    numbered_by: str,
) -> list[asyncpg.Record]:
    """Undecoded rows above ``after``, none above ``through``: events of these types that carry a number in this field.

    An event that this release cannot read is among them. Columns: position, org_id, event_id, type, schema, data,
    traceparent, recorded_at.
    """
    if org_id is None:
        return await connection.fetch(_OF_ALL, after, through, types, limit, numbered_by)
    return await connection.fetch(_OF_ORG, after, through, types, limit, numbered_by, org_id)


class News(NamedTuple):
    """The log's head, and by group of types whose events came since; None among them is an event of no org."""

    head: int
    orgs: tuple[frozenset[UUID | None], ...]


@cache
def _news(groups: int) -> str:
    orgs = ", ".join(
        f"array_agg(DISTINCT org_id) FILTER (WHERE type = ANY (${n}::text[]) OR {UNREADABLE}) AS orgs_{n}"
        for n in range(2, groups + 2)
    )
    return f"SELECT coalesce(max(position), $1) AS head, {orgs} FROM events WHERE position > $1"  # noqa: S608


async def read_news(connection: Connection, after: int, types: Sequence[Sequence[str]]) -> News:
    """What came after a position, by groups of types. An event that this release cannot read is news of each."""
    row = await connection.fetchrow(_news(len(types)), after, *types)
    assert row is not None
    head, *orgs = row
    return News(head, tuple(frozenset(found or ()) for found in orgs))


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
