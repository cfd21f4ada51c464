"""Where the service stands, by its tables and PostgreSQL: who leads, how far topics are read, what the key has used.

Each is a few rows: of a page that somebody looks at, not of every save.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from tool_sync.db import Connection

# A session lock of one bigint: its halves are two columns, and objsubid is 1 (pg_locks, PostgreSQL 16).
_LEADERS: Final = """
SELECT (l.classid::bigint << 32) | l.objid::bigint AS key, host(a.client_addr) AS address, a.backend_start AS since
  FROM pg_locks l JOIN pg_stat_activity a USING (pid)
 WHERE l.locktype = 'advisory' AND l.granted AND l.objsubid = 1 AND l.database = a.datid
   AND a.datname = current_database() AND ((l.classid::bigint << 32) | l.objid::bigint) = ANY ($1)
"""
_LOOKS: Final = """
SELECT topic, coalesce(group_id, '') AS group_id, count(*) AS partitions,
       sum(greatest(end_offset - read_to, 0))::bigint AS behind, max(looked_at) AS looked_at
  FROM topic_looks GROUP BY 1, 2 ORDER BY 1, 2
"""
_MINUTE: Final = """
SELECT used, lent FROM key_minutes m JOIN vapi_keys k USING (key)
 WHERE k.account IS NULL AND minute = floor(extract(epoch FROM clock_timestamp()) / 60)::bigint
 ORDER BY k.opened_at DESC NULLS LAST LIMIT 1
"""
_SIGNED: Final = "SELECT position FROM cursors WHERE name = 'log-heads'"
_PROJECTIONS: Final = "SELECT name, position FROM projection_positions ORDER BY name"


@dataclass(frozen=True, slots=True)
class Leader:
    """The session that leads: whose address, None on the database's own machine; and since when it is connected."""

    address: str | None
    since: datetime


@dataclass(frozen=True, slots=True)
class TopicRead:
    """How far a topic was read when a reader last looked: ``behind`` records of all partitions were not."""

    topic: str
    group_id: str
    partitions: int
    behind: int
    looked_at: datetime


@dataclass(frozen=True, slots=True)
class UsedMinute:
    """Requests that all processes have drawn of this minute, and how many it was lent."""

    used: int
    lent: int


async def leaders(connection: Connection, keys: Collection[int]) -> Mapping[int, Leader]:
    """By the key of the lock; of one that nobody holds there is none."""
    rows = await connection.fetch(_LEADERS, list(keys))
    return {row["key"]: Leader(row["address"], row["since"]) for row in rows}


async def topics_read(connection: Connection) -> list[TopicRead]:
    """Every topic that a group of ours reads."""
    return [TopicRead(**dict(row)) for row in await connection.fetch(_LOOKS)]


async def used_this_minute(connection: Connection) -> UsedMinute | None:
    """Of the platform's key that was opened last; None where nothing was asked in this minute, or is counted."""
    row = await connection.fetchrow(_MINUTE)
    return None if row is None else UsedMinute(row["used"], row["lent"])


async def projections_at(connection: Connection) -> list[tuple[str, int]]:
    """Every read table, and up to which position of the log it is folded."""
    return [(row["name"], row["position"]) for row in await connection.fetch(_PROJECTIONS)]


async def signed_through(connection: Connection) -> int | None:
    """The position of the newest head that was signed, as the signer has noted; None where there is none."""
    position: int | None = await connection.fetchval(_SIGNED)
    return position
