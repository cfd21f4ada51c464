"""``replay``: published events once more, with their ids, sequences and order, to a topic that a subscriber asked for.

Never to a live one: there, old outcomes would follow newer ones for everybody.
"""

import asyncio
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

from tool_sync.db import Connection, read_log_id
from tool_sync.log.head import last_before, read_head
from tool_sync.outcomes.batches import Outgoing
from tool_sync.outcomes.filters import Filter
from tool_sync.outcomes.pages import Published, read_page
from tool_sync.outcomes.replay.sending import SendAll, sending
from zerotouch_contracts.topics import TOPICS
from zerotouch_platform.kafka.topics import require_topics

PAGE_EVENTS: Final = 2_000
POSITION_HEADER: Final = "position"
"""On replayed records only: a subscriber that was rebuilt from them goes on in the feed from here."""

OnProgress = Callable[[int, int], None]


class CannotReplay(Exception):
    """Nothing was sent, or not all; the message says why and what to do."""


@dataclass(frozen=True, slots=True)
class Range:
    """What is replayed: positions above ``after``, times from ``since`` and before ``until``, and what is wanted."""

    wanted: Filter
    after: int = 0
    since: datetime | None = None
    until: datetime | None = None


@dataclass(frozen=True, slots=True)
class Replayed:
    """``events`` were sent, or would be; the log was read from ``after`` through ``through``."""

    events: int
    after: int
    through: int


async def replay(
    connection: Connection,
    bootstrap_servers: str,
    topic: str,
    range_: Range,
    *,
    live_topics: frozenset[str],
    dry_run: bool,
    on_progress: OnProgress,
) -> Replayed:
    """Send the range up to the log's present head; ``on_progress`` is told positions done and in all.

    Raises `CannotReplay`, and `UnknownEvent` at what this release cannot read; what was sent until then
    stays. With ``dry_run`` it counts and sends nothing.
    """
    if topic in live_topics | {live.name for live in TOPICS}:
        raise CannotReplay(
            f"{topic} is live: old outcomes would follow newer ones there; create another topic for this"
        )
    await require_topics(bootstrap_servers, [topic])
    after, through = await _limits(connection, range_)
    async with nullcontext() if dry_run else sending(bootstrap_servers, topic) as send_all:
        return Replayed(await _walk(connection, range_.wanted, after, through, send_all, on_progress), after, through)


async def _walk(
    connection: Connection, wanted: Filter, after: int, through: int, send_all: SendAll | None, on_progress: OnProgress
) -> int:
    """A page is read while the one before it is being sent; pages are sent one after the other."""
    log_id = await read_log_id(connection)
    position, number = after, 0
    sent: asyncio.Task[None] | None = None
    try:
        while position < through:
            page = await read_page(connection, after=position, head=through, wanted=wanted, limit=PAGE_EVENTS)
            if sent is not None:
                await sent
            if send_all is not None and page.events:
                sent = asyncio.create_task(send_all([_outgoing(event, log_id) for event in page.events]))
            if page.stopped_by is not None:
                raise page.stopped_by
            position, number = page.scanned_through, number + len(page.events)
            on_progress(position - after, through - after)
    finally:
        if sent is not None:
            await sent
    return number


def _outgoing(event: Published, log_id: UUID) -> Outgoing:
    record = event.record(log_id)
    headers = (*record.headers, (POSITION_HEADER, str(event.position).encode()))
    return Outgoing(record.key, record.value, headers, int(event.recorded_at.timestamp() * 1000))


async def _limits(connection: Connection, range_: Range) -> tuple[int, int]:
    head = await read_head(connection)
    after, through = range_.after, head
    if range_.since is not None:
        after = max(after, await last_before(connection, range_.since, head))
    if range_.until is not None:
        through = await last_before(connection, range_.until, head)
    return after, max(after, through)
