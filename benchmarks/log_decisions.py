"""`decisions_seconds`: every write of a log of 1,000,000 events decided again, as `tool-sync log decisions` does.

The log has a clinic for every six events, and each clinic one write that names its fleet: it is judged.
"""

import asyncio
import time
from uuid import UUID, uuid4

from benchmarks import seeded_fleet
from benchmarks.errors import NotMeasured
from benchmarks.figures import Say
from benchmarks.rows import Row
from benchmarks.world import Corner, World, corner
from tool_sync import db
from tool_sync.log import EventLog
from tool_sync.queries.decisions import judge_decisions
from tool_sync.sync.blueprint import Blueprint, definitions_with, seed

EVENTS = 1_000_000
BOOKING_VERSION = 2


async def measure(world: World, rounds: int, say: Say) -> list[Row]:
    """The row. Raises :class:`benchmarks.errors.NotMeasured`."""
    async with corner(world, "log-decisions", migrated=True) as place:
        say(f"  writing a log of {EVENTS:,} events …")
        await _seeded(place)
        clinics = [(uuid4(), f"tool-{n}") for n in range(EVENTS // seeded_fleet.EVENTS_OF_A_CLINIC)]
        await seeded_fleet.fill(place.database.admin, await seeded_fleet.document(place.database.admin), clinics)
        seconds = [await _seconds(place, len(clinics), say) for _ in range(rounds)]
    return [Row("decisions_seconds", "s", "lower", tuple(seconds), goal="< 60")]


async def _seeded(place: Corner) -> None:
    """What a first start of tool-sync publishes and orders."""
    pool = await db.SESSIONS.pool(place.database.service, application_name="benchmark")
    log = EventLog(pool)
    committing = asyncio.create_task(log.run_forever())
    hooks = Blueprint(definitions_with(BOOKING_VERSION), "https://hooks.example", UUID(place.installation_id), None)
    await seed(log, hooks, "0")
    log.stop()
    await committing
    await pool.close()


async def _seconds(place: Corner, writes: int, say: Say) -> float:
    connection = await db.SESSIONS.connect(place.database.service, application_name="benchmark")
    try:
        started = time.perf_counter()
        found = await judge_decisions(connection, lambda _done, _total: None)
        seconds = time.perf_counter() - started
    finally:
        await connection.close()
    if (found.writes, found.unjustified) != (writes, 0):
        raise NotMeasured(
            f"{found.writes:,} writes were judged and {found.unjustified:,} not justified, not {writes:,}"
        )
    say(f"  decisions: {writes:,} writes in {seconds:.1f} s")
    return seconds
