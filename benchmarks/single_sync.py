"""`single_sync_…`: saves one after another through both services: what one who waits for a save waits.

The hardest save there is: a new agent of a new org, so that assistant and tool must both be made. From the moment the
request is sent to the moment its `ToolsSynced` was read from Kafka. `single_resync_…` asks the same agents once more by
`POST /api/assistants/sync`, where nothing has changed. Vapi takes 200 ms a call; in `…_idle_…` none, so that what is
left is our own.
"""

import time
from uuid import UUID

from benchmarks import outcomes
from benchmarks.figures import Say, percentile
from benchmarks.rows import Row
from benchmarks.whole import Whole, serving
from benchmarks.world import World

SAVES = 100
VAPI_MS = 200
IDLE_SAVES = 300
"""More, as the 99th percentile of 100 is one save."""
OUTCOME_SECONDS_MAX = 30.0


async def measure(world: World, say: Say) -> list[Row]:
    """The rows. Raises :class:`benchmarks.errors.NotMeasured`."""
    async with serving(world, vapi_ms=VAPI_MS) as whole:
        agents, first = await _new(whole, SAVES)
        _tell(say, "new", first)
        again = [await _resync(whole, agent_id, org_id) for agent_id, org_id in agents]
        _tell(say, "again", again)
    async with serving(world, vapi_ms=0) as whole:
        _, idle = await _new(whole, IDLE_SAVES)
        _tell(say, "new, Vapi at 0 ms", idle)
    idle_ms = [seconds * 1000 for seconds in idle]
    return [
        Row("single_sync_p50_seconds", "s", "lower", (percentile(first, 50),), goal="≤ 0.70"),
        Row("single_sync_p99_seconds", "s", "lower", (percentile(first, 99),), goal="≤ 0.80"),
        Row("single_resync_p50_seconds", "s", "lower", (percentile(again, 50),)),
        Row("single_resync_p99_seconds", "s", "lower", (percentile(again, 99),), goal="≤ 0.45"),
        Row("single_sync_idle_p50_ms", "ms", "lower", (percentile(idle_ms, 50),), goal="< 40"),
        Row("single_sync_idle_p99_ms", "ms", "lower", (percentile(idle_ms, 99),), goal="< 100"),
    ]


def _tell(say: Say, name: str, seconds: list[float]) -> None:
    p50, p99 = percentile(seconds, 50), percentile(seconds, 99)
    say(f"  {name}: p50 {p50:.3f} s, p99 {p99:.3f} s, longest {max(seconds):.3f} s")


async def _new(whole: Whole, count: int) -> tuple[list[tuple[str, UUID]], list[float]]:
    """Save ``count`` agents, each of a new org; they and their orgs, and the seconds that each took."""
    orgs = [await whole.new_org() for _ in range(count)]
    agents, waited = [], []
    for org_id in orgs:
        started = time.monotonic()
        agent_id, request_id = await whole.new_agent(org_id)
        waited.append(await _until_synced(whole, request_id) - started)
        agents.append((agent_id, org_id))
    return agents, waited


async def _resync(whole: Whole, agent_id: str, org_id: UUID) -> float:
    """The seconds that a sync of what is right already takes."""
    started = time.monotonic()
    return await _until_synced(whole, await whole.sync(agent_id, org_id)) - started


async def _until_synced(whole: Whole, request_id: UUID) -> float:
    """The monotonic time at which the request's outcome was readable."""
    [(at, record)] = await whole.reader.take(1, OUTCOME_SECONDS_MAX)
    outcomes.check_all_synced([record], [request_id])
    return at
