"""One process's share of the fleets: a few at a time, each over a database of its own."""

import asyncio
import logging
from typing import Final

import structlog
import uvloop
from tests.integration.tool_sync.rollouts.plan_judge import Judged, judge_fleet
from tests.integration.tool_sync.rollouts.worlds import world_over

from devstack.databases import TestDatabases
from devstack.options import say

AT_ONCE: Final = 3
"""Fleets of one process: each waits for its database half of the time."""
SAID_EVERY: Final = 100


def judge_share(url: str, seeds: tuple[int, ...]) -> list[Judged]:
    """Judge the fleets of these seeds, over databases on this server."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(_judged(url, seeds))


async def _judged(url: str, seeds: tuple[int, ...]) -> list[Judged]:
    databases, done, waiting = TestDatabases(url), list[Judged](), iter(seeds)

    async def work() -> None:
        for seed in waiting:
            done.append(await _one(databases, seed))
            if len(done) % SAID_EVERY == 0:
                say(f"{len(done)} of {len(seeds)}, {sum(bool(one.problems) for one in done)} not as planned")

    try:
        async with asyncio.TaskGroup() as group:
            for _ in range(AT_ONCE):
                group.create_task(work())
    finally:
        await databases.close()
    return done


async def _one(databases: TestDatabases, seed: int) -> Judged:
    """A fleet that cannot even be judged is not as planned."""
    database = await databases.create_database("tool_sync")
    try:
        async with world_over(database) as world:
            return await judge_fleet(world, seed)
    except Exception as error:
        return Judged(seed, [f"the run itself ended: {error!r}"])
    finally:
        await databases.drop(database)
