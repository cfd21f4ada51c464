"""Orders that a restore has lost, with the tools that were made for them: nobody orders them again, and nobody saves.

backup ··· a tool is ordered for all ··· made for one clinic, linked by nobody yet      ► restore
       ··· it is ordered once more   ··· linked by everybody; another one is made twice ► restore
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from tool_sync.sync.blueprint import Blueprint

from .clinic import Agent, Clinic
from .orders import ALL, Orders
from .reach import named
from .releases import NEWER, OLD
from .rest import Rest
from .restore import Restore
from .vapi import Server

BOOKING: Final = OLD.definitions[0].name
TOOL: Final = OLD.definitions[1].name
LOOK_SECONDS: Final = 0.004
SECONDS_MAX: Final = 60.0
SWEPT_TRIES: Final = 3
SWEPT_SECONDS: Final = 600.0
"""Longer than the surplus age, and than it takes to look who links what is to go."""


@dataclass(frozen=True, slots=True)
class LostOrders:
    """Those who act in it."""

    clinic: Clinic
    orders: Orders
    server: Server
    rest: Rest
    restore: Restore

    async def live(self, first: Agent) -> None:
        """Two clinics of a tier that could have the tool; one has two assistants."""
        others = (self.clinic.agent(first.org_id, "night-line"), self.clinic.agent(self.clinic.organization(2), "desk"))
        agents = (first, *others)
        self._order(None)
        for agent in agents:
            self.clinic.change_tier(agent.org_id, "professional")
            await self.clinic.save(agent)
        await asyncio.sleep(10.0)
        backup, known = self.restore.database.copy(), self.restore.checks.of_log()
        self._order(NEWER)
        await self._until(lambda: bool(self.server.live_tools(first.org_id, TOOL)))
        await self.restore.back_to(backup, known)
        await self._swept()
        self._order(NEWER)
        await self._until(lambda: all(self._links(agent) for agent in agents))
        self.server.make_twice(first.org_id, BOOKING)
        await self.restore.back_to(backup, known)
        await self._swept()

    async def _swept(self) -> None:
        """Nobody has what nobody ordered; a little later where somebody died or sleeps."""
        for _ in range(SWEPT_TRIES):
            await asyncio.sleep(SWEPT_SECONDS)
            if not (left := self.rest.unfinished()):
                return
        self.rest.violated(f"it has waited long enough: {left}")

    def _order(self, release: Blueprint | None) -> None:
        """Order a release's version for all, or none."""
        version = None if release is None else self.orders.publish(release, TOOL)
        rollout_id = self.orders.start(TOOL, version, (ALL,))
        self.orders.complete(self.orders.order(rollout_id))

    def _links(self, agent: Agent) -> bool:
        ids = {tool["id"] for tool in self.server.live_tools(agent.org_id, TOOL)}
        return bool(ids & set(named(self.server.assistants[agent.assistant_id]["model"])))

    async def _until(self, is_so: Callable[[], bool]) -> None:
        """Until then, or for a minute where somebody died or sleeps."""
        until = asyncio.get_running_loop().time() + SECONDS_MAX
        while not is_so() and asyncio.get_running_loop().time() < until:  # noqa: ASYNC110
            await asyncio.sleep(LOOK_SECONDS)
