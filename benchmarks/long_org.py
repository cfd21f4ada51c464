"""`assistant_5000_cpu`: what a sync costs in an org that has 5,000 assistants, as a multiple of the first ones' cost.

CPU seconds of tool-sync's process per sync, for the assistants 1 to 200 and 4,901 to 5,100 of one org, saved one
after another; those between are saved 100 at a time. What the idle process uses in the same time is taken off, and a
first org warms the process up. `assistant_5000_cpu_database` is the same of PostgreSQL.
"""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass
from uuid import uuid4

from aiokafka import AIOKafkaProducer

from benchmarks import groups, outcomes, proc, saves, sides
from benchmarks.figures import Say
from benchmarks.outcomes import OutcomeReader
from benchmarks.rows import Row
from benchmarks.saves import Save
from benchmarks.world import PARTITIONS, World, corner
from devstack.process import Child

MEASURED = 200
ASSISTANTS = 5_100
WARM_UP = 100
IDLE_SECONDS = 3.0
OUTCOME_SECONDS_MAX = 30.0
FILL_AT_ONCE = 100
FILL_SECONDS_MAX = 60.0
DATABASE = "PostgreSQL"


@dataclass(frozen=True, slots=True)
class Cost:
    """CPU seconds, of a span of time or of one sync."""

    process: float
    database: float
    wall: float

    def beyond(self, idle: "Cost", syncs: int) -> "Cost":
        """The cost of one of ``syncs``, without what idling costs in that time."""
        rate = self.wall / idle.wall
        return Cost(
            (self.process - idle.process * rate) / syncs,
            (self.database - idle.database * rate) / syncs,
            self.wall / syncs,
        )


@dataclass(frozen=True, slots=True)
class _Bench:
    world: World
    child: Child
    producer: AIOKafkaProducer
    reader: OutcomeReader
    topic: str

    async def one_by_one(self, work: Sequence[Save]) -> Cost:
        """Save each when the one before has its outcome; what that cost."""
        before = self._now()
        for save in work:
            await saves.send(self.producer, self.topic, [save])
            [(_, record)] = await self.reader.take(1, OUTCOME_SECONDS_MAX)
            outcomes.check_all_synced([record], [save.message.request_id])
        return self._since(before)

    async def at_once(self, work: Sequence[Save]) -> None:
        """Save all together and wait for all outcomes."""
        await saves.send(self.producer, self.topic, work)
        arrived = await self.reader.take(len(work), FILL_SECONDS_MAX)
        outcomes.check_all_synced((record for _, record in arrived), (save.message.request_id for save in work))

    async def idle(self) -> Cost:
        """What the waiting process costs."""
        before = self._now()
        await asyncio.sleep(IDLE_SECONDS)
        return self._since(before)

    def _now(self) -> Cost:
        return Cost(proc.cpu_seconds(self.child.pid), self.world.cpu().get(DATABASE, 0.0), time.monotonic())

    def _since(self, before: Cost) -> Cost:
        now = self._now()
        return Cost(now.process - before.process, now.database - before.database, now.wall - before.wall)


async def measure(world: World, say: Say) -> list[Row]:
    """The rows. Raises :class:`benchmarks.errors.NotMeasured`."""
    async with corner(world, "long-org", migrated=True) as place:
        org, other = uuid4(), uuid4()
        work = await saves.make_saves(world.sandbox.url, world.sandbox.api_key, [org] * ASSISTANTS + [other] * WARM_UP)
        producer = AIOKafkaProducer(bootstrap_servers=world.bootstrap_servers, acks="all", max_batch_size=256 * 1024)
        await producer.start()
        try:
            async with (
                outcomes.reading(world.bootstrap_servers, place.outcomes_topic, PARTITIONS) as reader,
                sides.running(world, place, sides.OURS) as child,
            ):
                await groups.consuming_since(world.admin, place.group, child)
                bench = _Bench(world, child, producer, reader, place.assistants_topic)
                await bench.one_by_one(work[ASSISTANTS:])
                idle = await bench.idle()
                first = (await bench.one_by_one(work[:MEASURED])).beyond(idle, MEASURED)
                for start in range(MEASURED, ASSISTANTS - MEASURED, FILL_AT_ONCE):
                    await bench.at_once(work[start : min(start + FILL_AT_ONCE, ASSISTANTS - MEASURED)])
                idle = await bench.idle()
                last = (await bench.one_by_one(work[ASSISTANTS - MEASURED : ASSISTANTS])).beyond(idle, MEASURED)
        finally:
            await producer.stop()
    say(
        f"  idle: {idle.process / idle.wall:.1%} of a core; "
        f"a sync of the first: {_shown(first)}; of the last: {_shown(last)}"
    )
    rows = [
        Row("assistant_5000_cpu", "x the first", "lower", (last.process / first.process,), goal="≤ 1.2"),
    ]
    if DATABASE in world.parts:  # a given server's processes are not ours to read
        rows.append(Row("assistant_5000_cpu_database", "x the first", "lower", (last.database / first.database,)))
    return rows


def _shown(cost: Cost) -> str:
    return f"{cost.process * 1000:.1f} ms CPU, database {cost.database * 1000:.1f} ms, {cost.wall * 1000:.0f} ms"
