"""`burst_1000_…`: 1,000 new orgs save their first assistant at once, and Vapi takes 200 ms for every call.

Every process runs and waits; the clock starts when the first of the 1,000 records is sent. The peak memory of
tool-sync's process in the same burst is `memory_mb_tool_sync`.
"""

import time
from dataclasses import dataclass
from uuid import uuid4

from aiokafka import AIOKafkaProducer

from benchmarks import groups, outcomes, proc, saves, sides
from benchmarks.figures import Say, in_turn, percentile
from benchmarks.rows import Row
from benchmarks.sides import Side
from benchmarks.world import PARTITIONS, World, corner

SAVES = 1_000
VAPI_MS = 200
SECONDS_MAX = 120.0


@dataclass(frozen=True, slots=True)
class Burst:
    """One burst of one side: seconds from the first record's sending, and the process' peak memory."""

    last_seconds: float
    p50_seconds: float
    p99_seconds: float
    memory_mb: float


async def measure(world: World, rounds: int, say: Say) -> list[Row]:
    """The rows. Raises :class:`benchmarks.errors.NotMeasured`."""
    peers = (sides.PEER, sides.SAME_CLIENT)
    runs = await in_turn(rounds, (sides.OURS, *peers), lambda side: one_round(world, side, say))

    def row(name: str, field: str, peer: Side, goal: str | None = None) -> Row:
        return Row(
            name=name,
            unit="s",
            better="lower",
            ours_rounds=tuple(getattr(burst, field) for burst in runs.rounds[sides.OURS.name]),
            peer_rounds=tuple(getattr(burst, field) for burst in runs.rounds[peer.name]),
            peer_name=peer.shown,
            goal=goal,
            not_run=runs.not_run.get(peer.name),
        )

    memory = tuple(burst.memory_mb for burst in runs.rounds[sides.OURS.name])
    return [
        row("burst_1000_seconds", "last_seconds", sides.PEER, "ratio ≥ 1"),
        row("burst_1000_seconds_same_client", "last_seconds", sides.SAME_CLIENT),
        row("burst_1000_p50_seconds", "p50_seconds", sides.PEER),
        row("burst_1000_p99_seconds", "p99_seconds", sides.PEER, "< 2"),
        Row("memory_mb_tool_sync", "MB", "lower", memory, goal="< 200"),
    ]


async def one_round(world: World, side: Side, say: Say) -> Burst:
    """One burst over a fresh corner."""
    async with corner(world, side.name, migrated=side.migrated) as place:
        work = await saves.make_saves(world.sandbox.url, world.sandbox.api_key, [uuid4() for _ in range(SAVES)])
        await world.turn(latency_ms=VAPI_MS)
        producer = AIOKafkaProducer(bootstrap_servers=world.bootstrap_servers, acks="all", max_batch_size=256 * 1024)
        await producer.start()
        try:
            async with (
                outcomes.reading(world.bootstrap_servers, place.outcomes_topic, PARTITIONS) as reader,
                sides.running(world, place, side) as child,
            ):
                await groups.consuming_since(world.admin, place.group, child)
                started = time.monotonic()
                await saves.send(producer, place.assistants_topic, work)
                arrived = await reader.take(SAVES, SECONDS_MAX)
                memory_mb = proc.peak_memory_mb(child.pid)
        finally:
            await producer.stop()
        outcomes.check_all_synced((record for _, record in arrived), (save.message.request_id for save in work))
        waited = [at - started for at, _ in arrived]
        burst = Burst(max(waited), percentile(waited, 50), percentile(waited, 99), memory_mb)
        say(
            f"  {side.name}: last {burst.last_seconds:.2f} s, p50 {burst.p50_seconds:.2f} s, "
            f"peak {burst.memory_mb:.0f} MB"
        )
        say(f"  Vapi was asked: {await world.vapi_requests()}")
        return burst
