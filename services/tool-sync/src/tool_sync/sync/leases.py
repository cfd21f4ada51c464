"""Who works on which org: the table ``leases``, one row per org that was ever worked on.

An org may be claimed when its lease is free or expired and something is open that its last holder had not yet seen, or
its next due time has come. So an org has one worker, orgs run side by side over any number of replicas, and a worker
that died is replaced when its lease runs out: a claimed org is due until it is given back. A lease decides who works;
it is no fencing token: that is the expected version of the toolset stream, and the token that a worker checks before it
writes.

Whoever writes to the log without the lease (it slept, and woke up) makes the org due by the append itself:
``dirty_position`` is where, and a holder that has not read so far leaves the org due at once.
"""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Final
from uuid import UUID

from tool_sync.db import Pool

WALK_ALL_SECONDS: Final = 60.0
NO_ROOMS: Final = MappingProxyType[str, int]({})

CLAIM: Final = """
WITH lanes (is_save) AS (VALUES (1), (0)
), begin AS (
    SELECT coalesce((SELECT min(open.requested)
                       FROM lanes CROSS JOIN LATERAL (
                            SELECT p.requested
                              FROM pending_syncs p
                             WHERE p.requested > p.settled AND (p.save_requested > p.settled)::int = lanes.is_save
                               AND p.requested >= $3
                               AND coalesce((SELECT p.requested > l.processed_position
                                                    AND NOT (l.token IS NULL AND l.until > clock_timestamp())
                                               FROM leases l WHERE l.org_id = p.org_id), true)
                             ORDER BY p.requested LIMIT 1) open),
                    (SELECT max(newest.requested) + 1
                       FROM lanes CROSS JOIN LATERAL (
                            SELECT p.requested
                              FROM pending_syncs p
                             WHERE p.requested > p.settled AND (p.save_requested > p.settled)::int = lanes.is_save
                             ORDER BY p.requested DESC LIMIT 1) newest),
                    $3::bigint) AS start
), due AS (
    SELECT open.org_id, lanes.is_save, open.requested AS first
      FROM begin CROSS JOIN lanes CROSS JOIN LATERAL (
           SELECT p.org_id, p.requested
             FROM pending_syncs p
             LEFT JOIN LATERAL (SELECT * FROM leases WHERE org_id = p.org_id LIMIT 1) l ON true
            WHERE p.requested > p.settled AND (p.save_requested > p.settled)::int = lanes.is_save
              AND p.requested >= begin.start
              AND p.requested > coalesce(l.processed_position, 0)
              AND (l.until IS NULL OR l.until <= clock_timestamp())
              AND ($5::text[] = '{}' OR NOT EXISTS (SELECT FROM vapi_accounts v
                                                     WHERE v.org_id = p.org_id AND v.account = ANY ($5)))
            ORDER BY p.requested LIMIT {rows}) open
    UNION ALL
    SELECT timed.org_id, 0, timed.processed_position
      FROM (SELECT l.org_id, l.processed_position
              FROM leases l
             WHERE l.next_due <= now()
               AND (l.until IS NULL OR l.until <= clock_timestamp())
               AND ($5::text[] = '{}' OR NOT EXISTS (SELECT FROM vapi_accounts v
                                                      WHERE v.org_id = l.org_id AND v.account = ANY ($5)))
             ORDER BY l.next_due LIMIT {rows}) timed
), ranked AS (
    SELECT org_id, max(is_save) AS is_save, min(first) AS first,
           (SELECT v.account FROM vapi_accounts v WHERE v.org_id = due.org_id) AS own,
           row_number() OVER (PARTITION BY max(is_save) ORDER BY min(first)) AS place
      FROM due
     GROUP BY org_id
), roomed AS (
    SELECT *, row_number() OVER (PARTITION BY own ORDER BY is_save DESC, first) AS place_of_own FROM ranked
), picked AS (
    SELECT org_id, is_save
      FROM roomed
     WHERE (is_save = 1 OR place <= $4)
       AND (own IS NULL OR place_of_own <= coalesce((SELECT r.room FROM unnest($6::text[], $7::int[]) AS r (own, room)
                                                      WHERE r.own = roomed.own), $8))
     ORDER BY is_save DESC, first
     LIMIT $1
), claimed AS (
    INSERT INTO leases AS l (org_id, token, until, next_due)
    SELECT org_id, gen_random_uuid(), clock_timestamp() + $2, clock_timestamp() FROM picked ORDER BY org_id
    ON CONFLICT (org_id) DO UPDATE
       SET token = excluded.token, until = excluded.until, next_due = least(l.next_due, excluded.next_due)
     WHERE l.until IS NULL OR l.until <= clock_timestamp()
    RETURNING l.org_id, l.token
)
SELECT claimed.org_id, claimed.token, picked.is_save = 0 AS is_bulk, clock_timestamp() AS now, begin.start
  FROM begin LEFT JOIN (claimed JOIN picked USING (org_id)) ON true
"""
# Shaped against the planner, which knows little of tables that change by the second: ordered walks that stop, each with
# its limit in the text (the plan for an unknown limit reads the whole table and sorts it), and a lease looked up per
# row. `now()` bounds an index, `clock_timestamp()` cannot. An account of a clinic's own that has no room is passed over
# in the walk: behind its orgs, however many are due, are the others'.

RENEW: Final = """
UPDATE leases l
   SET until = clock_timestamp() + $3
  FROM unnest($1::uuid[], $2::uuid[]) AS mine (org_id, token)
 WHERE l.org_id = mine.org_id AND l.token = mine.token AND l.until > clock_timestamp()
RETURNING l.org_id
"""

RELEASE: Final = """
UPDATE leases l
   SET token = NULL,
       until = CASE WHEN done.aside > interval '0' THEN clock_timestamp() + done.aside END,
       processed_position = greatest(l.processed_position, done.processed_position),
       next_due = CASE WHEN l.dirty_position > done.processed_position THEN least(done.next_due, clock_timestamp())
                       ELSE done.next_due END,
       waits_for_key = done.waits_for_key
  FROM unnest($1::uuid[], $2::uuid[], $3::bigint[], $4::timestamptz[], $5::interval[], $6::text[])
       AS done (org_id, token, processed_position, next_due, aside, waits_for_key)
 WHERE l.org_id = done.org_id AND l.token = done.token AND l.until > clock_timestamp()
"""


@dataclass(frozen=True, slots=True)
class Claim:
    """An org that this process holds until its lease runs out, unless it is renewed. ``is_bulk``: no save was open."""

    org_id: UUID
    token: UUID
    is_bulk: bool = False


@dataclass(frozen=True, slots=True)
class Release:
    """What a run leaves behind: the position it had loaded, and when the org is due again (None: when work arrives).

    For ``aside`` nobody may claim it, whatever arrives: whoever could not even look must not come back at once.
    ``waits_for_key``: the key of Vapi whose return makes it due at once.
    """

    claim: Claim
    processed_position: int
    next_due: datetime | None
    aside: timedelta = timedelta()
    waits_for_key: str | None = None


@dataclass(slots=True)
class Start:
    """Where the claims of one process begin to walk: what is open before was worked off, and waits for its due time.

    Only a shortcut, so that 100,000 waiting orgs are not walked past by every claim. All that was passed stays passed:
    positions only grow, a processed position never falls, and an org put aside has a due time. One place for both
    lanes, as a row whose save is settled goes on in the other. Every minute a claim walks from the beginning all the
    same: a database that was set back has new work at old positions, and so has a projection that was rebuilt.
    """

    position: int = 0
    until: float = 0.0


async def claim(
    pool: Pool,
    orgs_max: int,
    lease_seconds: float,
    start: Start | None = None,
    *,
    bulk_max: int | None = None,
    own_max: int | None = None,
    own_rooms: Mapping[str, int] = NO_ROOMS,
) -> tuple[list[Claim], datetime | None]:
    """Claim at most ``orgs_max`` orgs, those with an open save first, then by the age of their oldest request; of those
    without one at most ``bulk_max``, and of those of one account of clinics' own at most what ``own_rooms`` says of it,
    else ``own_max``.

    Also returns the database's time where an org was claimed: all times in the log are the database's. An org with many
    open rows may fill the walk, so that fewer are claimed than are due; the next claim passes it over.
    """
    start = start or Start()
    if time.monotonic() >= start.until:
        start.position, start.until = 0, time.monotonic() + WALK_ALL_SECONDS
    rows = await pool.fetch(
        # Few texts, as each is prepared once per connection.
        CLAIM.replace("{rows}", str(1 << (orgs_max - 1).bit_length())),
        orgs_max,
        timedelta(seconds=lease_seconds),
        start.position,
        orgs_max if bulk_max is None else bulk_max,
        [account for account, room in own_rooms.items() if room <= 0],
        list(own_rooms),
        list(own_rooms.values()),
        orgs_max if own_max is None else own_max,
    )
    start.position = rows[0]["start"]
    claims = [Claim(row["org_id"], row["token"], row["is_bulk"]) for row in rows if row["org_id"] is not None]
    return claims, rows[0]["now"] if claims else None


async def renew(pool: Pool, claims: Sequence[Claim], lease_seconds: float) -> frozenset[UUID]:
    """Extend the leases; returns the orgs that are still ours. The others have another holder, or may have."""
    rows = await pool.fetch(
        RENEW, [c.org_id for c in claims], [c.token for c in claims], timedelta(seconds=lease_seconds)
    )
    return frozenset(row["org_id"] for row in rows)


async def release(pool: Pool, releases: Sequence[Release]) -> None:
    """Give orgs back. One that is not ours any more, or not for certain, stays as it is: due."""
    await pool.execute(
        RELEASE,
        [r.claim.org_id for r in releases],
        [r.claim.token for r in releases],
        [r.processed_position for r in releases],
        [r.next_due for r in releases],
        [r.aside for r in releases],
        [r.waits_for_key for r in releases],
    )
