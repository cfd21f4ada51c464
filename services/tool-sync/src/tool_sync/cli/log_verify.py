"""``tool-sync log verify``: the log, and beside it the newest records of its topics."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Final

from tool_sync import db
from tool_sync.cli.bar import bar
from tool_sync.cli.exits import EXIT_FOUND
from tool_sync.cli.log_heads import NOT_ASKED, UNPROVED, HeadsSource, heads_lines, is_proved
from tool_sync.cli.output import print_json, print_line, print_lines, say_not_looked_at
from tool_sync.log.verify import LogVerified, verify
from tool_sync.outcomes.heads.comparing import compare
from tool_sync.outcomes.published import ALL, OUTCOMES, PublishedTopic
from tool_sync.outcomes.replay import find_ahead
from tool_sync.outcomes.replay.ahead import NEWEST_RECORDS, Ahead
from zerotouch_platform.kafka.topics import TopicMissing

WITHOUT_HEADS: Final = (
    "newest events that were cut off, unless a cursor or a topic is ahead: a shorter log holds together as well",
    "a log that was rewritten as a whole, with all its hashes: they are no signatures",
    NOT_ASKED,
)
NOT_SHOWN: Final = (
    "whether the read tables are what the log says: `tool-sync projection verify`",
    "whether Vapi is as the log says: `tool-sync check --live`",
)
"""What chains of hashes cannot show, or another command does."""


@dataclass(frozen=True, slots=True)
class TopicLooked:
    """A topic of tool-sync's and its records that the log lacks; ``ahead`` None where it was not looked at."""

    name: str
    ahead: list[Ahead] | None


async def verify_log(
    connection: db.Connection,
    bootstrap_servers: str | None,
    topics: Mapping[str, str | None],
    source: HeadsSource | None = None,
    *,
    as_json: bool,
) -> int:
    """Print what was found; returns the exit status. ``topics``: what is published, and what its topic is called."""
    heads = None if source is None else await source.read()  # before the log, which may well grow meanwhile
    with bar() as say:
        found = await verify(connection, lambda done, total: say("log", done, total))
    compared = None if source is None or heads is None else await compare(connection, heads, source.keys, found)
    outcomes, fleet = [await _look(connection, bootstrap_servers, published, topics) for published in ALL]
    is_signed = compared is None or is_proved(compared)
    is_good = not found.findings and not outcomes.ahead and not fleet.ahead and is_signed
    beyond = WITHOUT_HEADS if compared is None else UNPROVED
    not_looked_at = [*_left_out(found, (outcomes, fleet)), *beyond, *NOT_SHOWN]
    if as_json:
        document = {
            "ok": is_good,
            "as_written": not found.findings,
            **asdict(found),
            "topic": None if outcomes.ahead is None else outcomes,
            "fleet_topic": None if fleet.ahead is None else fleet,
            "looked_at": _looked_at(found),
            "heads": compared,
        }
        complete = found.through == found.head and (compared is None or compared.proved_through == compared.head)
        print_json("log verify", document, complete=complete, not_looked_at=not_looked_at)
    else:
        _say_log(found)
        if compared is not None:
            print_lines(heads_lines(compared))
        for looked in (outcomes, fleet):
            _say_topic(looked, is_asked=bootstrap_servers is not None)
        say_not_looked_at(not_looked_at)
    return 0 if is_good else EXIT_FOUND


async def _look(
    connection: db.Connection, servers: str | None, published: PublishedTopic, topics: Mapping[str, str | None]
) -> TopicLooked:
    name = topics[published.name] or published.topic.name
    if servers is None:
        return TopicLooked(name, None)
    try:
        return TopicLooked(
            name, await find_ahead(connection, await db.read_log_id(connection), servers, name, published)
        )
    except TopicMissing:
        if published is OUTCOMES:
            raise
        return TopicLooked(name, None)


def _say_log(found: LogVerified) -> None:
    for finding in found.findings:
        print_line(f"position {finding.position}: {finding.problem}")
    if found.head:
        holds = "NOT as they were written" if found.findings else "all as they were written"
        print_line(f"log: {found.through:,} events, {holds}")
        print_line(f"looked at: {_looked_at(found)}")
    else:
        print_line("log: empty" + (", and a cursor is ahead of it" if found.findings else ""))


def _say_topic(looked: TopicLooked, *, is_asked: bool) -> None:
    topic, ahead = looked.name, looked.ahead
    if ahead is None:
        print_line(f"{topic}: not looked at, because {'there is no such topic' if is_asked else '--kafka is missing'}")
        return
    for record in ahead:
        print_line(f"{topic} partition {record.partition} offset {record.offset}: {record.event_id} is not in the log")
    if ahead:
        print_line(f"{topic} is AHEAD of the log: it was restored from an older backup; see docs/runbooks/restore.md")
    else:
        print_line(f"{topic}: not ahead of the log")


def _looked_at(found: LogVerified) -> str:
    if found.since is None or found.until is None:
        return "no event"
    return (
        f"positions 1 to {found.through:,} of {found.head:,}, {found.streams:,} streams, "
        f"{found.since:%Y-%m-%d %H:%M:%S} to {found.until:%Y-%m-%d %H:%M:%S} UTC, and the cursors"
    )


def _left_out(found: LogVerified, topics: Sequence[TopicLooked]) -> list[str]:
    left = []
    if found.through < found.head:
        left.append(f"positions above {found.through:,}: there are too many findings below")
    for topic in topics:
        if topic.ahead is None:
            left.append(f"the topic {topic.name}, which may be ahead of a restored log: --kafka")
        else:
            left.append(f"records of {topic.name} other than the newest {NEWEST_RECORDS} of each partition")
    return left
