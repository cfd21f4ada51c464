"""``tool-sync log verify``: the log, and beside it the newest records of the outcomes topic."""

from tool_sync import db
from tool_sync.cli.bar import bar
from tool_sync.cli.connected import connected
from tool_sync.cli.options import EXIT_FOUND
from tool_sync.event_log.verify import verify
from tool_sync.replay import find_ahead
from zerotouch_contracts.topics import OUTCOMES


async def verify_log(database_url: str, bootstrap_servers: str | None, topic: str | None) -> int:
    """Print what was found; returns the exit status."""

    async def work(connection: db.Connection) -> int:
        with bar() as say:
            found = await verify(connection, lambda done, total: say("log", done, total))
        for finding in found.findings:
            print(f"position {finding.position}: {finding.problem}")
        good = not found.findings
        print(f"log: {found.head:,} events, " + ("all as they were written" if good else "NOT as they were written"))
        if bootstrap_servers is None:
            print("topic: not looked at, as no Kafka was named")
        else:
            good = await _topic(connection, bootstrap_servers, topic or OUTCOMES.name) and good
        return 0 if good else EXIT_FOUND

    return await connected(database_url, work)


async def _topic(connection: db.Connection, bootstrap_servers: str, topic: str) -> bool:
    ahead = await find_ahead(connection, await db.read_log_id(connection), bootstrap_servers, topic)
    for record in ahead:
        print(f"{topic} partition {record.partition} offset {record.offset}: {record.event_id} is not in the log")
    if ahead:
        print(f"{topic} is AHEAD of the log: it was restored from an older backup; see docs/runbooks/restore.md")
    else:
        print(f"{topic}: not ahead of the log")
    return not ahead
