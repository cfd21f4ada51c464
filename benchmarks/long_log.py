"""A log of 1,000,000 events: made into a projection anew, read, waited at, explained, and sent to Kafka again."""

from benchmarks import filled_log, log_explain, log_feed, log_rebuild, log_replay
from benchmarks.figures import Say
from benchmarks.rows import Row
from benchmarks.world import World, corner

EVENTS = 1_000_000


async def measure(world: World, rounds: int, say: Say) -> list[Row]:
    """The rows of what reads a long log; README.md describes each. Raises `NotMeasured`."""
    async with corner(world, "long-log", migrated=True) as place:
        say(f"  writing a log of {EVENTS:,} events …")
        await filled_log.fill(place.database.admin, EVENTS)
        return [
            *await log_rebuild.measure(world, place, EVENTS, rounds, say),
            *await log_feed.measure(world, place, EVENTS, rounds, say),
            *await log_explain.measure(world, place, EVENTS, rounds, say),
            *await log_replay.measure(world, place, EVENTS, rounds, say),
        ]
