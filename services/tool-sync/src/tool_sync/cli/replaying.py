"""The work of ``tool-sync replay``."""

import gc
import time

from tool_sync.admin.actions import OperatorAction, note_action
from tool_sync.cli.bar import bar
from tool_sync.cli.output import print_line
from tool_sync.db import Connection
from tool_sync.outcomes.replay import Range, replay

GARBAGE_ALLOCATIONS = 50_000
"""Before cycles are looked for: a page makes many objects and no cycle."""


async def replay_to(
    connection: Connection,
    bootstrap_servers: str,
    topic: str,
    range_: Range,
    live: frozenset[str],
    reason: str,
    *,
    dry_run: bool,
) -> None:
    """Replay and print how much."""
    gc.freeze()
    gc.set_threshold(GARBAGE_ALLOCATIONS, 20, 100)
    if not dry_run:
        await note_action(connection, OperatorAction.TOPIC_REPLAY, topic, reason)
    started = time.monotonic()
    with bar() as say:
        done = await replay(
            connection, bootstrap_servers, topic, range_,
            live_topics=live, dry_run=dry_run, on_progress=lambda at, total: say("replay", at, total),
        )  # fmt: skip
    seconds = time.monotonic() - started
    verb = "would be sent" if dry_run else "sent"
    rate = f", {done.events / seconds:,.0f}/s" if not dry_run else ""
    print_line(f"{done.events:,} events {verb} to {topic}, of positions {done.after + 1:,} to {done.through:,}{rate}")
