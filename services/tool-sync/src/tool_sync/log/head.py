"""Where the log stands: its newest position, its id, and which published records it does not have.

Positions have no holes and become visible in their order, so everything up to a head that was read is there to see.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Final, NamedTuple
from uuid import UUID

from tool_sync.db import Connection, Pool
from zerotouch_platform.postgres.pool import ACQUIRE_SECONDS

HEAD: Final = "SELECT coalesce(max(position), 0) FROM events"
"""A statement, or a part of one that wants the head along with something else."""
_LOG: Final = f"SELECT log_id, ({HEAD}) AS head FROM log"  # noqa: S608 - constants
_RECORDED_AT: Final = "SELECT recorded_at FROM events WHERE position = $1"
_NEWEST: Final = "SELECT recorded_at FROM events ORDER BY position DESC LIMIT 1"
# Not only by its id: a record that somebody else put on the topic repeats a number of its stream, and stops nobody.
_AHEAD: Final = """
SELECT r.event_id
  FROM unnest($1::uuid[], $2::text[], $3::bigint[]) AS r(event_id, stream, sequence)
 WHERE NOT EXISTS (SELECT FROM events WHERE event_id = r.event_id)
   AND r.sequence > coalesce((
       SELECT (data ->> $4::text)::bigint FROM events
        WHERE stream = r.stream AND data ->> $4::text IS NOT NULL
        ORDER BY version DESC LIMIT 1), 0)
"""


_VERSION: Final = "SELECT coalesce(max(version), 0) FROM events WHERE stream = $1"


class HeadOfLog(NamedTuple):
    """The log's id and its newest position, of one moment."""

    log_id: UUID
    head: int


async def read_head(connection: "Connection | Pool") -> int:
    """The newest position of the log, 0 where it is empty. A tenant's connection would find its own org's."""
    head: int = await connection.fetchval(HEAD)
    return head


async def read_log_head(pool: Pool) -> HeadOfLog:
    """The head of the log, and which log it is: a fork or a restore changes that under a running process."""
    row = await pool.fetchrow(_LOG, timeout=ACQUIRE_SECONDS)
    assert row is not None, "the table log has its one row from the first migration"
    return HeadOfLog(row["log_id"], row["head"])


async def newest_event_at(connection: Connection) -> datetime | None:
    """When the log's newest event was recorded, by the database's clock; None for an empty log."""
    at: datetime | None = await connection.fetchval(_NEWEST)
    return at


async def last_before(connection: Connection, moment: datetime, head: int) -> int:
    """The newest position recorded before a moment, 0 where there is none: times never fall with positions."""
    low, high = 0, head
    while low < high:
        middle = (low + high + 1) // 2
        if await connection.fetchval(_RECORDED_AT, middle) < moment:
            low = middle
        else:
            high = middle - 1
    return low


async def ahead_of_log(
    connection: "Connection | Pool", records: Sequence[tuple[UUID, str, int]], numbered_by: str
) -> list[UUID]:
    """The ids of those records, (event, stream, number), that are published and not in the log: it lacks them.

    ``numbered_by`` is the field of a stored event that holds such a number.
    """
    columns = map(list, zip(*records, strict=True))
    return [row["event_id"] for row in await connection.fetch(_AHEAD, *columns, numbered_by)] if records else []


async def stream_version(connection: Connection, stream: str) -> int:
    """The version of a stream's newest event, 0 where it has none (for this role)."""
    version: int = await connection.fetchval(_VERSION, stream)
    return version
