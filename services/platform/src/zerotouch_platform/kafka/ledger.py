"""The tables ``topic_looks`` and ``lost_records``, the same in both services."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from zerotouch_platform.kafka.losses import Jump, Loss, Seen, losses, seen_now
from zerotouch_platform.kafka.places import Place
from zerotouch_platform.postgres.pool import Connection

_ONE_AT_A_TIME: Final = "SELECT pg_advisory_xact_lock(hashtextextended('topic_looks ' || $1, 0))"
_NOW: Final = "SELECT clock_timestamp()"
_SEEN: Final = "SELECT partition, read_to, end_offset, group_id, looked_at FROM topic_looks WHERE topic = $1"
_STORE: Final = """
INSERT INTO topic_looks (topic, group_id, partition, read_to, end_offset)
SELECT $1, $2, * FROM unnest($3::int[], $4::bigint[], $5::bigint[])
ON CONFLICT (topic, partition) DO UPDATE
   SET read_to = excluded.read_to, end_offset = excluded.end_offset, group_id = excluded.group_id,
       looked_at = clock_timestamp()
"""
_LOSE: Final = """
INSERT INTO lost_records (topic, partition, first_offset, end_offset, cause)
SELECT $1, * FROM unnest($2::int[], $3::bigint[], $4::bigint[], $5::text[])
"""
_OPEN: Final = """
SELECT id, topic, partition, first_offset, end_offset, cause, found_at FROM lost_records
 WHERE acknowledged_at IS NULL ORDER BY id LIMIT $1
"""
_COUNT: Final = """
SELECT coalesce(sum(greatest(end_offset - first_offset, 1)), 0)::bigint FROM lost_records WHERE acknowledged_at IS NULL
"""
_ACKNOWLEDGE: Final = """
UPDATE lost_records SET acknowledged_at = clock_timestamp(), acknowledged_reason = $2
 WHERE id = $1 AND acknowledged_at IS NULL RETURNING id
"""
OPEN_MAX: Final = 1000


@dataclass(frozen=True, slots=True)
class Lost:
    """A loss that nobody has acknowledged."""

    id: int
    topic: str
    partition: int
    first_offset: int
    end_offset: int
    cause: str
    found_at: datetime

    def __str__(self) -> str:
        span = (
            f"offsets {self.first_offset} to {self.end_offset}" if self.end_offset > self.first_offset else "no record"
        )
        return f"{self.topic} partition {self.partition}, {span}: {self.cause}"


async def begin(connection: Connection) -> datetime:
    """The database's time: of a look that is about to be made."""
    began_at: datetime = await connection.fetchval(_NOW)
    return began_at


async def note(
    connection: Connection,
    topic: str,
    group_id: str,
    now: Mapping[int, Place],
    jumps: Iterable[Jump],
    began_at: datetime,
) -> tuple[Loss, ...] | None:
    """Compare with the look before and write down what was lost since. Call it in a transaction.

    None, and nothing is written, where another process has looked since this look began: what it saw may be newer,
    and then a topic that has grown would seem to have shrunk.
    """
    await connection.execute(_ONE_AT_A_TIME, topic)
    rows = await connection.fetch(_SEEN, topic)
    if any(row["looked_at"] > began_at for row in rows):
        return None
    before = {
        row["partition"]: Seen(row["read_to"], row["end_offset"], row["group_id"] not in (None, group_id))
        for row in rows
    }
    found, seen = losses(before, now, jumps), seen_now(before, now)
    if found:
        columns = zip(*((loss.partition, loss.first, loss.end, loss.cause.value) for loss in found), strict=True)
        await connection.execute(_LOSE, topic, *map(list, columns))
    numbers = sorted(seen)
    read_to, ends = [seen[n].read_to for n in numbers], [seen[n].end for n in numbers]
    await connection.execute(_STORE, topic, group_id, numbers, read_to, ends)
    return found


async def open_losses(connection: Connection) -> list[Lost]:
    """What nobody has acknowledged, oldest first."""
    return [Lost(**dict(row)) for row in await connection.fetch(_OPEN, OPEN_MAX)]


async def records_lost(connection: Connection) -> int:
    """How many records are in those losses; one whose extent nobody can tell counts as one record."""
    return int(await connection.fetchval(_COUNT))


async def acknowledge(connection: Connection, loss_id: int, reason: str) -> bool:
    """Close a loss; False where there is none of this id that is open."""
    return await connection.fetchval(_ACKNOWLEDGE, loss_id, reason) is not None
