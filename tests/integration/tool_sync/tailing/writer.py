"""``python writer.py URL TASKS APPENDS``: appends, each task to an org of its own; prints the ids of what is in.

An append whose outcome is unknown is sent again with the same ids until it is answered, as every caller does.
"""

import asyncio
import sys
from uuid import UUID, uuid4

import asyncpg

from tool_sync import db
from tool_sync.domain.events import OrgTierChanged
from tool_sync.log import AppendRequest, EventLog, LogSettings, LogUnavailable, Meta, NewEvent, org_stream

META = Meta("cause", "correlation", None, "test", "0")


async def write(log: EventLog, appends: int) -> None:
    """Append one to three events at a time."""
    org_id = uuid4()
    for number in range(appends):
        ids = tuple(uuid4() for _ in range(number % 3 + 1))
        events = tuple(NewEvent(event_id, OrgTierChanged("basic")) for event_id in ids)
        await _until_answered(log, AppendRequest(org_stream(org_id), org_id, None, events, META), ids)


async def _until_answered(log: EventLog, request: AppendRequest, ids: tuple[UUID, ...]) -> None:
    while True:
        try:
            await log.append(request)
        except LogUnavailable:
            continue
        print("\n".join(map(str, ids)), flush=True)
        return


async def _connected(url: str) -> db.Pool:
    while True:
        try:
            return await db.SESSIONS.pool(url)
        except (OSError, asyncpg.PostgresError):  # it is being killed just now
            await asyncio.sleep(0.05)


async def main(url: str, tasks: int, appends: int) -> None:
    """Run the tasks side by side over one log."""
    pool = await _connected(url)
    log = EventLog(pool, LogSettings(append_seconds_max=2.0, retry_seconds=0.05))
    async with asyncio.TaskGroup() as group:  # a log that dies must end this process, not let it wait for ever
        group.create_task(log.run_forever())
        await asyncio.gather(*(write(log, appends) for _ in range(tasks)))
        log.stop()
    await pool.close()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3])))
