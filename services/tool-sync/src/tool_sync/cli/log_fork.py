"""``tool-sync log fork``."""

from tool_sync import db
from tool_sync.cli.connected import connected
from tool_sync.event_log.fork import fork


async def fork_log(database_url: str) -> int:
    """Fork and print the new id; returns the exit status."""

    async def work(connection: db.Connection) -> int:
        forked = await fork(connection)
        print(f"the log is {forked.log_id} from here on; up to position {forked.head:,} it was {forked.forked_from}")
        return 0

    return await connected(database_url, work)
