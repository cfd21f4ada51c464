"""`sync_throughput`: saves of new orgs with one assistant each lie on Kafka; how many outcomes a second come out?

The sandbox answers at once. The clock starts when the broker has given the group its partitions and stops when the
last outcome was read. Rounds of both sides alternate, each with a fresh database, topics and sandbox.
"""

from uuid import uuid4

from benchmarks import groups, outcomes, proc, saves, sides
from benchmarks.figures import Say, alternate
from benchmarks.rows import Row
from benchmarks.sides import Side
from benchmarks.world import PARTITIONS, World, corner

ROUND_SECONDS_MAX = 240.0


async def measure(world: World, rounds: int, count: int, say: Say) -> list[Row]:
    """The row; ``count`` saves a round. Raises :class:`benchmarks.errors.NotMeasured`."""
    ours, peer = await alternate(rounds, lambda side: one_round(world, side, count, say))
    return [
        Row(
            name="sync_throughput",
            unit="syncs/s",
            better="higher",
            ours_rounds=tuple(ours),
            peer_rounds=tuple(peer),
            peer_name=sides.PEER_NAME,
            goal="ratio ≥ 0.7",
        )
    ]


async def one_round(world: World, side: Side, count: int, say: Say) -> float:
    """Syncs/s of one side over a fresh corner."""
    async with corner(world, side.name, migrated=side.migrated) as place:
        work = await saves.make_saves(world.sandbox.url, world.sandbox.api_key, [uuid4() for _ in range(count)])
        await saves.publish(world.bootstrap_servers, place.assistants_topic, work)
        async with (
            outcomes.reading(world.bootstrap_servers, place.outcomes_topic, PARTITIONS) as reader,
            sides.running(world, place, side) as child,
        ):
            started = await groups.consuming_since(world.admin, place.group, child)
            before, own_before = world.cpu(), proc.cpu_seconds(child.pid)
            arrived = await reader.take(count, ROUND_SECONDS_MAX)
            own = proc.cpu_seconds(child.pid) - own_before
            shares = world.shares(before, **{side.name: own})
            rate = count / (arrived[-1][0] - started)
            say(f"  {side.name}: {rate:,.0f} syncs/s, {own / count * 1000:.2f} ms of its CPU each; CPU {shares}")
            say(f"  Vapi was asked: {await world.vapi_requests()}")
        outcomes.check_all_synced((record for _, record in arrived), (save.message.request_id for save in work))
        return rate
