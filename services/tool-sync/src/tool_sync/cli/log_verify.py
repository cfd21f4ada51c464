"""``tool-sync log verify``: the log, and beside it the newest records of the outcomes topic."""

from dataclasses import asdict
from typing import Final

from tool_sync import db
from tool_sync.cli.bar import bar
from tool_sync.cli.options import EXIT_FOUND
from tool_sync.cli.output import print_json, say_not_looked_at
from tool_sync.log.verify import LogVerified, verify
from tool_sync.outcomes.replay import find_ahead
from tool_sync.outcomes.replay.ahead import NEWEST_RECORDS, Ahead
from zerotouch_contracts.topics import OUTCOMES

NOT_SHOWN: Final = (
    "newest events that were cut off, unless a cursor or the topic is ahead: a shorter log holds together as well",
    "a log that was rewritten as a whole, with all its hashes: they are no signatures",
    "whether the read tables are what the log says: `tool-sync projection verify`",
    "whether Vapi is as the log says: `tool-sync check --live`",
)
"""What chains of hashes cannot show, or another command does."""


async def verify_log(
    connection: db.Connection, bootstrap_servers: str | None, topic: str | None, *, as_json: bool
) -> int:
    """Print what was found; returns the exit status."""
    with bar() as say:
        found = await verify(connection, lambda done, total: say("log", done, total))
    name = topic or OUTCOMES.name
    ahead: list[Ahead] | None = None
    if bootstrap_servers is not None:
        ahead = await find_ahead(connection, await db.read_log_id(connection), bootstrap_servers, name)
    is_good = not found.findings and not ahead
    not_looked_at = [*_left_out(found, name, is_topic_read=ahead is not None), *NOT_SHOWN]
    if as_json:
        document = {
            "ok": is_good,
            "as_written": not found.findings,
            **asdict(found),
            "topic": None if ahead is None else {"name": name, "ahead": ahead},
            "looked_at": _looked_at(found),
        }
        complete = found.through == found.head
        print_json("log verify", document, complete=complete, not_looked_at=not_looked_at)
    else:
        _say_log(found)
        _say_topic(name, ahead)
        say_not_looked_at(not_looked_at)
    return 0 if is_good else EXIT_FOUND


def _say_log(found: LogVerified) -> None:
    for finding in found.findings:
        print(f"position {finding.position}: {finding.problem}")
    if found.head:
        holds = "NOT as they were written" if found.findings else "all as they were written"
        print(f"log: {found.through:,} events, {holds}")
        print(f"looked at: {_looked_at(found)}")
    else:
        print("log: empty" + (", and a cursor is ahead of it" if found.findings else ""))


def _say_topic(topic: str, ahead: list[Ahead] | None) -> None:
    if ahead is None:
        print("topic: not looked at, because --kafka is missing")
        return
    for record in ahead:
        print(f"{topic} partition {record.partition} offset {record.offset}: {record.event_id} is not in the log")
    if ahead:
        print(f"{topic} is AHEAD of the log: it was restored from an older backup; see docs/runbooks/restore.md")
    else:
        print(f"{topic}: not ahead of the log")


def _looked_at(found: LogVerified) -> str:
    if found.since is None or found.until is None:
        return "no event"
    return (
        f"positions 1 to {found.through:,} of {found.head:,}, {found.streams:,} streams, "
        f"{found.since:%Y-%m-%d %H:%M:%S} to {found.until:%Y-%m-%d %H:%M:%S} UTC, and the cursors"
    )


def _left_out(found: LogVerified, topic: str, *, is_topic_read: bool) -> list[str]:
    left = []
    if found.through < found.head:
        left.append(f"positions above {found.through:,}: there are too many findings below")
    if is_topic_read:
        left.append(f"records of {topic} other than the newest {NEWEST_RECORDS} of each partition")
    else:
        left.append("the outcomes topic, which may be ahead of a restored log: --kafka")
    return left
