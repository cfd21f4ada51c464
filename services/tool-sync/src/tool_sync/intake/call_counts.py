"""The table ``tool_call_counts``: how often which tool was called for a clinic, by day and result, each call once.

    call ─► counted_calls, by its message's id ─► tool_call_counts + 1      one statement
    every 10 s ─► tool_calls_read: all that was in the topic then is counted

A message that is published again, read again or handled by two processes has the same id, so it counts once. Ids are
kept for longer than a message may be old to be counted: what is forgotten is not counted again either.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from math import isinf
from typing import Final
from uuid import UUID

from tool_sync.db import Connection, Pool, read_now
from tool_sync.domain.change_window import TIME_ZONE_DEFAULT, zone_of
from zerotouch_platform.postgres.pool import ACQUIRE_SECONDS

COUNTED_MAX: Final = timedelta(days=8)
"""An older call is not counted: the topic keeps 7 days, and no more are promised."""
IDS_KEPT: Final = COUNTED_MAX + timedelta(days=1)
NOTE_SECONDS: Final = 10.0
FORGET_MAX: Final = 20_000
"""Rows of one statement."""

_ZONES: Final = """
SELECT clock_timestamp() AS now, w.org_id, w.time_zone FROM (SELECT) one
  LEFT JOIN org_change_windows w ON w.org_id = ANY ($1::uuid[])
"""
# In the order of their keys, so that two processes that count the same clinics wait for each other and nothing worse.
# A clinic that is deleted while this runs may leave a row, which goes with the next forgetting.
_COUNT: Final = """
WITH counted AS (
    INSERT INTO counted_calls (id, at)
    SELECT u.id, u.at FROM unnest($1::uuid[], $2::timestamptz[]) AS u (id, at)
     WHERE u.at > clock_timestamp() - $8::interval ORDER BY u.id
    ON CONFLICT DO NOTHING RETURNING id
)
INSERT INTO tool_call_counts AS c (org_id, code, day, assistant_id, tool, calls, newest_at)
SELECT u.org_id, u.code, u.day, u.assistant_id, u.tool, count(*), max(u.at)
  FROM unnest($1::uuid[], $2::timestamptz[], $3::uuid[], $4::text[], $5::date[], $6::text[], $7::text[])
       AS u (id, at, org_id, code, day, assistant_id, tool)
  JOIN counted USING (id)
 WHERE NOT EXISTS (SELECT FROM organizations o WHERE o.id = u.org_id AND o.closed)
 GROUP BY 1, 2, 3, 4, 5 ORDER BY 1, 2, 3, 4, 5
ON CONFLICT (org_id, code, day, assistant_id, tool) DO UPDATE
   SET calls = c.calls + excluded.calls, newest_at = greatest(c.newest_at, excluded.newest_at)
"""
# After a restore the group may be past what the backup lacks: nothing is claimed of the time before.
_NOTE: Final = """
INSERT INTO tool_calls_read AS r (counted_since, read_through, lost, log_id)
SELECT $1::timestamptz, $2::timestamptz, coalesce(sum(greatest(l.end_offset - l.first_offset, 1)), 0),
       (SELECT log_id FROM log)
  FROM lost_records l WHERE l.topic = $3 AND l.found_at > $1::timestamptz - $4::interval
ON CONFLICT (one) DO UPDATE
   SET counted_since = CASE WHEN r.log_id = excluded.log_id THEN r.counted_since ELSE excluded.counted_since END,
       read_through = CASE WHEN r.log_id = excluded.log_id THEN greatest(r.read_through, excluded.read_through)
                           ELSE excluded.read_through END,
       lost = excluded.lost, log_id = excluded.log_id
"""
_FORGET_IDS: Final = """
DELETE FROM counted_calls WHERE id IN
    (SELECT id FROM counted_calls WHERE at < clock_timestamp() - $1::interval ORDER BY at LIMIT $2)
"""
_FORGET_DAYS: Final = """
DELETE FROM tool_call_counts WHERE ctid IN
    (SELECT ctid FROM tool_call_counts WHERE day < (clock_timestamp() AT TIME ZONE 'UTC')::date - $1::int LIMIT $2)
"""
_FORGET_CLOSED: Final = """
DELETE FROM tool_call_counts c WHERE EXISTS (SELECT FROM organizations o WHERE o.id = c.org_id AND o.closed)
"""


@dataclass(frozen=True, slots=True)
class CountedCall:
    """A call that was answered. ``id`` is its message's, ``at`` assistant-api's time of it, ``assistant_id`` Vapi's."""

    id: UUID
    at: datetime
    org_id: UUID
    code: str
    assistant_id: str | None
    tool: str


async def count_calls(pool: Pool, calls: Sequence[CountedCall]) -> None:
    """Count those that were not counted yet, on the days of their clinics' clocks.

    A call of the future, as another database's clock may have it, is counted as one of now.
    """
    once = {call.id: call for call in calls}
    if not once:
        return
    rows = await pool.fetch(_ZONES, [call.org_id for call in once.values()])
    now: datetime = rows[0]["now"]
    zones = {row["org_id"]: row["time_zone"] for row in rows}
    columns = [
        (
            call.id,
            at := min(call.at, now),
            call.org_id,
            call.code,
            at.astimezone(zone_of(zones.get(call.org_id, TIME_ZONE_DEFAULT))).date(),
            call.assistant_id or "",
            call.tool,
        )
        for call in once.values()
        if call.at > now - IDS_KEPT  # also because a day of the year 1 has none before it
    ]
    if columns:
        await pool.execute(_COUNT, *map(list, zip(*columns, strict=True)), COUNTED_MAX)


async def note_read(pool: Pool, topic: str, behind_seconds: Callable[[], float]) -> None:
    """Keep how far all processes together have counted: so long ago they had read everything that was there.

    The time is asked for first: a process that sleeps in between says less than is true, and never more.
    """
    async with pool.acquire(timeout=ACQUIRE_SECONDS) as connection:
        now = await read_now(connection)
        behind = behind_seconds()
        read_through = None if isinf(behind) else now - timedelta(seconds=behind)
        await connection.execute(_NOTE, now, read_through, topic, COUNTED_MAX)


async def forget_counts(pool: Pool, keep_days: int) -> None:
    """Delete days that are older than ``keep_days``, what a deleted clinic left, and ids that nothing needs."""
    async with pool.acquire(timeout=ACQUIRE_SECONDS) as connection:
        await _until_few(connection, _FORGET_IDS, IDS_KEPT)
        await _until_few(connection, _FORGET_DAYS, keep_days)
        await connection.execute(_FORGET_CLOSED)


async def _until_few(connection: Connection, delete: str, older_than: timedelta | int) -> None:
    while await connection.execute(delete, older_than, FORGET_MAX) == f"DELETE {FORGET_MAX}":
        pass
