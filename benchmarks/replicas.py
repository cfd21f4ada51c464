"""`sync_throughput_N_workers`: `tool-sync run --workers N` beside one worker, and what a sync costs in CPU.

The workers are up, each with partitions, before the saves are sent to the topic; the clock starts with the sending and
stops when the last outcome was read. While it runs, PostgreSQL is asked every 10 ms which backends are in `append`, and
which of them wait for the log's lock.
"""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from uuid import uuid4

import asyncpg
from aiokafka.admin import AIOKafkaAdminClient

from benchmarks import outcomes, proc, saves, sides
from benchmarks.errors import NotMeasured
from benchmarks.figures import Say
from benchmarks.rows import Better, Row
from benchmarks.world import PARTITIONS, World, corner
from devstack.process import Child, tail

ROUND_SECONDS_MAX = 240.0
START_SECONDS_MAX = 60.0
SAMPLE_SECONDS = 0.01
COUNTS = (1, 2, 4)

_APPENDING = """
SELECT count(*) AS appending, count(*) FILTER (WHERE wait_event_type = 'Lock' AND wait_event = 'advisory') AS waiting
FROM pg_stat_activity
WHERE datname = $1 AND state = 'active' AND query LIKE '%FROM append(%' AND pid <> pg_backend_pid()
"""


@dataclass(frozen=True, slots=True)
class Cost:
    """One round: syncs/s; CPU of a sync in ms, of tool-sync and with PostgreSQL's; the share of appends that wait."""

    rate: float
    own_ms: float
    with_postgres_ms: float
    waiting_share: float


@dataclass(slots=True)
class Samples:
    """Backends that were seen in ``append``, and those of them that waited for the lock."""

    appending: int = 0
    waiting: int = 0


async def measure(world: World, rounds: int, count: int, say: Say) -> list[Row]:
    """The rows; ``count`` saves a round. Raises :class:`benchmarks.errors.NotMeasured`."""
    found: dict[int, list[Cost]] = {workers: [] for workers in COUNTS}
    for number in range(rounds):
        for workers in COUNTS if number % 2 == 0 else COUNTS[::-1]:
            found[workers].append(await one_round(world, workers, count, say))
    return _rows(found)


def _rows(found: Mapping[int, Sequence[Cost]]) -> list[Row]:
    def row(
        name: str, unit: str, figure: str, *, workers: int, better: Better = "lower", goal: str | None = None
    ) -> Row:
        ours, one = (tuple(getattr(cost, figure) for cost in found[number]) for number in (workers, 1))
        return Row(name, unit, better, ours, one, peer_name="one worker", goal=goal)

    cpu, waits = "ms of CPU with PostgreSQL's", "% of appends seen"
    return [
        row("sync_throughput_2_workers", "syncs/s", "rate", workers=2, better="higher"),
        row("sync_cpu_2_workers", cpu, "with_postgres_ms", workers=2, goal="ratio ≥ 0.87"),
        row("append_waits_2_workers", waits, "waiting_share", workers=2),
        row("sync_throughput_4_workers", "syncs/s", "rate", workers=4, better="higher"),
        row("sync_cpu_4_workers", cpu, "with_postgres_ms", workers=4),
        row("append_waits_4_workers", waits, "waiting_share", workers=4),
    ]


async def one_round(world: World, workers: int, count: int, say: Say) -> Cost:
    """What ``workers`` processes do over a fresh corner."""
    side = replace(sides.OURS, command=(*sides.OURS.command, "--workers", str(workers)))
    async with corner(world, f"{workers}-workers", migrated=True) as place:
        work = await saves.make_saves(world.sandbox.url, world.sandbox.api_key, [uuid4() for _ in range(count)])
        async with (
            outcomes.reading(world.bootstrap_servers, place.outcomes_topic, PARTITIONS) as reader,
            sides.running(world, place, side) as child,
            sampling(place.database.admin) as samples,
        ):
            await _all_consume(world.admin, place.group, workers, child)
            before, own_before = world.cpu(), proc.cpu_seconds(child.pid, with_children=True)
            started = time.monotonic()
            sending = asyncio.create_task(saves.publish(world.bootstrap_servers, place.assistants_topic, work))
            arrived = await reader.take(count, ROUND_SECONDS_MAX)
            await sending
            own = proc.cpu_seconds(child.pid, with_children=True) - own_before
            shares = world.shares(before, **{side.name: own})
        outcomes.check_all_synced((record for _, record in arrived), (save.message.request_id for save in work))
    cost = Cost(
        rate=count / (arrived[-1][0] - started),
        own_ms=own / count * 1000,
        with_postgres_ms=(own + shares.seconds.get("PostgreSQL", 0.0)) / count * 1000,
        waiting_share=100 * samples.waiting / max(1, samples.appending),
    )
    say(
        f"  {workers} workers: {cost.rate:,.0f} syncs/s; a sync takes {cost.own_ms:.2f} ms of their CPU, "
        f"{cost.with_postgres_ms:.2f} with PostgreSQL's; "
        f"of {samples.appending} appends seen {samples.waiting} waited for "
        f"the lock; CPU {shares}"
    )
    return cost


@asynccontextmanager
async def sampling(database_url: str) -> AsyncIterator[Samples]:
    """Looks at the backends of a database while the block runs."""
    samples = Samples()
    connection = await asyncpg.connect(database_url)
    name = await connection.fetchval("SELECT current_database()")

    async def look() -> None:
        while True:
            row = await connection.fetchrow(_APPENDING, name)
            assert row is not None
            samples.appending += row["appending"]
            samples.waiting += row["waiting"]
            await asyncio.sleep(SAMPLE_SECONDS)

    looking = asyncio.create_task(look())
    try:
        yield samples
    finally:
        looking.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await looking
        connection.terminate()


async def _all_consume(admin: AIOKafkaAdminClient, group: str, workers: int, child: Child) -> None:
    """Wait until the group is stable with as many members."""
    deadline = time.monotonic() + START_SECONDS_MAX
    while time.monotonic() < deadline:
        if child.returncode is not None:
            raise NotMeasured(f"{child.name} ended with status {child.returncode}:\n{tail(child.log)}")
        [response] = await admin.describe_consumer_groups([group])
        [(_, _, state, _, _, members, *_)] = response.groups
        if state == "Stable" and len(members) == workers:
            return
        await asyncio.sleep(0.05)
    raise NotMeasured(f"the group has not {workers} members after {START_SECONDS_MAX:.0f} s:\n{tail(child.log)}")
