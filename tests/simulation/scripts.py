"""What happens where nothing is left to chance: the same for every point at which a worker dies or sleeps."""

import asyncio
from dataclasses import dataclass
from typing import Final

from tool_sync.domain.events import RolloutStage
from zerotouch_contracts.events import SaveCause

from . import process
from .clinic import Agent, Clinic
from .creations import Creations
from .faults import Script
from .orders import ALL, Orders
from .releases import MOVED, NEWER, OLD
from .rest import Rest
from .vapi import Server

TOOL_NAME: Final = OLD.definitions[0].name
TROUBLE_SECONDS: Final = 60.0


@dataclass(frozen=True, slots=True)
class Scripts:
    """Those who act in them."""

    clinic: Clinic
    creations: Creations
    orders: Orders
    server: Server
    rest: Rest

    async def live(self, script: Script) -> None:
        """One of them, from its beginning to its end."""
        org_id = self.clinic.organization(1)
        first = self.clinic.agent(org_id, "front-desk")
        match script:
            case "first save":
                await self.clinic.save(first)
            case "a day":
                await self._a_day(first)
            case "an exchange":
                await self._an_exchange(first, self.clinic.agent(self.clinic.organization(2), "night-line"))
            case "a rollout":
                await self._a_rollout(first)
            case "creations":
                await self._creations(first)

    async def _a_day(self, first: Agent) -> None:
        """A first save, a second while it runs, another agent, a change for the whole org."""
        second = self.clinic.agent(first.org_id, "night-line")
        saves: tuple[tuple[float, Agent, SaveCause], ...] = (
            (0.1, first, "save"),
            (0.1, first, "save"),
            (0.2, second, "auto_sync"),
            (8.0, first, "save"),
        )
        for seconds, agent, cause in saves:
            await asyncio.sleep(seconds)
            await self.clinic.save(agent, cause)
        self.clinic.change_tier(first.org_id, "professional")
        await asyncio.sleep(TROUBLE_SECONDS)

    async def _an_exchange(self, first: Agent, second: Agent) -> None:
        """Two clinics give each other their assistants while one of them has work, and take them back."""
        for agent in (first, second):
            await self.clinic.save(agent)
        await asyncio.sleep(3.0)
        for seconds in (12.0, 21.0):
            swap = process.outside(self.clinic.exchange(first, second))
            await asyncio.sleep(seconds)
            self.clinic.change_tier(first.org_id, "professional")
            await swap
            await asyncio.sleep(2.0)

    async def _a_rollout(self, first: Agent) -> None:
        """A version is ordered for another clinic, then for all; others are ordered and taken back; then none works.

        At half seconds, as the feeder looks at whole ones: so a run that stands still for less than a second begins by
        one order and ends by the next.
        """
        orders, second = self.orders, self.clinic.agent(self.clinic.organization(2), "night-line")
        for agent in (first, second):
            await self.clinic.save(agent)
        await _until(3.5)
        staged = (RolloutStage("one", orgs=(str(second.org_id),)), ALL)
        order = orders.start(TOOL_NAME, orders.publish(NEWER, TOOL_NAME), staged)
        await self.clinic.save(first)
        await _until(5.5)
        orders.pause(orders.order(order))
        orders.resume(orders.order(order))
        orders.open_next(orders.order(order))
        await _until(6.5)
        await self.clinic.save(self.clinic.agent(self.clinic.organization(3), "later"))
        await self._for_a_while(7.5, 8.5)
        await self._for_a_while(9.5, 30.5)
        orders.complete(orders.order(order))
        await self.clinic.save(first)
        for on, until in ((True, 45.5), (False, 55.5)):
            await _until(until)
            orders.halt(TOOL_NAME, on=on)
        await self._for_a_while(65.5, 66.5)
        await _until(75.5)

    async def _for_a_while(self, begin: float, end: float) -> None:
        """Something is ordered for all, and taken back."""
        await _until(begin)
        other = self.orders.start(TOOL_NAME, self.orders.publish(MOVED, TOOL_NAME), (ALL,))
        await _until(end)
        self.orders.roll_back(self.orders.order(other))

    async def _creations(self, first: Agent) -> None:
        """Assistants are made with known tools: at once, by senders that sleep until these are about to be deleted or
        are gone, and after that by one that does not sleep."""
        second, third = (self.clinic.agent(self.clinic.organization(n), f"desk-{n}") for n in (2, 3))
        for agent in (first, second, third):
            await self.clinic.save(agent)
        await asyncio.sleep(5.0)
        make, grace = self.creations.make, self.creations.grace_seconds
        await make(first.org_id, "at-once")
        asleep = [
            process.outside(make(first.org_id, "until-listed", self.server.until_listed)),
            process.outside(make(third.org_id, "until-gone", lambda: asyncio.sleep(grace + 60.0))),
        ]
        await asyncio.sleep(2.0)
        for agent in self.rest.agents(first.org_id):
            self.clinic.remove(agent)
        await asyncio.sleep(20.0)
        for agent in (second, third):
            self.clinic.remove(agent)
        self.server.list_seconds = 5.0
        await asyncio.sleep(grace + 40.0)
        await make(second.org_id, "afterwards")
        await asyncio.gather(*asleep)
        await asyncio.sleep(30.0)


async def _until(seconds: float) -> None:
    """Until then, or now where that has passed."""
    await asyncio.sleep(max(0.0, seconds - asyncio.get_running_loop().time()))
