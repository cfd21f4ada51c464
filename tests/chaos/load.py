"""Open-loop load: clients come at their own pace, whether or not the system keeps up."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from random import Random
from typing import Final

from tests.chaos.clinics import Agent, Clinics
from tests.chaos.operations import Operations
from tests.chaos.outsider import Outsider
from tests.chaos.poison import Poison

IDLE_SECONDS: Final = 3.0
IN_FLIGHT_MAX: Final = 500
FIRST_CLINICS: Final = 12
MIX: Final = {
    "found a clinic": 3,
    "new agent": 13,
    "new agent twice": 4,
    "save": 42,
    "sync": 13,
    "sync twice": 4,
    "auto-sync an agent": 6,
    "auto-sync a clinic": 1,
    "delete an agent": 4,
    "edit by somebody else": 4,
    "exchange assistants": 2,
    "hinder callers": 2,
    "poison": 2,
}


@dataclass(slots=True)
class Load:
    """The crowd of clients. `mix` weighs what they do; `done` counts it; `left_out` counts who found no room."""

    operations: Operations
    clinics: Clinics
    outsider: Outsider
    poison: Poison
    dice: Random
    per_second: float
    mix: Mapping[str, int] = field(default_factory=lambda: MIX)
    done: Counter[str] = field(default_factory=Counter)
    left_out: int = 0
    _tasks: set[asyncio.Task[None]] = field(default_factory=set)
    _failed: list[BaseException] = field(default_factory=list)

    async def open(self) -> None:
        """Found the first clinics, each with an agent."""
        await self.outsider.arrive()
        for _ in range(FIRST_CLINICS):
            org_id = await self.operations.found_clinic()
            assert org_id is not None, "a clinic could not be founded before anything was broken"
            await self.operations.new_agent(org_id)

    @asynccontextmanager
    async def coming(self) -> AsyncIterator[None]:
        """Let clients come while the block runs; at its end those under way are waited for.

        Raises what went wrong in the harness itself.
        """
        crowd = asyncio.create_task(self._come())
        try:
            yield
        finally:
            crowd.cancel()
            await asyncio.wait([crowd])
            while self._tasks:
                await asyncio.wait(set(self._tasks))
        if self._failed:
            raise self._failed[0]

    async def _come(self) -> None:
        loop = asyncio.get_running_loop()
        due = loop.time()
        while True:
            due += self.dice.expovariate(self.per_second)
            await asyncio.sleep(max(0.0, due - loop.time()))
            if len(self._tasks) >= IN_FLIGHT_MAX:
                self.left_out += 1
                continue
            task = asyncio.create_task(self._one())
            self._tasks.add(task)
            task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            self._failed.append(error)

    async def _one(self) -> None:
        [kind] = self.dice.choices(list(self.mix), weights=list(self.mix.values()))
        act = self._act(kind)
        if act is not None:
            self.done[kind] += 1
            await act()

    def _act(self, kind: str) -> Callable[[], Awaitable[object]] | None:
        do, org_id = self.operations, self.clinics.any_org()
        match kind:
            case "found a clinic":
                return self._found
            case "new agent":
                return lambda: do.new_agent(org_id)
            case "new agent twice":
                return lambda: do.new_agent(org_id, twice=True)
            case "auto-sync a clinic":
                return lambda: do.auto_sync(org_id, None)
            case "poison":
                return lambda: self.poison.send(org_id)
            case "edit by somebody else":
                idle = self.clinics.idle_agent(IDLE_SECONDS)
                return None if idle is None else lambda: self.outsider.edit(idle)
            case "hinder callers":
                hindered = self.clinics.idle_agent(IDLE_SECONDS)
                return None if hindered is None else lambda: self.outsider.hinder(hindered)
            case "exchange assistants":
                pair = self.clinics.two_idle_agents(IDLE_SECONDS)
                return None if pair is None else lambda: self._exchange(*pair)
            case "delete an agent" if not do.can_delete:
                return None
        agent = self.clinics.any_agent()
        if agent is None:
            return None
        match kind:
            case "save":
                return lambda: do.save(agent)
            case "sync":
                return lambda: do.sync(agent)
            case "sync twice":
                return lambda: do.sync(agent, twice=True)
            case "auto-sync an agent":
                return lambda: do.auto_sync(agent.org_id, agent)
            case "delete an agent":
                return lambda: do.delete(agent)
            case _:
                raise AssertionError(f"nobody knows how to {kind}")

    async def _exchange(self, one: Agent, other: Agent) -> None:
        await self.operations.exchange(one, other, await self.outsider.assistant())

    async def _found(self) -> None:
        if (org_id := await self.operations.found_clinic()) is not None:
            await self.operations.new_agent(org_id)
