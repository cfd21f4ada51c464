"""tool-sync's database is set back to a copy of it, as docs/runbooks/restore.md has it."""

from typing import Final

import asyncpg
from tests.checker.selftest.group import Group

from devstack.databases import DatabaseUrls

TOOL_SYNC: Final = "tool-sync-1"
FORK_SECONDS_MAX: Final = 40.0


async def backup(group: Group) -> DatabaseUrls:
    """Copy the database, for which tool-sync is stopped and started again."""
    await _leave(group)
    copied = await group.databases.copy("tool_sync", group.urls["tool_sync"])
    await _use(group, group.urls["tool_sync"])
    await group.start("tool_sync", TOOL_SYNC)
    return copied


async def restore(group: Group, copied: DatabaseUrls) -> None:
    """Steps 1 to 5 of the runbook: stop, put the copy in place, fork, start with another consumer group."""
    await _leave(group)
    group.ledger.fault("set-back", "tool_sync")
    group.lost_logs.append(group.urls["tool_sync"].admin)
    await _use(group, copied)
    await _fork(group)
    group.consumer_groups["tool_sync"] += "-again"
    await group.start("tool_sync", TOOL_SYNC)


async def _fork(group: Group) -> None:
    child = group.command("fork", "tool_sync", "log", "fork", "--yes")
    group.children["fork"] = child

    async def ended() -> bool:
        return child.returncode is not None

    await group.until(ended, FORK_SECONDS_MAX)
    assert child.returncode == 0, f"the fork ended with {child.returncode}: {child.log.read_text()}"


async def _leave(group: Group) -> None:
    await group.children[TOOL_SYNC].stop()
    await group.database["tool_sync"].close()


async def _use(group: Group, urls: DatabaseUrls) -> None:
    group.urls["tool_sync"] = urls
    group.database["tool_sync"] = await asyncpg.connect(urls.admin)
