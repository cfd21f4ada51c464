"""``python -m benchmarks.append_ours URL``: 64 tasks append to the event log; prints the rate as JSON."""

import asyncio
import json
import sys
import time
from uuid import UUID, uuid4

import uvloop

from benchmarks.append import APPENDERS, APPENDS, WARM_UP
from tool_sync import db
from tool_sync.domain.events import SyncRequested
from tool_sync.log import Appended, AppendRequest, EventLog, Meta, NewEvent, event_id, org_stream


async def appender(log: EventLog, org_id: UUID, count: int) -> None:
    """Append ``count`` saves to one org's stream, each after the other."""
    for _ in range(count):
        result = await log.append(request(org_id))
        assert isinstance(result, Appended), f"expected Appended, found {result}"


def request(org_id: UUID) -> AppendRequest:
    """What intake appends for one save."""
    stream, request_id = org_stream(org_id), uuid4()
    event = SyncRequested(
        request_id=request_id,
        agent_id="agent-1",
        assistant_id=str(org_id),
        revision=1,
        model_hash="0" * 64,
        cause="save",
        trace_id="ab" * 16,
    )
    return AppendRequest(
        stream=stream,
        org_id=org_id,
        expected_version=None,
        events=(NewEvent(event_id(stream, "/benchmark", str(request_id), "SyncRequested", 0), event),),
        meta=Meta(str(request_id), str(request_id), f"00-{'ab' * 16}-{'cd' * 8}-01", "benchmark", "0"),
    )


async def main(url: str) -> None:
    """Warm up, measure, check that every event is there."""
    pool = await db.SESSIONS.pool(url, application_name="benchmark")
    log = EventLog(pool)
    committing = asyncio.create_task(log.run_forever())
    orgs = [uuid4() for _ in range(APPENDERS)]
    await asyncio.gather(*(appender(log, org, WARM_UP // APPENDERS) for org in orgs))
    started = time.perf_counter()
    await asyncio.gather(*(appender(log, org, APPENDS // APPENDERS) for org in orgs))
    seconds = time.perf_counter() - started
    log.stop()
    await committing
    stored = await pool.fetchval("SELECT count(*) FROM events")
    assert stored == APPENDS + WARM_UP, f"expected {APPENDS + WARM_UP} events, found {stored}"
    await pool.close()
    print(json.dumps({"appends_per_second": APPENDS / seconds}))


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(main(sys.argv[1]))
