"""`append_with_old_snapshot`: the rate of appends after 6,000 of them under somebody's open snapshot, beside before.

The snapshot is what `pg_dump` holds: no row version that is written after it can be removed. Each append is one save of
another clinic, one at a time over one connection, commit included; so what is measured is what *every* append writes,
not one clinic's rows. A ratio of 1 means that the snapshot costs nothing.
"""

import time
from typing import Final
from uuid import uuid4

import asyncpg

from benchmarks.append_ours import request
from benchmarks.figures import Say
from benchmarks.rows import Row
from benchmarks.world import World, corner
from tool_sync import db
from tool_sync.db import Connection
from tool_sync.log.statement import encode, execute

UNDER_SNAPSHOT: Final = 6_000
MEASURED: Final = 1_000
WARM_UP: Final = 500


async def measure(world: World, rounds: int, say: Say) -> list[Row]:
    """The row: rates after and before. The rounds do not alternate, as a snapshot only grows older."""
    found = [await _one_round(world, say) for _ in range(rounds)]
    return [
        Row(
            name="append_with_old_snapshot",
            unit="appends/s",
            better="higher",
            ours_rounds=tuple(after for _, after in found),
            peer_rounds=tuple(before for before, _ in found),
            peer_name="the same appends before the snapshot",
            goal="ratio ≥ 0.9",
        )
    ]


async def _one_round(world: World, say: Say) -> tuple[float, float]:
    async with corner(world, "old-snapshot", migrated=True) as place:
        dump = await asyncpg.connect(place.database.admin)
        pool = await db.SESSIONS.pool(place.database.service, application_name="benchmark")
        try:
            async with pool.acquire() as connection:
                await _append(connection, WARM_UP)
                before = await _append(connection, MEASURED)
                async with dump.transaction(isolation="repeatable_read"):
                    await dump.fetchval("SELECT count(*) FROM events")
                    await _append(connection, UNDER_SNAPSHOT)
                    after = await _append(connection, MEASURED)
        finally:
            await pool.close()
            await dump.close()
    say(f"  appends/s: {before:,.0f} before the snapshot, {after:,.0f} after {UNDER_SNAPSHOT:,} under it")
    return before, after


async def _append(connection: Connection, number: int) -> float:
    """Append so many saves, each of a new clinic; returns the rate."""
    started = time.perf_counter()
    for _ in range(number):
        await execute(connection, [encode(request(uuid4()))])
    return number / (time.perf_counter() - started)
