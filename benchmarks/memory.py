"""`memory_mb_assistant_api`: its peak resident memory while 1,000 saves are in flight at a Vapi that takes 200 ms.

1,000 new agents of 1,000 orgs are posted at once; every one of them must get its tools. (tool-sync's peak is measured
in the burst, where its 1,000 are in flight for certain.)
"""

import asyncio

from benchmarks import outcomes, proc
from benchmarks.figures import Say
from benchmarks.rows import Row
from benchmarks.whole import serving
from benchmarks.world import World

SAVES = 1_000
ORGS_AT_ONCE = 32
VAPI_MS = 200
SECONDS_MAX = 120.0


async def measure(world: World, say: Say) -> list[Row]:
    """The row. Raises :class:`benchmarks.errors.NotMeasured`."""
    async with serving(world, vapi_ms=VAPI_MS) as whole:
        orgs = []
        for _ in range(0, SAVES, ORGS_AT_ONCE):
            orgs += await asyncio.gather(*(whole.new_org() for _ in range(ORGS_AT_ONCE)))
        saved = await asyncio.gather(*(whole.new_agent(org_id) for org_id in orgs[:SAVES]))
        arrived = await whole.reader.take(SAVES, SECONDS_MAX)
        outcomes.check_all_synced((record for _, record in arrived), (request_id for _, request_id in saved))
        peak_mb = proc.peak_memory_mb(whole.assistant_api.pid)
        say(f"  assistant-api {peak_mb:.0f} MB, tool-sync {proc.peak_memory_mb(whole.tool_sync.pid):.0f} MB")
    return [Row("memory_mb_assistant_api", "MB", "lower", (peak_mb,), goal="< 200")]
