"""Pages of published events above a position.

Positions have no holes and become visible in their order, so everything up to a head that was read before is there to
see: a page says how far it has looked, and a reader goes on from there, whatever it wanted to see.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Final, NamedTuple
from uuid import UUID

import asyncpg

from tool_sync.db import Connection
from tool_sync.log import UNREADABLE
from tool_sync.log.codec import UnknownEvent, decode
from tool_sync.outcomes.feed.filters import Filter
from tool_sync.outcomes.publications import publication_of
from zerotouch_contracts.envelope import Record, to_record
from zerotouch_contracts.events import OutcomeMessage

SCAN_MAX: Final = 50_000
"""Positions that one page of all orgs looks at, so that a rare type cannot make a request long."""

_HEAD: Final = "SELECT coalesce(max(position), 0) FROM events"

# What this release cannot read is read too, whatever was asked for: it stops the reader.
_COLUMNS: Final = f"""
SELECT position, org_id, event_id, type, schema, data::text AS data, meta ->> 'traceparent' AS traceparent, recorded_at
  FROM events
 WHERE position > $1 AND position <= $2
   AND ((type = ANY ($3::text[]) AND data ->> 'sequence' IS NOT NULL) OR {UNREADABLE})"""  # noqa: S608
_PAGE: Final = f"{_COLUMNS} ORDER BY position LIMIT $4"
_PAGE_OF_ORG: Final = f"{_COLUMNS} AND org_id = $5 ORDER BY position LIMIT $4"


class Published(NamedTuple):
    """A published event: its place in the log and the message of the contract, with what goes into its envelope."""

    position: int
    event_id: UUID
    recorded_at: datetime
    traceparent: str | None
    message: OutcomeMessage

    def record(self, log_id: UUID) -> Record:
        """The record that the relay sends for it."""
        return to_record(
            self.message, id=self.event_id, time=self.recorded_at, log_id=log_id, traceparent=self.traceparent
        )


@dataclass(frozen=True, slots=True)
class Page:
    """Published events in position order. Up to ``scanned_through`` there are no others that the filter lets pass.

    ``is_final``: the same question has this answer for ever. ``stopped_by``: the page ends before an event that this
    release cannot read.
    """

    events: tuple[Published, ...]
    scanned_through: int
    is_final: bool
    stopped_by: UnknownEvent | None = None


async def read_head(connection: Connection) -> int:
    """The newest position of the log. A tenant's connection would find its own org's."""
    head: int = await connection.fetchval(_HEAD)
    return head


async def read_page(connection: Connection, *, after: int, head: int, wanted: Filter, limit: int) -> Page:
    """At most ``limit`` events above ``after``, none above ``head``, which was read before. One statement.

    ``scanned_through`` is never below ``after``, which may be beyond the head.
    """
    if after >= head:
        return Page((), after, is_final=False)
    # One org's events are few and have an index of their own.
    through = head if wanted.org_id is not None else min(head, after + SCAN_MAX)
    arguments = [after, through, wanted.stored_types, limit]
    if wanted.org_id is None:
        rows = await connection.fetch(_PAGE, *arguments)
    else:
        rows = await connection.fetch(_PAGE_OF_ORG, *arguments, wanted.org_id)
    events: list[Published] = []
    for row in rows:
        try:
            events.append(_published(row))
        except UnknownEvent as error:
            return Page(tuple(events), row["position"] - 1, is_final=False, stopped_by=error)
    if len(rows) == limit:
        return Page(tuple(events), events[-1].position, is_final=True)
    return Page(tuple(events), through, is_final=through < head)


def _published(row: asyncpg.Record) -> Published:
    position, org_id, event_id, type_name, schema, data, traceparent, recorded_at = row
    message = None
    if org_id is not None:
        message = publication_of(org_id, decode(position, type_name, schema, data))
    if message is None:
        raise UnknownEvent(position, type_name, schema, "this release cannot publish it")
    return Published(position, event_id, recorded_at, traceparent, message)
