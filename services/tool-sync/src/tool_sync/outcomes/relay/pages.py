"""Reads what is to be published from the log, page by page.

Positions have no holes and become visible in their order, so everything up to the head that was read is there to see.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

import asyncpg

from tool_sync.db import Pool
from tool_sync.log import UNREADABLE
from tool_sync.log.codec import UnknownEvent, decode
from tool_sync.outcomes.publications import PUBLISHABLE, publication_of
from zerotouch_contracts.events import OutcomeMessage

_PUBLISHABLE: Final = sorted(cls.__name__ for cls in PUBLISHABLE)

_HEAD: Final = "SELECT coalesce(max(position), 0) FROM events"

# What this release cannot read is read too, and stops us: a newer one may publish it.
_PAGE: Final = f"""
SELECT position, org_id, event_id, type, schema, data::text AS data, meta ->> 'traceparent' AS traceparent, recorded_at
  FROM events
 WHERE position > $1 AND position <= $2 AND (type = ANY ($3::text[]) OR {UNREADABLE})
 ORDER BY position
 LIMIT $4
"""  # noqa: S608 - constants


@dataclass(frozen=True, slots=True)
class Publication:
    """A message and what goes into its record's headers."""

    position: int
    event_id: UUID
    recorded_at: datetime
    traceparent: str | None
    message: OutcomeMessage


@dataclass(frozen=True, slots=True)
class Page:
    """Publications in the order of their positions, and up to which position the log holds no others."""

    publications: tuple[Publication, ...]
    scanned_through: int


async def read_page(pool: Pool, *, after: int, publications_max: int, scan_max: int) -> Page:
    """The next page above position ``after``; ``scanned_through == after`` where the log has nothing more.

    The page ends before an event that this release cannot read; raises `UnknownEvent` where that
    is the next one.
    """
    head = await pool.fetchval(_HEAD)
    through = min(head, after + scan_max)
    if through <= after:
        return Page((), after)
    rows = await pool.fetch(_PAGE, after, through, _PUBLISHABLE, publications_max)
    publications: list[Publication] = []
    for row in rows:
        try:
            publication = _publication(row)
        except UnknownEvent as error:
            if error.position == after + 1:
                raise
            return Page(tuple(publications), error.position - 1)
        if publication is not None:
            publications.append(publication)
    return Page(tuple(publications), rows[-1]["position"] if len(rows) == publications_max else through)


def _publication(row: asyncpg.Record) -> Publication | None:
    event = decode(row["position"], row["type"], row["schema"], row["data"])
    if row["org_id"] is None:
        raise UnknownEvent(row["position"], row["type"], row["schema"], "an outcome must belong to an org")
    message = publication_of(row["org_id"], event)
    if message is None:
        return None
    return Publication(row["position"], row["event_id"], row["recorded_at"], row["traceparent"], message)
