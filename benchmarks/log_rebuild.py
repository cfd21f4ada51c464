"""`rebuild`: `org_tools` from a log of 1,000,000 events, beside what `eventsourcing` needs to read its own and fold it.

`rebuild_pause_ms`: the same where a tenth of the rows differ, under four writers and two readers: how long writers were
kept waiting at most, and that no read failed.
"""

import asyncio
import json
import sys

import asyncpg

from benchmarks import append_ours, sides
from benchmarks.errors import NotMeasured
from benchmarks.figures import Say, alternate
from benchmarks.rows import Row
from benchmarks.sides import Side
from benchmarks.world import Corner, World, corner
from tool_sync import db
from tool_sync.log import Appended, EventLog, projections

PEER_EVENTS = 100_000
PEER_NAME = "eventsourcing: select_notifications, folded in Python"
SECONDS_MAX = 180.0
WRITERS = 4
READERS = 2


async def measure(world: World, place: Corner, events: int, rounds: int, say: Say) -> list[Row]:
    """The rows. Raises :class:`benchmarks.errors.NotMeasured`."""

    async def one_round(side: Side) -> float:
        rate = await _ours(place, events) if side is sides.OURS else await _peer(world)
        say(f"  rebuild, {side.name}: {rate:,.0f} events/s")
        return rate

    ours, peer = await alternate(rounds, one_round)
    pauses = [await _under_load(place, say) for _ in range(rounds)]
    return [
        Row("rebuild", "events/s", "higher", tuple(ours), tuple(peer), PEER_NAME, "≥ 300,000; ratio ≥ 4"),
        Row("rebuild_pause_ms", "ms", "lower", tuple(pauses), goal="≤ 100"),
    ]


async def _ours(place: Corner, events: int) -> float:
    done = await projections.rebuild(place.database.owner, "org_tools")
    if done.differing or done.position < events:
        raise NotMeasured(f"the rebuild of a right table found {done.differing} rows that differ")
    return done.position / done.seconds


async def _peer(world: World) -> float:
    async with corner(world, "rebuild-peer", migrated=False) as place:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "benchmarks.log_rebuild_peer", place.database.owner,
            stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
        )  # fmt: skip
        try:
            async with asyncio.timeout(SECONDS_MAX):
                output, errors = await process.communicate()
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
    if process.returncode != 0:
        raise NotMeasured(f"log_rebuild_peer ended with status {process.returncode}:\n{errors.decode()[-2000:]}")
    return float(json.loads(output)["events_per_second"])


async def _under_load(place: Corner, say: Say) -> float:
    """The longest pause in ms of a rebuild that has a tenth of the rows to write."""
    await _damage(place)
    pool = await db.SESSIONS.pool(place.database.service, application_name="benchmark")
    log, stopping = EventLog(pool), asyncio.Event()
    committing = asyncio.create_task(log.run_forever())
    tools = await pool.fetchval("SELECT count(*) FROM org_tools")
    orgs = [row["id"] for row in await pool.fetch("SELECT id FROM organizations LIMIT $1", WRITERS)]
    counts = {"appends": 0, "reads": 0}

    async def write(number: int) -> None:
        while not stopping.is_set():
            result = await log.append(append_ours.request(orgs[number]))
            assert isinstance(result, Appended), f"expected Appended, found {result}"
            counts["appends"] += 1

    async def read() -> None:
        while not stopping.is_set():
            found = await pool.fetchval("SELECT count(*) FROM org_tools")
            if found != tools:
                raise NotMeasured(f"a reader found {found} of {tools} rows while the table was rebuilt")
            counts["reads"] += 1

    async with asyncio.TaskGroup() as group:
        load = [group.create_task(write(number)) for number in range(WRITERS)]
        load += [group.create_task(read()) for _ in range(READERS)]
        done = await projections.rebuild(place.database.owner, "org_tools")
        stopping.set()
        await asyncio.wait(load)
    log.stop()
    await committing
    await pool.close()
    found = await projections.verify(place.database.owner, "org_tools")
    if not done.differing or not found.holds:
        raise NotMeasured(f"{done.differing} rows were rebuilt and {found.differing} still differ")
    pause_ms = done.paused_seconds_max * 1000
    say(f"  rebuild under load: {done.differing:,} rows written, {counts}, longest pause {pause_ms:.0f} ms")
    return pause_ms


async def _damage(place: Corner) -> None:
    connection = await asyncpg.connect(place.database.admin)
    await connection.execute("UPDATE org_tools SET vapi_tool_id = 'wrong' WHERE id % 100 < 10")
    await connection.close()
