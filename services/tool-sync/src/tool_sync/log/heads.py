"""What the log has at the positions that heads name: for signing one, and for comparing them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

from tool_sync.db import Connection, Pool

COUNT_PAGE_POSITIONS: Final = 100_000
"""Of one statement: its time is bounded, however long the log is."""

_STANDS: Final = """
SELECT l.log_id, l.forked_from, l.forked_at, coalesce(f.first_position, 9223372036854775807) AS form_2_from,
       coalesce(e.position, 0) AS position, coalesce(encode(e.hash, 'hex'), '') AS hash, e.recorded_at
  FROM log l LEFT JOIN hash_forms f ON f.form = 2
  LEFT JOIN LATERAL (SELECT position, hash, recorded_at FROM events ORDER BY position DESC LIMIT 1) e ON true
"""
_HASHES: Final = "SELECT position, encode(hash, 'hex') AS hash FROM events WHERE position = ANY($1::bigint[])"
_COUNTS: Final = """
SELECT split_part(stream, '-', 1) AS kind, count(*) AS events
  FROM events WHERE position > $1 AND position <= $2 GROUP BY 1
"""
_NOTE: Final = """
INSERT INTO cursors (name, position) VALUES ('log-heads', $1)
ON CONFLICT (name) DO UPDATE SET position = excluded.position
"""


@dataclass(frozen=True, slots=True)
class LogStands:
    """Where the log stands: ``position`` 0 and no hash for an empty one. ``forked_from``: the log it was before.

    Hashes have form 2 from ``form_2_from`` on.
    """

    log_id: UUID
    position: int
    hash: str
    recorded_at: datetime | None
    form_2_from: int
    forked_from: UUID | None
    forked_at: datetime | None

    @property
    def form(self) -> int:
        """Of the hash at the newest position."""
        return 2 if self.position >= self.form_2_from else 1


async def read_stands(connection: "Connection | Pool") -> LogStands:
    """Where the log stands, in one statement."""
    row = await connection.fetchrow(_STANDS)
    assert row is not None, "the table log has its one row from the first migration"
    return LogStands(**row)


async def hashes_at(connection: "Connection | Pool", positions: Sequence[int]) -> Mapping[int, str]:
    """The hashes that the table has at these positions; one that is not there is left out."""
    rows = await connection.fetch(_HASHES, list(positions))
    return {row["position"]: row["hash"] for row in rows}


async def counts_between(connection: "Connection | Pool", after: int, through: int) -> dict[str, int]:
    """How many events there are above ``after`` and up to ``through``, by the kind of their stream."""
    counts: dict[str, int] = {}
    for start in range(after, through, COUNT_PAGE_POSITIONS):
        for row in await connection.fetch(_COUNTS, start, min(through, start + COUNT_PAGE_POSITIONS)):
            counts[row["kind"]] = counts.get(row["kind"], 0) + row["events"]
    return counts


async def note_signed(connection: "Connection | Pool", position: int) -> None:
    """Remember how far heads were sent, for gauges alone: whoever owns the table can write it."""
    await connection.execute(_NOTE, position)
