"""`append_shards`: 64 appenders in four processes, on one log and on four logs of one PostgreSQL, a lock each.

What a shard per hash of the organization (ADR 2) would bring, as far as this machine can show it: four databases stand
for four logs. `python -m benchmarks.shards URL` is one of the processes.
"""

import asyncio
import json
import sys
import time
from contextlib import AsyncExitStack
from uuid import uuid4

import uvloop

from benchmarks.append import APPENDERS, APPENDS, WARM_UP
from benchmarks.append_ours import appender
from benchmarks.errors import NotMeasured
from benchmarks.figures import Say
from benchmarks.rows import Row
from benchmarks.world import World, corner
from tool_sync import db
from tool_sync.log import EventLog

SHARDS = 4
SECONDS_MAX = 120.0


async def measure(world: World, rounds: int, say: Say) -> list[Row]:
    """The row: appends/s of all processes together. Raises :class:`benchmarks.errors.NotMeasured`."""
    found: dict[int, list[float]] = {1: [], SHARDS: []}
    for number in range(rounds):
        for logs in (1, SHARDS) if number % 2 == 0 else (SHARDS, 1):
            found[logs].append(await one_round(world, logs, say))
    return [
        Row(
            "append_shards", "appends/s", "higher", tuple(found[SHARDS]), tuple(found[1]), "one log, four processes too"
        )
    ]


async def one_round(world: World, logs: int, say: Say) -> float:
    """Appends/s of four processes, divided among fresh logs."""
    async with AsyncExitStack() as stack:
        places = [await stack.enter_async_context(corner(world, f"shard-{n}", migrated=True)) for n in range(logs)]
        before = world.cpu()
        urls = [places[number % logs].database.service for number in range(SHARDS)]
        async with asyncio.timeout(SECONDS_MAX):
            ends = await asyncio.gather(*(_process(url) for url in urls))
        began, ended = min(start for start, _ in ends), max(end for _, end in ends)
        rate = APPENDS / (ended - began)
        say(f"  {logs} logs: {rate:,.0f} appends/s; CPU {world.shares(before)}")
        return rate


async def _process(url: str) -> tuple[float, float]:
    """When its appends began and ended, on the clock that all processes share."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "benchmarks.shards", url, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    try:
        output, errors = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    if process.returncode != 0:
        raise NotMeasured(f"benchmarks.shards ended with status {process.returncode}:\n{errors.decode()[-2000:]}")
    began, ended = json.loads(output)
    return began, ended


async def main(url: str) -> None:
    """Warm up, append this process' part, and say when that was."""
    pool = await db.SESSIONS.pool(url, application_name="benchmark")
    log = EventLog(pool)
    committing = asyncio.create_task(log.run_forever())
    orgs = [uuid4() for _ in range(APPENDERS // SHARDS)]
    await asyncio.gather(*(appender(log, org, WARM_UP // APPENDERS) for org in orgs))
    began = time.monotonic()
    await asyncio.gather(*(appender(log, org, APPENDS // APPENDERS) for org in orgs))
    ended = time.monotonic()
    log.stop()
    await committing
    await pool.close()
    print(json.dumps([began, ended]))


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(main(sys.argv[1]))
