"""`single_sync_p99_seconds`: 100 saves one after another through both services, at a Vapi that takes 200 ms a call.

The hardest save there is: a new agent of a new org, so that assistant and tool must both be made. From the moment the
request is sent to the moment its `ToolsSynced` was read from Kafka. `single_resync_p99_seconds` asks the same 100
agents once more by `POST /api/assistants/sync`, where nothing has changed.
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
OUTCOME_SECONDS_MAX = 30.0


async def measure(world: World, say: Say) -> list[Row]:
    """The rows. Raises :class:`benchmarks.errors.NotMeasured`."""
    async with serving(world, vapi_ms=VAPI_MS) as whole:
        orgs = [await whole.new_org() for _ in range(SAVES)]
        first, again, agents = [], [], []
        for org_id in orgs:
            started = time.monotonic()
            agent_id, request_id = await whole.new_agent(org_id)
            agents.append(agent_id)
            first.append(await _until_synced(whole, request_id) - started)
        for org_id, agent_id in zip(orgs, agents, strict=True):
            started = time.monotonic()
            again.append(await _until_synced(whole, await whole.sync(agent_id, org_id)) - started)
    for name, seconds in (("new", first), ("again", again)):
        p50, p99 = percentile(seconds, 50), percentile(seconds, 99)
        say(f"  {name}: p50 {p50:.2f} s, p99 {p99:.2f} s, longest {max(seconds):.2f} s")
    return [
        Row("single_sync_p99_seconds", "s", "lower", (percentile(first, 99),), goal="< 2"),
        Row("single_resync_p99_seconds", "s", "lower", (percentile(again, 99),), goal="< 2"),
    ]


async def _until_synced(whole: Whole, request_id: UUID) -> float:
    """The monotonic time at which the request's outcome was readable."""
    [(at, record)] = await whole.reader.take(1, OUTCOME_SECONDS_MAX)
    outcomes.check_all_synced([record], [request_id])
    return at
