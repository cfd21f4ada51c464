"""tool-sync's database is restored from a backup, by docs/runbooks/restore.md, while clients go on saving.

    backup ── what is lost ── all replicas stopped ── the copy put in place ── fork ── started with another group
    pg_dump    saves, tools    SIGTERM                 rename, pg_restore       `log fork`, until Vapi has answered

A server that is away would be waited for by an operator, so dump and copy have PostgreSQL to themselves; the fork does
not, and is done again where PostgreSQL or Vapi fails it. The database that was is kept for the checker.
"""

import asyncio
import os
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import asyncpg
from tests.chaos.field import Fault, Field
from tests.chaos.replica import Replica
from tests.chaos.world import World
from tests.support.eventually import until

from devstack import databases, postgres, process

NAME: Final = "restore-tool-sync"
DATABASE: Final = "tool_sync"
TIMES_MAX: Final = 2
"""In a run of any length: each restore is another log for the checker to follow."""
BACKUP_AGE_SECONDS: Final = (15.0, 25.0)
COMMAND_SECONDS_MAX: Final = 60.0
FORK_TRIES_MAX: Final = 8
TOOL_SECONDS_MAX: Final = 20.0
HEAD: Final = "SELECT coalesce(max(position), 0) FROM events"
HAS_TOOL: Final = "SELECT EXISTS (SELECT FROM events WHERE type = 'ToolRegistered' AND position > $1)"
BEGAN_AGAIN: Final = "tool-sync was started on its restored log"


async def _restore(field: Field) -> None:
    async with field.locks[NAME]:
        world, number = field.world, len(field.world.lost_logs) + 1
        backup = world.folder / f"{DATABASE}-{number}.dump"
        async with field.locks["postgres"]:
            await _administer(world, "pg_dump", "--format=custom", f"--file={backup}", DATABASE)
            head = await _asked(world.database("tool_sync").admin, HEAD)
        await asyncio.sleep(field.dice.uniform(*BACKUP_AGE_SECONDS))
        await _until_tool_is_made(world, head)
        async with AsyncExitStack() as stack:
            replicas = world.of("tool_sync")
            for replica in replicas:
                await stack.enter_async_context(field.locks[replica.name])
            await _stop(replicas)
            lost = await _put_in_place(field, replicas, backup, f"{DATABASE}_lost_{number}")
            if lost:  # a copy that lacks nothing proves nothing
                field.note(NAME, DATABASE, detail=f"{lost} events lost")
            await _fork(world, replicas[0])
            world.consumer_group = f"tool-sync-restored-{number}"
            _start(replicas, world.consumer_group)
            field.measure(BEGAN_AGAIN, time.time(), fault_class=NAME)


async def _until_tool_is_made(world: World, head: int) -> None:
    """A tool that the backup does not know is what a restore may make twice; while Kafka is away none is made."""

    async def is_made() -> bool:
        try:
            return bool(await _asked(world.database("tool_sync").admin, HAS_TOOL, head))
        except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError):
            return False

    await until(is_made, TOOL_SECONDS_MAX, every_seconds=0.5)


async def _stop(replicas: Sequence[Replica]) -> None:
    for replica in replicas:
        replica.held = True
    await asyncio.gather(*(replica.terminate() for replica in replicas))


async def _put_in_place(field: Field, replicas: Sequence[Replica], backup: Path, lost: str) -> int:
    """Rename what is there, and restore the backup under its name; returns how many events that lacks."""
    world = field.world
    async with AsyncExitStack() as stack:
        for replica in replicas:  # behind a black hole PostgreSQL does not learn that its client is gone
            await stack.enter_async_context(field.locks[replica.database.name])
        await stack.enter_async_context(field.locks["postgres"])
        await _administer(world, "psql", "--command", f"ALTER DATABASE {DATABASE} RENAME TO {lost}", "postgres")
        world.lost_logs.append(databases.urls(world.postgres.admin_url, "tool_sync", lost).admin)
        await _administer(world, "pg_restore", "--exit-on-error", "--create", "--dbname", "postgres", str(backup))
        return await _asked(world.lost_logs[-1], HEAD) - await _asked(world.database("tool_sync").admin, HEAD)


async def _asked(url: str, query: str, *arguments: int) -> int:
    connection = await asyncpg.connect(url, timeout=10)
    try:
        return int(await connection.fetchval(query, *arguments))
    finally:
        await connection.close()


async def _fork(world: World, replica: Replica) -> None:
    command = [sys.executable, "-m", "tool_sync", "log", "fork", "--yes", "--reason", "the database was restored"]
    log = world.folder / "fork.log"
    for _ in range(FORK_TRIES_MAX):
        if await _ended("fork", command, log, replica.env) == 0:
            return
    raise process.StartFailed("the fork of the log", f"it failed {FORK_TRIES_MAX} times", log)


def _start(replicas: Sequence[Replica], consumer_group: str) -> None:
    for replica in replicas:
        replica.env = {**replica.env, "CONSUMER_GROUP": consumer_group}
        replica.start()
        replica.held = False


async def _administer(world: World, program: str, *arguments: str) -> None:
    admin, log = urlsplit(world.postgres.admin_url), world.folder / "restore.log"
    env = {
        "PGHOST": str(admin.hostname),
        "PGPORT": str(admin.port),
        "PGUSER": str(admin.username),
        "PGPASSWORD": str(admin.password),
        "PGSSLMODE": "disable",
    }
    command = [str(postgres._binaries() / program), *arguments]
    status = await _ended(program, command, log, env)
    if status != 0:
        raise process.StartFailed(program, f"it ended with status {status}", log)


async def _ended(name: str, command: Sequence[str], log: Path, env: Mapping[str, str]) -> int | None:
    """Run a command; its status, None where it took too long and was stopped."""
    child = process.start(name, command, log=log, env={**os.environ, **env})

    async def has_ended() -> bool:
        return child.returncode is not None

    try:
        return child.returncode if await until(has_ended, COMMAND_SECONDS_MAX) else None
    finally:
        await child.kill()


FAULTS: Final = (Fault(NAME, _restore, TIMES_MAX),)
