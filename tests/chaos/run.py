"""One chaos run: phases, nemesis over load, healing, quiet, and everything collected for the checker."""

import asyncio
import time
from collections import Counter
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from random import Random
from typing import Any, Final

import asyncpg
import httpx
from tests.chaos.crowd import crowd_of, sources_of
from tests.chaos.desk import Desk
from tests.chaos.field import Field, Recovery
from tests.chaos.load import Load
from tests.chaos.nemesis import CLASSES, schedule, torment
from tests.chaos.outcomes import Outcomes
from tests.chaos.phases import Phase, Phases
from tests.chaos.platform import Platform
from tests.chaos.quiet import come_to_rest
from tests.chaos.times import Times
from tests.chaos.world import World, running
from tests.checker.collect import collect
from tests.checker.ledger import Ledger
from tests.faults.proxy import Pass
from tests.support.eventually import until

from devstack.options import say

SAVES_PER_SECOND: Final = 12.0
SHORTEST_PLAN_SECONDS: Final = 180.0
REPAIR_SECONDS_MAX: Final = 75.0
STILL_NAMED: Final = "SELECT count(*) FROM org_tools WHERE vapi_tool_id = ANY ($1) AND enabled"


@dataclass(frozen=True, slots=True)
class Plan:
    """What is asked for."""

    seconds: float
    seed: int
    times: Times
    folder: Path
    phases: bool = True
    per_second: float = SAVES_PER_SECOND


@dataclass(frozen=True, slots=True)
class Findings:
    """What a run left besides the dump in `dump`. `left` is what was still open when the quiet period was over."""

    dump: Path
    phases: list[Phase]
    fired: dict[str, int]
    recoveries: list[Recovery]
    left: dict[str, int]
    quiet_seconds: float
    done: Counter[str]
    left_out: int
    poison: int
    edits: int
    statuses: Counter[str]
    blocks: list[dict[str, Any]]
    restarts: int
    killed_by_probe: int
    slow_stops: int
    unfired: tuple[str, ...]
    ordered: Counter[str]
    unjustified: bool


async def run(plan: Plan) -> Findings:
    """Do it. The harness' own failures are raised; everything else is for the checker."""
    async with AsyncExitStack() as stack:
        say(f"  starting two replicas of each service in {plan.folder}")
        world = await stack.enter_async_context(running(plan.folder, plan.times))
        return await _Run(plan, world, stack).all()


class _Run:
    def __init__(self, plan: Plan, world: World, stack: AsyncExitStack) -> None:
        self.plan, self.world, self.stack = plan, world, stack
        self.dump = plan.folder / "dump"
        self.ledger = Ledger(self.dump)
        self.sources = sources_of(world)

    async def all(self) -> Findings:
        plan, world = self.plan, self.world
        load = await crowd_of(world, self.ledger, plan.seed, plan.per_second, self.stack)
        desk = Desk(await self.stack.enter_async_context(httpx.AsyncClient(base_url=world.sandbox_url, timeout=30)))
        outcomes = Outcomes(world.broker.bootstrap_servers)
        following = asyncio.create_task(outcomes.follow())
        try:
            await load.open()
            phases = Phases(world, load, desk, self.sources, plan.folder, load.operations.client.answers)
            measured = await phases.all() if plan.phases else []
            field = Field(world, Random(plan.seed + 1), self.ledger, desk, outcomes)
            due = schedule(Random(plan.seed), plan.seconds)
            planned = sorted({item.fault.name for item in due} | set(CLASSES if self._complete else ()))
            self.ledger.plan(planned)
            say(f"  {len(due)} faults of {len(planned)} classes in {plan.seconds / 60:g} minutes")
            asyncio.get_running_loop().call_later(plan.seconds / 2, setattr, load.outsider, "leaves_tools_alone", True)
            platform = Platform(world, Random(plan.seed + 7))
            working = asyncio.create_task(platform.work())
            async with load.coming():
                await torment(field, due)
            working.cancel()
            await asyncio.wait([working])
            if not working.cancelled():
                working.result()  # it works until it is told to stop: its error is the harness's own
            await self._heal(desk)
            await load.outsider.take_back()
            await platform.conclude()
            await self._sync_edited(load)
            say("  healed; waiting until nothing is open")
            began = time.monotonic()
            left = await come_to_rest(world, plan.times.quiet_seconds_max)
            quiet = time.monotonic() - began
            if not left and not await self._is_repaired(load):
                left = {"tools that somebody has changed or deleted": 1}
            if not left:
                say("  at rest; waiting for the sweeps")
                left = await come_to_rest(world, plan.times.quiet_seconds_max, swept=True)
            unjustified = await platform.decisions() != 0
            if field.measuring:
                await asyncio.wait(set(field.measuring))
        finally:
            following.cancel()
            await asyncio.wait([following])
        poison = await load.poison.write_down()
        self.ledger.close()
        say("  collecting")
        await collect(self.dump, replace(self.sources, lost_logs=tuple(world.lost_logs)))
        client, replicas = load.operations.client, world.replicas
        return Findings(
            dump=self.dump,
            phases=measured,
            fired=dict(field.fired),
            recoveries=field.recoveries,
            left=left,
            quiet_seconds=quiet,
            done=load.done,
            left_out=load.left_out,
            poison=poison,
            edits=load.outsider.edits,
            statuses=Counter(str(answer.status or "no answer") for answer in client.answers),
            blocks=[{"replica": it.name, **block} for it in replicas for block in it.blocks()],
            restarts=sum(it.restarts for it in replicas),
            killed_by_probe=sum(it.killed_by_probe for it in replicas),
            slow_stops=sum(it.slow_stops for it in replicas),
            unfired=tuple(name for name in planned if not field.fired.get(name)),
            ordered=platform.done,
            unjustified=unjustified,
        )

    @property
    def _complete(self) -> bool:
        return self.plan.seconds >= SHORTEST_PLAN_SECONDS

    async def _heal(self, desk: Desk) -> None:
        await desk.heal()
        for proxy in (self.world.broker_proxy, *(p for it in self.world.replicas for p in (it.database, it.vapi))):
            proxy.mode = Pass()
        await asyncio.gather(*(replica.ready() for replica in self.world.replicas))

    async def _sync_edited(self, load: Load) -> None:
        for agents in load.clinics.agents.values():
            for agent in agents:
                if agent.edited or agent.assistant_id in load.outsider.touched:
                    await load.operations.sync(agent)

    async def _is_repaired(self, load: Load) -> bool:
        """Wait until tool-sync has found and put right what was done to its tools."""
        outsider = load.outsider
        database = await asyncpg.connect(self.world.database("tool_sync").admin)

        async def repaired() -> bool:
            named = await database.fetchval(STILL_NAMED, list(outsider.deleted_tools))
            return not named and await outsider.all_called_home()

        try:
            return await until(repaired, REPAIR_SECONDS_MAX, every_seconds=0.5)
        finally:
            await database.close()
