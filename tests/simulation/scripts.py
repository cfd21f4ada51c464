"""What happens where nothing is left to chance: the same for every point at which a worker dies or sleeps."""

import asyncio
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from tool_sync.domain.events import BlueprintPublished, RolloutStage
from zerotouch_contracts.events import SaveCause

from . import process
from .clinic import Agent, Clinic
from .creations import Creations
from .database import time_of
from .faults import Script
from .loop import sleep_until
from .lost_orders import LostOrders
from .orders import ALL, Orders
from .own_words import OwnWords
from .people import ELSEWHERE, REWORDED, People
from .releases import MOVED, NEWER, OLD
from .rest import Rest
from .restore import Restore
from .vapi import Server
from .words import Words

TOOL_NAME: Final = OLD.definitions[0].name
LATER_NAME: Final = OLD.definitions[1].name
TROUBLE_SECONDS: Final = 60.0
QUIET_TRIES: Final = 60


@dataclass(frozen=True, slots=True)
class Scripts:
    """Those who act in them."""

    clinic: Clinic
    creations: Creations
    orders: Orders
    people: People
    server: Server
    rest: Rest
    restore: Restore
    words: Words

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
            case "a gated rollout":
                await self._a_gated_rollout(first)
            case "creations":
                await self._creations(first)
            case "pins":
                await self._pins(first)
            case "a change window":
                await self._a_change_window(first)
            case "reported drift":
                await self._reported_drift(first)
            case "lost orders":
                await LostOrders(self.clinic, self.orders, self.server, self.rest, self.restore).live(first)
            case "own words":
                await OwnWords(self.clinic, self.orders, self.people, self.words).live(first)

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
        await sleep_until(3.5)
        staged = (RolloutStage("one", orgs=(str(second.org_id),)), ALL)
        order = orders.start(TOOL_NAME, orders.publish(NEWER, TOOL_NAME), staged)
        await self.clinic.save(first)
        await sleep_until(5.5)
        orders.pause(orders.order(order))
        orders.resume(orders.order(order))
        orders.open_next(orders.order(order))
        await sleep_until(6.5)
        await self.clinic.save(self.clinic.agent(self.clinic.organization(3), "later"))
        await self._for_a_while(7.5, 8.5)
        await self._for_a_while(9.5, 30.5)
        orders.complete(orders.order(order))
        await self.clinic.save(first)
        for on, until in ((True, 45.5), (False, 55.5)):
            await sleep_until(until)
            orders.halt(TOOL_NAME, on=on)
        await self._for_a_while(65.5, 66.5)
        await sleep_until(75.5)

    async def _pins(self, first: Agent) -> None:
        """Clinics stay at a version that is ordered otherwise: until a time, until they are unpinned, beside a halt and
        while the version's number is published for something else. At half seconds, as above."""
        orders = self.orders
        second, third = (self.clinic.agent(self.clinic.organization(n), f"desk-{n}") for n in (2, 3))
        for agent in (first, second, third):
            await self.clinic.save(agent)
        await sleep_until(3.5)
        old = orders.book.versions[TOOL_NAME, OLD.definitions[0].version]
        self._pin(first, old, 16.0)
        await sleep_until(4.5)
        order = orders.start(TOOL_NAME, orders.publish(NEWER, TOOL_NAME), (ALL,))
        await self.clinic.save(first)
        await sleep_until(6.0)
        self._pin(third, old, 3600.0)
        await sleep_until(6.5)
        orders.complete(orders.order(order))
        self._pin(second, old, 1.5)
        await sleep_until(8.5)
        orders.halt(TOOL_NAME, on=True)
        await self.clinic.save(second)
        await sleep_until(9.0)
        self._pin(second, old, 2.5)  # and after that gets the newer one again
        await sleep_until(9.5)
        orders.halt(TOOL_NAME, on=False)
        orders.publish(MOVED, TOOL_NAME)
        for on, until in ((True, 12.5), (False, 13.5)):  # whoever slept since its order would undo what this decides
            await sleep_until(until)
            orders.halt(TOOL_NAME, on=on)
        self._pin(second, old, 3.0)
        await sleep_until(17.0)  # whoever slept since this one ended would end the next
        self._pin(second, old, 60.0)
        await sleep_until(20.5)
        orders.roll_back(orders.order(order))  # what gives the old version again holds what its number stood for
        await sleep_until(23.5)
        self.people.unpin(second.org_id, TOOL_NAME)
        await sleep_until(25.5)
        self._pin(first, orders.book.versions[TOOL_NAME, NEWER.definitions[0].version], 3600.0)
        await sleep_until(27.5)

    def _pin(self, agent: Agent, version: BlueprintPublished, seconds: float) -> None:
        until = time_of(asyncio.get_running_loop().time() + seconds)
        self.people.pin(agent.org_id, version, until)

    async def _a_gated_rollout(self, first: Agent) -> None:
        """A version is ordered for all, and waits before its first stage while they go on working; then it opens."""
        orders, second = self.orders, self.clinic.agent(self.clinic.organization(2), "night-line")
        await self.clinic.save(first)
        await sleep_until(3.5)
        order = orders.start(TOOL_NAME, orders.publish(NEWER, TOOL_NAME), (ALL,), gated=True)
        for agent in (first, second):
            await self.clinic.save(agent)
        await sleep_until(9.5)
        orders.open_next(orders.order(order))
        await sleep_until(30.5)
        orders.complete(orders.order(order))
        await sleep_until(40.5)

    async def _a_change_window(self, first: Agent) -> None:
        """A clinic keeps to its hours, which end after a minute and begin again after five; another one has none.

        What is ordered just before they end may come or not. While they are closed it signs nothing up, loses nothing,
        and gets back what it switched off, or what somebody deleted at Vapi.
        """
        orders, org_id = self.orders, first.org_id
        other = self.clinic.agent(self.clinic.organization(2), "night-line")
        self._all(orders.start(LATER_NAME, None, (ALL,)))
        for agent in (first, other):
            self.clinic.change_tier(agent.org_id, "professional")
            await self.clinic.save(agent)
        self.people.keep_to(org_id, "23:01", "00:01")
        await sleep_until(5.5)
        self._all(orders.start(TOOL_NAME, orders.publish(NEWER, TOOL_NAME), (ALL,)))
        await sleep_until(58.5)
        self._all(orders.start(TOOL_NAME, orders.publish(MOVED, TOOL_NAME), (ALL,)))
        await sleep_until(75.5)
        self.people.keep_to(org_id, "00:05", "01:05")
        await sleep_until(85.5)
        newest = orders.start(TOOL_NAME, orders.publish(OLD, TOOL_NAME), (ALL,))
        self._all(newest)
        self._all(orders.start(LATER_NAME, orders.publish(OLD, LATER_NAME), (ALL,)))
        await sleep_until(95.5)
        for on in (False, True):
            self.people.switch(org_id, TOOL_NAME, on=on)
            await asyncio.sleep(15.0)
        gone = self.rest.state_of(org_id).tools.get(TOOL_NAME)
        if gone is not None and len(self.server.live_tools(org_id, TOOL_NAME)) == 1:
            self.server.tools.pop(gone.vapi_tool_id, None)
            self.people.audit(org_id, self.rest.state_of(org_id), ())
        await sleep_until(150.5)
        await self.clinic.save(self.clinic.agent(org_id, "another"))
        orders.roll_back(orders.order(newest))
        await sleep_until(160.5)
        orders.halt(TOOL_NAME, on=True)
        await sleep_until(175.5)
        orders.halt(TOOL_NAME, on=False)
        self._all(orders.start(TOOL_NAME, orders.publish(OLD, TOOL_NAME), (ALL,)))
        await sleep_until(200.5)
        fourth = self.clinic.agent(self.clinic.organization(4), "shut")
        self.people.keep_to(fourth.org_id, "00:20", "01:20")
        await self.clinic.save(fourth)
        await sleep_until(500.5)
        self._is_as_ordered()
        self._all(orders.start(LATER_NAME, None, (ALL,)))
        await sleep_until(600.5)
        self.people.keep_to(org_id, "00:20", "01:20")
        await sleep_until(610.5)
        self._all(orders.start(LATER_NAME, orders.publish(OLD, LATER_NAME), (ALL,)))
        await self.clinic.save(self.clinic.agent(self.clinic.organization(3), "later"))
        self._all(orders.start(TOOL_NAME, None, (ALL,)))
        await sleep_until(1400.5)
        self._is_as_ordered()

    def _is_as_ordered(self) -> None:
        """Every clinic's window has been open for minutes, or it waits for nothing."""
        for org_id in self.rest.orgs():
            if differs := self.rest.differs(org_id):
                self.rest.violated(f"it has waited long enough: {differs}")

    def _all(self, rollout_id: str) -> None:
        self.orders.complete(self.orders.order(rollout_id))

    async def _for_a_while(self, begin: float, end: float) -> None:
        """Something is ordered for all, and taken back."""
        await sleep_until(begin)
        other = self.orders.start(TOOL_NAME, self.orders.publish(MOVED, TOOL_NAME), (ALL,))
        await sleep_until(end)
        self.orders.roll_back(self.orders.order(other))

    async def _reported_drift(self, first: Agent) -> None:
        """Words of one clinic's tool are changed, and the server of another's, while drift is only reported: the words
        stay through a save, and are put right once that is the policy again. Then words are changed, and stay."""
        orders, people, other = self.orders, self.people, self.clinic.agent(self.clinic.organization(2), "night-line")
        for agent in (first, other):
            await self.clinic.save(agent)
        await sleep_until(9.5)
        orders.report_drift(TOOL_NAME, on=True)
        people.reword(first.org_id)
        people.redirect(other.org_id)
        self._audit(first.org_id, other.org_id)
        await sleep_until(20.5)
        self._audit(first.org_id, other.org_id)
        await self.clinic.save(first)
        await self._until_right(30.5, ELSEWHERE, first.org_id, other.org_id)
        orders.report_drift(TOOL_NAME, on=False)
        await self._until_right(45.5, REWORDED, first.org_id, other.org_id)
        orders.report_drift(TOOL_NAME, on=True)
        people.reword(other.org_id)
        self._audit(first.org_id, other.org_id)
        await sleep_until(60.5)

    async def _until_right(self, seconds: float, said: str, *org_ids: UUID) -> None:
        """Until then, and longer where somebody died or sleeps; by then no tool says this any more."""
        await sleep_until(seconds)
        for _ in range(QUIET_TRIES):
            if not self.rest.unfinished() and not self.server.says(said):
                break
            await asyncio.sleep(5.0)
            self._audit(*org_ids)
        self.rest.check(asyncio.get_running_loop().time(), alone=True)

    def _audit(self, *org_ids: UUID) -> None:
        for org_id in org_ids:
            self.people.audit(org_id, self.rest.state_of(org_id), ())

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
