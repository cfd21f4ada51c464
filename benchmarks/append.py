"""`append_64`: 64 appenders at once, one event each time, on the same PostgreSQL with fsync on.

Ours is the event log as the service uses it: ids looked up, version checked, hash chain and projections included. The
peer is the `eventsourcing` library's recorder of an application, whose notification ids promise the same order of
commits as our positions.
"""

import asyncio
import json
import sys

from benchmarks import sides
from benchmarks.errors import NotMeasured
from benchmarks.figures import Say, alternate
from benchmarks.rows import Row
from benchmarks.sides import Side
from benchmarks.world import World, corner

APPENDERS = 64
APPENDS = 12_800
WARM_UP = 640
SECONDS_MAX = 120.0
PEER_NAME = "eventsourcing, PostgresApplicationRecorder"


async def measure(world: World, rounds: int, say: Say) -> list[Row]:
    """The row. Raises :class:`benchmarks.errors.NotMeasured`."""
    ours, peer = await alternate(rounds, lambda side: one_round(world, side, say))
    return [
        Row(
            name="append_64",
            unit="appends/s",
            better="higher",
            ours_rounds=tuple(ours),
            peer_rounds=tuple(peer),
            peer_name=PEER_NAME,
            goal="ratio ≥ 3",
        )
    ]


async def one_round(world: World, side: Side, say: Say) -> float:
    """Appends/s of one side, in a process and a database of its own."""
    module = "append_ours" if side is sides.OURS else "append_peer"
    async with corner(world, module.replace("_", "-"), migrated=side.migrated) as place:
        url = place.database.service if side.migrated else place.database.owner
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            f"benchmarks.{module}",
            url,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        try:
            async with asyncio.timeout(SECONDS_MAX):
                output, errors = await process.communicate()
        except TimeoutError:
            raise NotMeasured(f"benchmarks.{module} is not done within {SECONDS_MAX:.0f} s") from None
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
    if process.returncode != 0:
        raise NotMeasured(f"benchmarks.{module} ended with status {process.returncode}:\n{errors.decode()[-2000:]}")
    rate = float(json.loads(output)["appends_per_second"])
    say(f"  {module}: {rate:,.0f} appends/s")
    return rate
