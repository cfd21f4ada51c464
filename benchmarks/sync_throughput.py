"""`sync_throughput`: saves of new orgs with one assistant each lie on Kafka; how many outcomes a second come out?

The sandbox answers at once. The clock starts when the broker has given the group its partitions and stops when the
last outcome was read. Rounds of all sides alternate, each with a fresh database, topics and sandbox.
"""

from collections.abc import Mapping
from uuid import uuid4

from benchmarks import groups, outcomes, proc, saves, sides
from benchmarks.figures import Say, in_turn
from benchmarks.rows import Row
from benchmarks.sides import Side
from benchmarks.world import PARTITIONS, World, corner

ROUND_SECONDS_MAX = 240.0
DBOS_SHARE = 10
"""DBOS gets a tenth of the saves: with all of them one round would take minutes."""
PEERS: Mapping[str, tuple[Side, str]] = {
    "sync_throughput": (sides.PEER, "ratio ≥ 1"),
    "sync_throughput_same_client": (sides.SAME_CLIENT, "ratio ≥ 0.8"),
    "sync_throughput_dbos": (sides.DBOS, "ratio ≥ 8"),
}
"""The rows: each has the same rounds of ours, beside another peer."""


async def measure(world: World, rounds: int, count: int, say: Say) -> list[Row]:
    """The rows; ``count`` saves a round. Raises :class:`benchmarks.errors.NotMeasured`."""

    def saves_of(side: Side) -> int:
        return max(1, count // DBOS_SHARE) if side is sides.DBOS else count

    runs = await in_turn(
        rounds,
        (sides.OURS, *(peer for peer, _ in PEERS.values())),
        lambda side: one_round(world, side, saves_of(side), say),
    )
    return [
        Row(
            name=name,
            unit="syncs/s",
            better="higher",
            ours_rounds=tuple(runs.rounds[sides.OURS.name]),
            peer_rounds=tuple(runs.rounds[peer.name]),
            peer_name=peer.shown,
            goal=goal,
            not_run=runs.not_run.get(peer.name),
        )
        for name, (peer, goal) in PEERS.items()
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
