"""Many cells, one list of runs: every cell takes the next run of its kind until the time is up, and is judged then.

Pauses are kept to cells of their own: where nothing was stopped, nothing may be made twice, and one pause excuses one.
"""

import asyncio
import time
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

import httpx
from tests.checker.collect import Sources, collect
from tests.checker.dump import Dump
from tests.checker.judge import judge
from tests.checker.verdict import Verdict
from tests.crash import flows
from tests.crash.cell import SANDBOX, Cell, cell
from tests.crash.ground import Ground
from tests.crash.operator import command
from tests.crash.points import CrashRun
from tests.crash.rest import all_heard, at_rest
from tests.crash.rounds import Result, crash
from tests.faults.times import SHORT

from devstack.options import say

SEED_AGENTS: Final = 12
JUDGE_SECONDS: Final = 60.0
SAID_EVERY: Final = 50


@dataclass(slots=True)
class Campaign:
    """What the runs of all cells came to."""

    results: list[Result] = field(default_factory=list)
    verdicts: dict[str, Verdict] = field(default_factory=dict)
    violations: list[str] = field(default_factory=list)
    blocked_seconds: dict[str, float] = field(default_factory=dict)
    passed: dict[str, set[str]] = field(default_factory=dict)


async def campaign(ground: Ground, runs: Iterable[CrashRun], *, until: float, cells: int, pausing: int) -> Campaign:
    """Work through ``runs`` until ``until`` (monotonic) in so many cells, of which ``pausing`` take the pauses."""
    done = Campaign()
    listed = list(runs)
    pauses = deque(run for run in listed if run.point.action == "STOP")
    others = deque(run for run in listed if run.point.action != "STOP")
    judging = asyncio.Semaphore(1)
    async with asyncio.TaskGroup() as group:
        for number in range(cells):
            queue = pauses if number < pausing else others
            group.create_task(_work(ground, f"cell-{number}", queue, until, done, judging))
    return done


async def _work(
    ground: Ground, name: str, queue: deque[CrashRun], until: float, done: Campaign, judging: asyncio.Semaphore
) -> None:
    async with cell(ground, name, SHORT) as made:
        seeds = flows.new_agents(SEED_AGENTS)
        await flows.create(made, seeds)
        seen, _ = await at_rest(made, {agent.org_id for agent in seeds}, JUDGE_SECONDS)
        assert not seen.under_way, f"{name} does not work before anything was done to it: {seen.under_way}"
        await flows.auto_sync(made, seeds)  # from here on their prompts name the tool: a save finds nothing to write
        seen, _ = await at_rest(made, {agent.org_id for agent in seeds}, JUDGE_SECONDS)
        assert not seen.under_way, f"{name} does not rest after a second save: {seen.under_way}"
        while queue and time.monotonic() < until:
            run = queue.popleft()
            try:
                result = await crash(made, run)
            except (AssertionError, httpx.HTTPError) as error:
                done.violations.append(f"{name} {run.title}: {error!r}")
                say(done.violations[-1])
                break  # whatever state the cell is in, the checker sees it
            done.results.append(result)
            if result.violations:
                say(f"{name} {run.title}: {result.violations}")
            if len(done.results) % SAID_EVERY == 0:
                say(f"{len(done.results)} crash runs, {sum(bool(r.violations) for r in done.results)} with violations")
        async with judging:
            # Rest is looked for once it is this cell's turn: a pin may end, or an organization be due, while it waits.
            if (status := await command(made, "log", "decisions")) != 0:
                done.violations.append(f"{name}: `log decisions` ends with status {status}: a write is not justified")
            if under_way := await all_heard(made, JUDGE_SECONDS):
                done.violations.append(f"{name}: not at rest at the end: {under_way}")
            verdict = await judged(made)
        done.verdicts[name] = verdict
        done.violations += [f"{name}: {v.rule}: {v.story} {v.example}" for v in verdict.violations]
        done.violations += [f"{name}: void: {reason}" for reason in verdict.void]
        _note(made, done)


async def judged(made: Cell) -> Verdict:
    """Collect what a cell left behind, and have the checker judge it."""
    folder = made.folder / "dump"
    await collect(folder, Sources.of(made.sources()))
    return await asyncio.to_thread(lambda: judge(Dump.read(folder)))


def _note(made: Cell, done: Campaign) -> None:
    for process in made.ground.hub.every:
        cell_name, _, name = process.name.partition(" ")
        if cell_name == made.name and name != SANDBOX:
            worst = done.blocked_seconds.get(name, 0.0)
            done.blocked_seconds[name] = max(worst, process.blocked_seconds)
            done.passed.setdefault(name, set()).update(process.passed)
