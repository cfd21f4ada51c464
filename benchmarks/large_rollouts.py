"""A rollout to 50,000 clinics beside signups, and a fleet of a million clinics that is only read.

    save_during_rollout_p50_seconds, _p99_   saves while the rollout runs, one after another: signups of new clinics,
                                             and new assistants of a clinic that has 5,000; from record to outcome
    rollout_memory_mb                        tool-sync's peak memory in that run
    rollout_status_ms                        what `rollout status` reads, while it runs
    rollout_rate_above                       calls in the fullest minute, of those that the key allows

The clinics are seeded (`seeded_fleet`); their tools are in the sandbox. tool-sync allows itself 24,000 requests a
minute, so that the rollout lasts two minutes at least.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from uuid import UUID, uuid4

import asyncpg
from aiokafka import AIOKafkaProducer

from benchmarks import groups, journal, outcomes, proc, rollouts, saves, seeded_fleet, sides
from benchmarks.errors import NotMeasured
from benchmarks.figures import Say, percentile
from benchmarks.rows import Row
from benchmarks.world import PARTITIONS, Corner, World, corner
from tool_sync.domain.fleet import Fleet, Order
from tool_sync.queries.as_of import fleet_of
from tool_sync.rollouts.facts import PAGE_CLINICS, page_of
from tool_sync.rollouts.status import status_of

CLINICS = 50_000
SEEDED_CLINICS = 1_000_000
ASSISTANTS = 5_000
FILL_AT_ONCE = 500
PER_MINUTE = 24_000
SAVES = 400
SAVES_MIN = 100
OUTCOME_SECONDS_MAX = 30.0
SLOW_SECONDS = 1.0
"""A save above it is shown with its time of day: what it met is looked up in the logs."""
STATUS_TIMES = 20
STARTED_SECONDS_MAX = 60.0
_STARTED = "SELECT count(*) FROM events WHERE type = 'RolloutStarted' AND data->>'rollout_id' NOT LIKE 'seed-%'"


async def measure(world: World, say: Say) -> list[Row]:
    """The rows of the running rollout. Raises :class:`benchmarks.errors.NotMeasured`."""
    async with corner(world, "large-rollout", migrated=True) as place:
        await _seeded(world, place, CLINICS, say, at_vapi=True)
        crowded = uuid4()
        await _crowd(world, place, crowded)
        say(f"  a clinic has {ASSISTANTS:,} assistants")
        limit = {"VAPI_REQUESTS_PER_MINUTE": str(PER_MINUTE), "VAPI_RATE_SHARE": "1"}
        orgs = [crowded if number % 4 == 3 else uuid4() for number in range(SAVES)]
        work = await saves.make_saves(world.sandbox.url, world.sandbox.api_key, orgs)
        async with (
            sides.running(world, place, sides.OURS, more=limit) as child,
            outcomes.reading(world.bootstrap_servers, place.outcomes_topic, PARTITIONS) as reader,
        ):
            await groups.consuming_since(world.admin, place.group, child)
            await reader.take(ASSISTANTS, OUTCOME_SECONDS_MAX)  # those of the crowd
            before = await _requests(world)
            shipping = asyncio.create_task(
                rollouts.ship(world, place, sides.environment(world, place, sides.OURS) | limit, rollouts.CHANGED)
            )
            await _until_started(place)
            took = await _saves(world, place, work, reader, shipping, say)
            status_ms = await _status_ms(place)
            shipped = await shipping
            memory_mb = proc.peak_memory_mb(child.pid)
        fullest = max(await journal.calls_by_minute(world, before))
    signups = [seconds for save, seconds in took if save.message.org_id != crowded]
    in_crowd = [seconds for save, seconds in took if save.message.org_id == crowded]
    everything = [seconds for _, seconds in took]
    say(f"  {shipped}; {len(took)} saves while it ran; the fullest minute had {fullest:,} of {PER_MINUTE:,} calls")
    for name, found in (("signups", signups), (f"in a clinic of {ASSISTANTS:,}", in_crowd)):
        p50, p99 = percentile(found, 50), percentile(found, 99)
        say(f"  {name}: n {len(found)}, p50 {p50:.3f} s, p99 {p99:.3f} s, longest {max(found):.3f} s")
    return [
        Row("save_during_rollout_p50_seconds", "s", "lower", (percentile(everything, 50),)),
        Row("save_during_rollout_p99_seconds", "s", "lower", (percentile(everything, 99),), goal="< 1"),
        Row("save_during_rollout_crowded_p99_seconds", "s", "lower", (percentile(in_crowd, 99),), goal="< 1"),
        Row("rollout_memory_mb", "MB", "lower", (memory_mb,), goal="< 200"),
        Row("rollout_status_ms", "ms", "lower", (status_ms,), goal="< 100"),
        Row("rollout_rate_above", "of the limit", "lower", (fullest / PER_MINUTE,), goal="≤ 1"),
    ]


async def seeded(world: World, say: Say, clinics: int = SEEDED_CLINICS) -> list[Row]:
    """The rows of a fleet that is only read: nothing of it is sent."""
    async with corner(world, "seeded", migrated=True) as place:
        began = time.monotonic()
        await _seeded(world, place, clinics, say, at_vapi=False)
        say(f"  written after {time.monotonic() - began:.0f} s")
        env = sides.environment(world, place, sides.OURS)
        plan_seconds, said = await rollouts.command(env, "rollout", "plan", rollouts.PLANNED)
        say(said)
        pages = await _pages(place)
        status_ms = await _status_ms(place)
        async with sides.running(world, place, sides.OURS) as child:
            await groups.consuming_since(world.admin, place.group, child)
            await asyncio.sleep(20)
            memory_mb = proc.peak_memory_mb(child.pid)
        size = await _fetchval(place, "SELECT pg_database_size(current_database())")
    say(f"  {len(pages)} pages of the feeder, all together {sum(pages):.1f} s")
    return [
        Row("seeded_fleet_plan_seconds", "s", "lower", (plan_seconds,)),
        Row("seeded_fleet_feeder_page_ms", "ms", "lower", (percentile(pages, 50) * 1000,)),
        Row("seeded_fleet_status_ms", "ms", "lower", (status_ms,)),
        Row("seeded_fleet_memory_mb", "MB", "lower", (memory_mb,)),
        Row("seeded_fleet_disk_gb", "GB", "lower", (size / 1e9,)),
    ]


async def _seeded(world: World, place: Corner, clinics: int, say: Say, *, at_vapi: bool) -> None:
    async with sides.running(world, place, sides.OURS) as child:
        await groups.consuming_since(world.admin, place.group, child)
    published = await seeded_fleet.document(place.database.admin)
    orgs = [uuid4() for _ in range(clinics)]
    say(f"  writing {clinics:,} clinics …")
    ids: Sequence[str] = [str(org_id) for org_id in orgs]
    if at_vapi:
        ids = await seeded_fleet.make_tools(world.sandbox.url, world.sandbox.api_key, published, orgs)
    await seeded_fleet.fill(place.database.admin, published, list(zip(orgs, ids, strict=True)))


async def _crowd(world: World, place: Corner, org_id: UUID) -> None:
    work = await saves.make_saves(world.sandbox.url, world.sandbox.api_key, [org_id] * ASSISTANTS)
    async with (
        outcomes.reading(world.bootstrap_servers, place.outcomes_topic, PARTITIONS) as reader,
        sides.running(world, place, sides.OURS) as child,
    ):
        await groups.consuming_since(world.admin, place.group, child)
        for start in range(0, ASSISTANTS, FILL_AT_ONCE):
            batch = work[start : start + FILL_AT_ONCE]
            await saves.publish(world.bootstrap_servers, place.assistants_topic, batch)
            await reader.take(len(batch), OUTCOME_SECONDS_MAX)


async def _saves(
    world: World,
    place: Corner,
    work: Sequence[saves.Save],
    reader: outcomes.OutcomeReader,
    shipping: "asyncio.Task[rollouts.Shipped]",
    say: Say,
) -> list[tuple[saves.Save, float]]:
    """One after another, as long as the rollout runs; the seconds of each. Nothing else has an outcome meanwhile."""
    took = []
    async with _producing(world) as producer:
        for save in work:
            if shipping.done():
                break
            began = time.monotonic()
            await saves.send(producer, place.assistants_topic, [save])
            [(at, record)] = await reader.take(1, OUTCOME_SECONDS_MAX)
            outcomes.check_all_synced([record], [save.message.request_id])
            took.append((save, at - began))
            if at - began > SLOW_SECONDS:
                say(f"  {time.strftime('%H:%M:%S')}: {at - began:.1f} s")
    if len(took) < SAVES_MIN:
        raise NotMeasured(f"the rollout was over after {len(took)} saves")
    return took


@asynccontextmanager
async def _producing(world: World) -> AsyncIterator[AIOKafkaProducer]:
    producer = AIOKafkaProducer(bootstrap_servers=world.bootstrap_servers, acks="all")
    await producer.start()
    try:
        yield producer
    finally:
        await producer.stop()


async def _until_started(place: Corner) -> None:
    until = time.monotonic() + STARTED_SECONDS_MAX
    while True:
        if await _fetchval(place, _STARTED):
            return
        if time.monotonic() > until:
            raise NotMeasured(f"nothing was ordered within {STARTED_SECONDS_MAX:g} s")
        await asyncio.sleep(0.1)


async def _status_ms(place: Corner) -> float:
    """The median time of all that the newest order's status reads, the fleet included."""
    connection = await asyncpg.connect(place.database.service)
    try:
        took = []
        for _ in range(STATUS_TIMES):
            began = time.monotonic()
            fleet = await fleet_of(connection)
            await status_of(connection, fleet, _newest_order(fleet))
            took.append((time.monotonic() - began) * 1000)
    finally:
        await connection.close()
    return percentile(took, 50)


def _newest_order(fleet: Fleet) -> Order:
    return max((orders[-1] for orders in fleet.orders.values() if orders), key=lambda order: order.position)


async def _pages(place: Corner) -> list[float]:
    """The seconds of each page that a whole walk of the feeder reads."""
    connection = await asyncpg.connect(place.database.service)
    took: list[float] = []
    after: UUID | None = None
    try:
        while True:
            began = time.monotonic()
            page = await page_of(connection, seeded_fleet.TOOL, after, PAGE_CLINICS, datetime.now(UTC))
            took.append(time.monotonic() - began)
            if len(page) < PAGE_CLINICS:
                return took
            after = UUID(page[-1].clinic.org_id)
    finally:
        await connection.close()


async def _requests(world: World) -> int:
    return sum((await world.vapi_requests()).values())


async def _fetchval(place: Corner, statement: str) -> int:
    connection = await asyncpg.connect(place.database.admin)
    try:
        found: int = await connection.fetchval(statement)
        return found
    finally:
        await connection.close()
