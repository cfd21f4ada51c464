"""Reads what is to be published from the log, page by page.

Positions have no holes and become visible in their order, so everything up to the head that was read is there to see.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

from tool_sync.codec import SCHEMAS, UnknownEvent, decode
from tool_sync.db import Pool
from tool_sync.publications import PUBLISHABLE, publication_of
from zerotouch_contracts.events import OutcomeMessage

_PASSED_OVER: Final[Sequence[str]] = sorted(set(SCHEMAS) - {cls.__name__ for cls in PUBLISHABLE})
"""Types that are never published, named one by one: a type that this release does not know is read, and stops us."""

_HEAD: Final = "SELECT coalesce(max(position), 0) FROM events"

_PAGE: Final = """
SELECT position, org_id, event_id, type, schema, data::text AS data, meta ->> 'traceparent' AS traceparent, recorded_at
  FROM events
 WHERE position > $1 AND position <= $2 AND type <> ALL ($3::text[])
 ORDER BY position
 LIMIT $4
"""


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

    Raises :class:`tool_sync.codec.UnknownEvent` at the first event that this release cannot read.
    """
    head = await pool.fetchval(_HEAD)
    through = min(head, after + scan_max)
    if through <= after:
        return Page((), after)
    rows = await pool.fetch(_PAGE, after, through, _PASSED_OVER, publications_max)
    publications = []
    for row in rows:
        if row["org_id"] is None:
            raise UnknownEvent(row["position"], row["type"], row["schema"], "an outcome must belong to an org")
        event = decode(row["position"], row["type"], row["schema"], row["data"])
        message = publication_of(row["org_id"], event)
        if message is not None:
            publications.append(
                Publication(row["position"], row["event_id"], row["recorded_at"], row["traceparent"], message)
            )
    return Page(tuple(publications), rows[-1]["position"] if len(rows) == publications_max else through)
