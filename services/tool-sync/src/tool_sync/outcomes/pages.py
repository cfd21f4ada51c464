"""Pages of published events above a position: for the relay, the feed and a replay.

    relay    all of them, of all orgs; raises where the next event cannot be read      waits for the next append
    feed     what a reader wants; tells it where an event cannot be read               waits in `feed.tail`
    replay   what was asked for, up to the head of its start                           never waits

A page says how far it has looked, and a reader goes on from there, whatever it wanted to see: positions have no holes
and become visible in their order, so everything up to a head that was read before is there to see.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Final, NamedTuple
from uuid import UUID

import asyncpg

from tool_sync.db import Connection, Pool
from tool_sync.domain.events import FleetEvent
from tool_sync.log.codec import UnknownEvent, decode
from tool_sync.log.read import read_sequenced
from tool_sync.outcomes.filters import Filter
from tool_sync.outcomes.published import PublishedMessage, PublishedTopic
from zerotouch_contracts.envelope import Record, to_record

SCAN_MAX: Final = 50_000
"""Positions that one page of all orgs looks at, so that a rare type cannot make a request long."""


class Published(NamedTuple):
    """A published event: its place in the log and the message of the contract, with what goes into its envelope."""

    position: int
    event_id: UUID
    recorded_at: datetime
    traceparent: str | None
    message: PublishedMessage

    def record(self, log_id: UUID) -> Record:
        """The record that is sent for it."""
        return to_record(
            self.message, id=self.event_id, time=self.recorded_at, log_id=log_id, traceparent=self.traceparent
        )


@dataclass(frozen=True, slots=True)
class PublishedPage:
    """Published events in position order. Up to ``scanned_through`` there are no others that the filter lets pass.

    ``is_final``: the same question has this answer for ever. ``stopped_by``: the page ends before an event that this
    release cannot read.
    """

    events: tuple[Published, ...]
    scanned_through: int
    is_final: bool
    stopped_by: UnknownEvent | None = None


async def read_page(
    connection: "Connection | Pool", *, after: int, head: int, wanted: Filter, limit: int, scan_max: int | None = None
) -> PublishedPage:
    """At most ``limit`` events above ``after``, none above ``head``, which was read before. One statement.

    ``scanned_through`` is never below ``after``, which may be beyond the head. A page of all orgs looks at ``scan_max``
    positions, `SCAN_MAX` where that is not said.
    """
    if after >= head:
        return PublishedPage((), after, is_final=False)
    # One org's events are few and have an index of their own.
    through = head if wanted.org_id is not None else min(head, after + (scan_max or SCAN_MAX))
    published, types = wanted.published, wanted.stored_types
    rows = await read_sequenced(connection, after, through, types, limit, wanted.org_id, published.numbered_by)
    events: list[Published] = []
    for row in rows:
        try:
            event = _published(row, published)
        except UnknownEvent as error:
            return PublishedPage(tuple(events), row["position"] - 1, is_final=False, stopped_by=error)
        if event is not None:
            events.append(event)
    if len(rows) == limit:
        return PublishedPage(tuple(events), rows[-1]["position"], is_final=True)
    return PublishedPage(tuple(events), through, is_final=through < head)


def _published(row: asyncpg.Record, published: PublishedTopic) -> Published | None:
    position, org_id, event_id, type_name, schema, data, traceparent, recorded_at = row
    event = decode(position, type_name, schema, data)
    if org_id is None and not isinstance(event, FleetEvent):
        raise UnknownEvent(position, type_name, schema, "an event about an org must belong to one")
    message = published.message_of(org_id, event)
    return None if message is None else Published(position, event_id, recorded_at, traceparent, message)
