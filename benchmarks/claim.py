"""`claim_ms_500000_orgs`: one claim beside 500,000 idle clinics and 100,000 that wait for their time.

The claim is the service's own, over its pool, its commit included. No statistics are gathered. Each claim is of 16
clinics that have just saved, and they are given back before the next; what walks past the waiting ones, once a minute,
is left out and said beside the row.
"""

import time
from typing import Final

import asyncpg

from benchmarks.errors import NotMeasured
from benchmarks.figures import Say, percentile
from benchmarks.rows import Row
from benchmarks.world import World, corner
from tool_sync import db
from tool_sync.sync.leases import Release, Start, claim, release

IDLE: Final = 500_000
WAITING: Final = 100_000
CLAIMED: Final = 16
CLAIMS: Final = 100
LEASE_SECONDS: Final = 600.0

_FILL = f"""
INSERT INTO pending_syncs (org_id, agent_id, requested, settled, save_requested)
SELECT md5('org' || g)::uuid, 'agent-1', g, CASE WHEN g <= {IDLE} THEN g ELSE 0 END, g
  FROM generate_series(1, {IDLE + WAITING}) g;
INSERT INTO leases (org_id, processed_position, next_due)
SELECT md5('org' || g)::uuid, g, clock_timestamp() + interval '1 day' FROM generate_series(1, {IDLE + WAITING}) g;
"""  # noqa: S608
_SAVED = """
UPDATE pending_syncs SET requested = requested + $1, save_requested = save_requested + $1
 WHERE org_id IN (SELECT md5('org' || g)::uuid FROM generate_series($2::int, $3::int) g)
"""


async def measure(world: World, rounds: int, say: Say) -> list[Row]:
    """The row. Raises :class:`benchmarks.errors.NotMeasured`."""
    found = [await _one_round(world, say) for _ in range(rounds)]
    return [Row("claim_ms_500000_orgs", "ms", "lower", tuple(found), goal="< 2")]


async def _one_round(world: World, say: Say) -> float:
    async with corner(world, "claim", migrated=True) as place:
        admin = await asyncpg.connect(place.database.admin)
        pool = await db.SESSIONS.pool(place.database.service, application_name="benchmark")
        try:
            await admin.execute(_FILL)
            start, late = Start(), []
            for number in range(CLAIMS + 1):
                first = number * CLAIMED + 1
                await admin.execute(_SAVED, IDLE + WAITING, first, first + CLAIMED - 1)
                began = time.perf_counter()
                claims, _now = await claim(pool, CLAIMED, LEASE_SECONDS, start)
                late.append((time.perf_counter() - began) * 1000)
                if len(claims) != CLAIMED:
                    raise NotMeasured(f"expected {CLAIMED} clinics, claimed {len(claims)}")
                await release(pool, [Release(each, 2 * (IDLE + WAITING), None) for each in claims])
        finally:
            await pool.close()
            await admin.close()
    p50, p99 = percentile(late[1:], 50), percentile(late[1:], 99)
    say(f"  claim: p50 {p50:.2f} ms, p99 {p99:.2f} ms; the walk past all that wait {late[0]:.0f} ms")
    return p50
