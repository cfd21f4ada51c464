"""`memory_growth_mb`: how much more tool-sync's process takes after 100,000 syncs of new clinics than after 10,000.

A twentieth of the saves lies on Kafka at a time, each of a new clinic, and the next are published once these have
their outcomes: what is in flight is the same throughout. The peaks of resident memory are compared, as what was taken
once is seldom given back.
"""

import os
from uuid import uuid4

from benchmarks import groups, outcomes, proc, saves, sides
from benchmarks.figures import Say
from benchmarks.outcomes import OutcomeReader
from benchmarks.rows import Row
from benchmarks.world import PARTITIONS, Corner, World, corner

SYNCS = int(os.environ.get("MEMORY_GROWTH_SYNCS", "100000"))
"""For a trial 20,000."""
AT_ONCE = SYNCS // 20
WARM_UP = 2 * AT_ONCE
ROUND_SECONDS_MAX = 240.0


async def measure(world: World, say: Say) -> list[Row]:
    """The row. Raises :class:`benchmarks.errors.NotMeasured`."""
    async with (
        corner(world, "memory-growth", migrated=True) as place,
        outcomes.reading(world.bootstrap_servers, place.outcomes_topic, PARTITIONS) as reader,
        sides.running(world, place, sides.OURS) as child,
    ):
        await groups.consuming_since(world.admin, place.group, child)
        peaks = {}
        for done in range(AT_ONCE, SYNCS + 1, AT_ONCE):
            await _sync(world, place, reader)
            peaks[done] = proc.peak_memory_mb(child.pid)
            say(f"  after {done:,} syncs: peak {peaks[done]:.1f} MB")
    growth = peaks[max(peaks)] - peaks[WARM_UP]
    return [Row("memory_growth_mb", f"MB from {WARM_UP:,} to {max(peaks):,} syncs", "lower", (growth,), goal="< 10")]


async def _sync(world: World, place: Corner, reader: OutcomeReader) -> None:
    """Save and wait, for :data:`AT_ONCE` new clinics."""
    work = await saves.make_saves(world.sandbox.url, world.sandbox.api_key, [uuid4() for _ in range(AT_ONCE)])
    await saves.publish(world.bootstrap_servers, place.assistants_topic, work)
    arrived = await reader.take(AT_ONCE, ROUND_SECONDS_MAX)
    outcomes.check_all_synced((record for _, record in arrived), (save.message.request_id for save in work))
