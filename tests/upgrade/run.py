"""A rolling upgrade under load, and the way back: release N, both, N+1, one replica of each back at N.

The services have the times of production: an upgrade is no fault, and nothing has to be found again.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any, Final

import asyncpg
import httpx
from tests.chaos.client import Client
from tests.chaos.crowd import crowd_of, sources_of
from tests.chaos.load import Load
from tests.chaos.outcomes import Outcomes
from tests.chaos.platform import Platform
from tests.chaos.quiet import come_to_rest
from tests.chaos.replica import Replica
from tests.chaos.times import UNSCALED
from tests.chaos.world import World, running
from tests.checker.collect import collect, read_journal
from tests.checker.dump import Dump
from tests.checker.history import History
from tests.checker.judge import judge
from tests.checker.ledger import Ledger
from tests.checker.verdict import Verdict
from tests.support.eventually import eventually
from tests.upgrade.traffic import Balancer, Traffic, is_ready
from tests.upgrade.verdict import FIRST_STOP, MIGRATING, SECOND_STOP, Findings, Step, back_and_forth

from devstack import databases
from devstack.options import say

SAVES_PER_SECOND: Final = 5.0
MIX: Final = {
    "found a clinic": 3, "new agent": 14, "new agent twice": 4, "save": 46, "sync": 15, "sync twice": 4,
    "auto-sync an agent": 6, "auto-sync a clinic": 1, "delete an agent": 4,
}  # fmt: skip
"""What clients do; nobody else writes to Vapi, as whoever writes back and forth then is one of ours."""
STEP_SECONDS: Final = 8.0
SHIPS_MAX: Final = 5
REST_SECONDS_MAX: Final = 90.0
READY_SECONDS_MAX: Final = 120.0
STILL_SECONDS: Final = 12.0
TOOL: Final = 'name = "bookClinicAppointment"\ncontract = 2\ndescription = "Books. Both releases run, try {number}."\n'


_APPOINTMENTS: Final = "SELECT call_id FROM appointments"
_COMPLETED: Final = "SELECT FROM events WHERE type = 'RolloutCompleted' AND data ->> 'rollout_id' NOT LIKE 'seed-%'"


async def upgrade(folder: Path, code: Mapping[str, str], seed: int) -> tuple[Findings, Verdict]:
    """Do it. ``code``: what makes a process run release N (see :func:`tests.upgrade.release.unpacked`)."""
    async with AsyncExitStack() as exits:
        say(f"  two replicas of each service at release N, in {folder}")
        world = await exits.enter_async_context(running(folder, UNSCALED, code, proxied=False))
        ledger = Ledger(folder / "dump")
        ledger.plan([])
        load = await crowd_of(world, ledger, seed, SAVES_PER_SECOND, exits, MIX)
        return await _Run(world, load, await _traffic(world, load, seed, exits), code, ledger, seed).all()


@dataclass(slots=True)
class _Run:
    world: World
    load: Load
    traffic: Traffic
    code: Mapping[str, str]
    ledger: Ledger
    seed: int
    steps: list[Step] = field(default_factory=list)

    async def all(self) -> tuple[Findings, Verdict]:
        world, load = self.world, self.load
        outcomes, platform = Outcomes(world.broker.bootstrap_servers), Platform(world, Random(self.seed))
        await load.open()
        async with _beside(outcomes.follow, *(balancer.watch for balancer in self._balancers())):
            async with load.coming(), self.traffic.coming():
                async with self._step("all of N"):
                    await asyncio.sleep(STEP_SECONDS)
                async with self._step(MIGRATING):
                    for service in databases.SERVICES:
                        await databases.migrate(service, world.database(service).owner)
                await self._replace(0, {}, FIRST_STOP)
                async with self._step("N beside N+1, with an order"):
                    await self._ship(platform)
                await self._replace(1, {}, SECOND_STOP)
                async with self._step("all of N+1"):
                    await asyncio.sleep(STEP_SECONDS)
                for service in databases.SERVICES:
                    await databases.migrate(service, world.database(service).owner, self.code)  # as a chart's job does
                await self._replace(1, self.code, "one of each goes back to N")
                async with self._step("one back at N, tables of N+1"):
                    await asyncio.sleep(STEP_SECONDS)
            say("  waiting until nothing is open, with both releases running")
            left = await come_to_rest(world, REST_SECONDS_MAX)
            still_writing = await self._writes_of_the_next(STILL_SECONDS)
        gaps = {step.name: outcomes.longest_gap(step.began, step.ended) for step in self.steps}
        dump = await self._collected()
        found = Findings(
            steps=self.steps,
            answers={
                "saves": load.operations.client.answers,
                "reads": [*self.traffic.api.answers, *self.traffic.tool_sync.answers],
                "calls": self.traffic.webhook.answers,
            },
            booked=self.traffic.booked,
            refused=self.traffic.refused,
            rows=frozenset(row["call_id"] for row in await _fetch(world, "assistant_api", _APPOINTMENTS)),
            gaps=gaps,
            still_writing=still_writing,
            left=left,
            shipped=bool(await _fetch(world, "tool_sync", _COMPLETED)),
            slow_stops=sum(replica.slow_stops for replica in world.replicas),
            back_and_forth=back_and_forth(History(dump)),
        )
        return found, judge(dump)

    def _balancers(self) -> list[Balancer]:
        of, traffic = self.world.of, self.traffic
        return [
            Balancer([self.load.operations.client, traffic.api, traffic.webhook], of("assistant_api")),
            Balancer([traffic.tool_sync], of("tool_sync")),
        ]

    @asynccontextmanager
    async def _step(self, name: str) -> AsyncIterator[None]:
        say(f"  {name}")
        began = time.time()
        yield
        self.steps.append(Step(name, began, time.time()))

    async def _replace(self, number: int, code: Mapping[str, str], name: str) -> None:
        """Replace one replica of each service; the next one is not touched before these are ready."""
        async with self._step(name), httpx.AsyncClient() as http, asyncio.TaskGroup() as group:
            for service in databases.SERVICES:
                group.create_task(_replaced(http, self.world.of(service)[number], code))

    async def _ship(self, platform: Platform) -> None:
        """Order a version of the booking tool for every clinic, by the new release's command.

        Again, with another text, where it is refused: of few clinics a new one is more than the plan allows to change.
        """
        file = self.world.folder / "tool.toml"
        for number in range(SHIPS_MAX):
            file.write_text(TOOL.format(number=number))
            with suppress(TimeoutError):  # the order goes on without whoever watches it
                await platform.command("ship", str(file), "--reason", "an upgrade", "--yes")
            if platform.done[f"ship {file}"]:
                break

    async def _writes_of_the_next(self, seconds: float) -> list[str]:
        """What is written to Vapi while nobody asks for anything."""
        async with httpx.AsyncClient(base_url=self.world.sandbox_url, timeout=60) as http:
            before = {entry["sequence"] for entry in await read_journal(http)}
            await asyncio.sleep(seconds)
            new = [entry for entry in await read_journal(http) if entry["sequence"] not in before]
        return [f"{entry['method']} {entry['path']}" for entry in new if entry["method"] != "GET"]

    async def _collected(self) -> Dump:
        folder = self.world.folder / "dump"
        self.ledger.close()
        await collect(folder, sources_of(self.world))
        return Dump.read(folder)


async def _replaced(http: httpx.AsyncClient, replica: Replica, code: Mapping[str, str]) -> None:
    """SIGTERM, then a new process in its place; returns when it is ready."""
    replica.held = True
    await replica.terminate()
    replica.code = code
    replica.start()
    replica.held = False
    await eventually(lambda: is_ready(http, replica), within_seconds=READY_SECONDS_MAX, every_seconds=0.25)


async def _traffic(world: World, load: Load, seed: int, exits: AsyncExitStack) -> Traffic:
    async def client(token: str, replicas: list[Replica], number: int) -> Client:
        http = httpx.AsyncClient(timeout=15, headers={"Authorization": f"Bearer {token}"})
        return Client(await exits.enter_async_context(http), replicas, Random(seed + number))

    platform = world.signer.platform_token(lifetime_seconds=24 * 3600)
    return Traffic(
        api=await client(platform, world.of("assistant_api"), 10),
        tool_sync=await client(platform, world.of("tool_sync"), 11),
        webhook=await client(world.webhook_token, world.of("assistant_api"), 12),
        clinics=load.clinics,
        dice=Random(seed + 13),
    )


@asynccontextmanager
async def _beside(*loops: Callable[[], Coroutine[Any, Any, None]]) -> AsyncIterator[None]:
    tasks = [asyncio.create_task(loop()) for loop in loops]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)
        for task in tasks:
            if not task.cancelled():
                task.result()  # they run until they are told to stop: an end of their own is the harness's error


async def _fetch(world: World, service: databases.Service, query: str) -> list[asyncpg.Record]:
    connection = await asyncpg.connect(world.database(service).admin)
    try:
        return list(await connection.fetch(query))
    finally:
        await connection.close()
