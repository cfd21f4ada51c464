"""When each assistant and tool of ours was last looked at: rows of ``object_looks``.

A page of a list acquits most of them at once. The others are suspected by it, or were shown by no page for too long:
these are taken one by one, each by one process, to be read by their ids.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Literal
from uuid import UUID

from tool_sync.db import Connection, Pool
from zerotouch_platform.postgres.pool import ACQUIRE_SECONDS

Kind = Literal["assistant", "tool"]

LATE_SHARE: Final = 0.95
"""Of the period: whatever no list has shown for so long is read by its id, and the rest is time to do so."""
LATE_PERIODS: Final = 1.5
LATE_MEANING: Final = "not looked at within AUTO_SYNC_HOURS: what somebody edited at Vapi is found late"
TRY_AGAIN: Final = timedelta(hours=1)

# What is to be looked at: (kind, org, name, id at Vapi).
_OURS: Final = """
SELECT 'assistant' AS kind, a.org_id, a.agent_id AS name, a.assistant_id AS vapi_id
  FROM assistants a JOIN organizations o ON o.id = a.org_id
 WHERE NOT a.removed AND a.outcome = 'synced' AND a.assistant_id IS NOT NULL AND NOT o.closed
UNION ALL
SELECT 'tool', t.org_id, t.tool_name, t.vapi_tool_id
  FROM org_tools t JOIN organizations o ON o.id = t.org_id WHERE t.enabled AND NOT o.closed
"""
# Who comes (back) into the list was just looked at by its org's own run. Before the first walk, as after a fork of the
# log, that is not known: Vapi may have lost by a later order what the log still has, and no list shows what is gone.
_HEARD: Final = f"""
INSERT INTO object_looks (kind, org_id, name, vapi_id, looked_at, suspected_at)
SELECT ours.kind, ours.org_id, ours.name, ours.vapi_id, clock_timestamp(),
       CASE WHEN NOT EXISTS (SELECT FROM vapi_walks w WHERE w.kind = ours.kind AND w.finished_at IS NOT NULL)
            THEN clock_timestamp() END
  FROM ({_OURS}) ours LEFT JOIN object_looks l USING (kind, org_id, name)
 WHERE l.vapi_id IS DISTINCT FROM ours.vapi_id
 ORDER BY 1, 2, 3
ON CONFLICT (kind, org_id, name) DO UPDATE
   SET vapi_id = excluded.vapi_id, looked_at = excluded.looked_at, suspected_at = excluded.suspected_at, tried_at = NULL
"""  # noqa: S608 - made of constants
_LEFT: Final = f"""
DELETE FROM object_looks l USING (
    SELECT k.kind, k.org_id, k.name FROM object_looks k LEFT JOIN ({_OURS}) ours USING (kind, org_id, name)
     WHERE ours.kind IS NULL ORDER BY 1, 2, 3 FOR UPDATE OF k) gone
 WHERE (l.kind, l.org_id, l.name) = (gone.kind, gone.org_id, gone.name)
"""  # noqa: S608
_LOOKED: Final = """
INSERT INTO object_looks AS l (kind, org_id, name, vapi_id, looked_at)
SELECT $1, u.org_id, u.name, u.vapi_id, $5 FROM unnest($2::uuid[], $3::text[], $4::text[]) AS u (org_id, name, vapi_id)
 ORDER BY 2, 3
ON CONFLICT (kind, org_id, name) DO UPDATE
   SET vapi_id = excluded.vapi_id, looked_at = greatest(l.looked_at, excluded.looked_at), suspected_at = NULL,
       tried_at = NULL
"""
_SUSPECTED: Final = """
INSERT INTO object_looks AS l (kind, org_id, name, vapi_id, looked_at, suspected_at)
SELECT $1, u.org_id, u.name, u.vapi_id, $5, $5
  FROM unnest($2::uuid[], $3::text[], $4::text[]) AS u (org_id, name, vapi_id) ORDER BY 2, 3
ON CONFLICT (kind, org_id, name) DO UPDATE
   SET vapi_id = excluded.vapi_id, suspected_at = coalesce(l.suspected_at, excluded.suspected_at)
"""
_TAKE: Final = """
WITH due AS (
    SELECT org_id, name FROM object_looks
     WHERE kind = $1 AND (suspected_at IS NOT NULL OR looked_at < clock_timestamp() - $2::interval)
       AND coalesce(tried_at, '-infinity') < greatest(suspected_at, clock_timestamp() - $3::interval)
       AND ($6::text[] = '{}'
            OR coalesce((SELECT v.account FROM vapi_accounts v WHERE v.org_id = object_looks.org_id), $5)
               <> ALL ($6))
     ORDER BY coalesce(suspected_at, looked_at) LIMIT $4 FOR UPDATE SKIP LOCKED)
UPDATE object_looks l SET tried_at = clock_timestamp() FROM due
 WHERE l.kind = $1 AND l.org_id = due.org_id AND l.name = due.name
RETURNING l.org_id, l.name, l.vapi_id, l.suspected_at
"""
_CONTROLS: Final = """
SELECT vapi_id FROM object_looks l WHERE kind = $1 AND suspected_at IS NULL AND vapi_id <> ALL ($2::text[])
   AND (SELECT v.account FROM vapi_accounts v WHERE v.org_id = l.org_id) IS NOT DISTINCT FROM $4::text
 ORDER BY looked_at DESC LIMIT $3
"""
_OLDEST: Final = """
SELECT kind, vapi_id, looked_at, EXTRACT(epoch FROM clock_timestamp() - looked_at)::float8 AS age_seconds
  FROM object_looks ORDER BY looked_at LIMIT 1
"""


@dataclass(frozen=True, slots=True)
class OldestLook:
    """What of ours was not looked at for the longest time."""

    kind: Kind
    vapi_id: str
    looked_at: datetime
    age_seconds: float


async def oldest_look(connection: Connection) -> OldestLook | None:
    """None where nothing of ours is to be looked at. An object is taken in some minutes after it was first synced."""
    row = await connection.fetchrow(_OLDEST)
    return None if row is None else OldestLook(*row)


async def late_look(connection: Connection, period: timedelta) -> OldestLook | None:
    """The oldest look, where it is older than :data:`LATE_PERIODS` periods."""
    oldest = await oldest_look(connection)
    late_seconds = (period * LATE_PERIODS).total_seconds()
    return None if oldest is None or oldest.age_seconds <= late_seconds else oldest


@dataclass(frozen=True, slots=True)
class Ours:
    """An assistant of ours (``name`` is its agent's id) or a tool. ``suspected_at``: since when something is wrong."""

    org_id: UUID
    name: str
    vapi_id: str
    suspected_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class ObjectLooks:
    """``period``: each object is looked at again within it."""

    pool: Pool
    period: timedelta

    async def take_stock(self) -> OldestLook | None:
        """Take in what is ours by now, and forget what is not any more; what was not looked at for far too long."""
        async with self.pool.acquire(timeout=ACQUIRE_SECONDS) as connection:
            await connection.execute(_LEFT)
            await connection.execute(_HEARD)
            return await late_look(connection, self.period)

    async def looked(self, kind: Kind, ours: Sequence[Ours], at: datetime) -> None:
        """These were looked at, at ``at`` or after it, and nothing is to be done about them here."""
        await self._put(_LOOKED, kind, ours, at)

    async def suspected(self, kind: Kind, ours: Sequence[Ours], at: datetime) -> None:
        """Something is wrong with these, as far as was seen: they are read by their ids before anything is said."""
        await self._put(_SUSPECTED, kind, ours, at)

    async def take(self, kind: Kind, limit: int, platform: str, held: Sequence[str] = ()) -> list[Ours]:
        """At most ``limit`` objects that are to be read by their ids now; nobody else gets them for an hour.

        None of the accounts ``held``; ``platform`` is what that of clinics without one of their own is called.
        """
        rows = await self.pool.fetch(_TAKE, kind, self.period * LATE_SHARE, TRY_AGAIN, limit, platform, list(held))
        return [Ours(row["org_id"], row["name"], row["vapi_id"], row["suspected_at"]) for row in rows]

    async def controls(self, kind: Kind, without: Sequence[str], limit: int, own: str | None) -> list[str]:
        """The ids at Vapi of those that were seen last in an account, the newest first, beside those in ``without``.

        ``own`` is what the account is called; None: the platform's.
        """
        return [row["vapi_id"] for row in await self.pool.fetch(_CONTROLS, kind, without, limit, own)]

    async def _put(self, statement: str, kind: Kind, ours: Sequence[Ours], at: datetime) -> None:
        if ours:
            columns = [one.org_id for one in ours], [one.name for one in ours], [one.vapi_id for one in ours]
            await self.pool.execute(statement, kind, *columns, at)
