"""`idle_cpu_percent`: the CPU of both services while nothing happens, of one core, with their work of before done."""

import asyncio

from benchmarks import outcomes, proc
from benchmarks.figures import Say
from benchmarks.rows import Row
from benchmarks.whole import Whole, serving
from benchmarks.world import World

AGENTS = 20
REST_SECONDS = 10.0
"""Until idle connections are closed and what follows a save is over."""
MEASURED_SECONDS = 30.0


async def measure(world: World, say: Say) -> list[Row]:
    """The row. Raises :class:`benchmarks.errors.NotMeasured`."""
    async with serving(world, vapi_ms=0) as whole:
        saved = [(await whole.new_agent(await whole.new_org()))[1] for _ in range(AGENTS)]
        arrived = await whole.reader.take(AGENTS, 60)
        outcomes.check_all_synced((record for _, record in arrived), saved)
        await asyncio.sleep(REST_SECONDS)
        servers, before = world.cpu(), _used(whole)
        await asyncio.sleep(MEASURED_SECONDS)
        percent = {name: (used - before[name]) / MEASURED_SECONDS * 100 for name, used in _used(whole).items()}
        beside = world.shares(servers)
    say("  idle: " + ", ".join(f"{name} {used:.2f} %" for name, used in percent.items()) + f"; beside them {beside}")
    return [Row("idle_cpu_percent", "%", "lower", (sum(percent.values()),), goal="≤ 2")]


def _used(whole: Whole) -> dict[str, float]:
    return {
        "assistant-api": proc.cpu_seconds(whole.assistant_api.pid),
        "tool-sync": proc.cpu_seconds(whole.tool_sync.pid),
    }
