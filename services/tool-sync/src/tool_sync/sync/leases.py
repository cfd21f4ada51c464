"""Who works on which org: the table ``leases``, one row per org that was ever worked on.

An org may be claimed when its lease is free or expired and something is open that its last holder had not yet seen, or
its next due time has come. So an org has one worker, orgs run side by side over any number of replicas, and a worker
that died is replaced when its lease runs out: a claimed org is due until it is given back. A lease decides who works;
it is no fencing token: that is the expected version of the toolset stream, and the token that a worker checks before it
writes.

Whoever writes to the log without the lease (it slept, and woke up) makes the org due by the append itself:
``dirty_position`` is where, and a holder that has not read so far leaves the org due at once.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from tool_sync.db import Pool

CLAIM: Final = """
WITH due AS (
    SELECT p.org_id, bool_or(p.save_requested > p.settled) AS is_save, min(p.requested) AS first
      FROM pending_syncs p
      LEFT JOIN leases l USING (org_id)
     WHERE p.requested > p.settled
       AND p.requested > coalesce(l.processed_position, 0)
       AND (l.until IS NULL OR l.until <= clock_timestamp())
     GROUP BY p.org_id
    UNION ALL
    SELECT l.org_id, false, l.processed_position
      FROM leases l
     WHERE l.next_due <= clock_timestamp()
       AND (l.until IS NULL OR l.until <= clock_timestamp())
), picked AS (
    SELECT org_id
      FROM due
     GROUP BY org_id
     ORDER BY bool_or(is_save) DESC, min(first)
     LIMIT $1
)
INSERT INTO leases AS l (org_id, token, until, next_due)
SELECT org_id, gen_random_uuid(), clock_timestamp() + $2, clock_timestamp() FROM picked ORDER BY org_id
ON CONFLICT (org_id) DO UPDATE SET token = excluded.token, until = excluded.until, next_due = excluded.next_due
 WHERE l.until IS NULL OR l.until <= clock_timestamp()
RETURNING l.org_id, l.token, clock_timestamp() AS now
"""

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
 WHERE l.org_id = done.org_id AND l.token = done.token
"""


@dataclass(frozen=True, slots=True)
class Claim:
    """An org that this process holds until its lease runs out, unless it is renewed."""

    org_id: UUID
    token: UUID


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


async def claim(pool: Pool, orgs_max: int, lease_seconds: float) -> tuple[list[Claim], datetime | None]:
    """Claim at most ``orgs_max`` orgs, those with an open save first, then by the age of their oldest request.

    Also returns the database's time where an org was claimed: all times in the log are the database's.
    """
    rows = await pool.fetch(CLAIM, orgs_max, timedelta(seconds=lease_seconds))
    return [Claim(row["org_id"], row["token"]) for row in rows], rows[0]["now"] if rows else None


async def renew(pool: Pool, claims: Sequence[Claim], lease_seconds: float) -> frozenset[UUID]:
    """Extend the leases; returns the orgs that are still ours. The others have another holder, or may have."""
    rows = await pool.fetch(
        RENEW, [c.org_id for c in claims], [c.token for c in claims], timedelta(seconds=lease_seconds)
    )
    return frozenset(row["org_id"] for row in rows)


async def release(pool: Pool, releases: Sequence[Release]) -> None:
    """Give orgs back. One that is not ours any more stays as its holder left it."""
    await pool.execute(
        RELEASE,
        [r.claim.org_id for r in releases],
        [r.claim.token for r in releases],
        [r.processed_position for r in releases],
        [r.next_due for r in releases],
        [r.aside for r in releases],
        [r.waits_for_key for r in releases],
    )
