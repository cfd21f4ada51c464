"""Clinics word their tools, while versions that leave other parts open are ordered, taken back and pinned.

nothing open ► everything open ··· words, other words, off and on ► half open ··· a pin, too long a suffix ► back
             ► nothing open    ··· the words wait, a setting is deleted
             ► half open, everything open ··· texts are lost and set anew, a setting is deleted, a clinic goes

At half seconds, as the feeder looks at whole ones: what is set then is set beside writes that are under way.
"""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

from tool_sync.domain.events import BlueprintPublished, RolloutStage

from .clinic import Agent, Clinic
from .database import time_of
from .loop import sleep_until
from .orders import ALL, Orders
from .people import People
from .process import outside
from .releases import HALF_OPEN, NEWER, OLD, OPEN, published
from .words import Words

TOOL: Final = OLD.definitions[0].name
LONG: Final = "and so on " * 12
"""Behind a description that leaves no room for it, that is."""
Config = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class OwnWords:
    """Those who act in it."""

    clinic: Clinic
    orders: Orders
    people: People
    words: Words

    async def live(self, first: Agent) -> None:
        """Three clinics; two begin with the same greeting. One of them is deleted at the end."""
        second, third = (self.clinic.agent(self.clinic.organization(n), f"desk-{n}") for n in (2, 3))
        mine, other, gone = first.org_id, second.org_id, third.org_id
        for agent in (first, second, third):
            await self.clinic.save(agent)
        await sleep_until(3.5)
        await self._put(mine, suffix="first: too early")  # nothing is open yet
        self._order(OPEN)
        await sleep_until(5.5)
        for org_id in (mine, other, gone):
            self._put_aside(org_id, suffix=f"{org_id}: ask", say=f"{org_id}: one moment", greeting="Moin")
        await sleep_until(5.6)
        self._put_aside(mine, suffix=f"{mine}: ask again", greeting="Moin")
        await self.clinic.save(first)
        await sleep_until(7.0)
        await asyncio.gather(
            self._put(other, suffix=f"{other}: ask {LONG}"), self.words.put(gone, TOOL, None, enabled=False)
        )
        await self.words.put(gone, TOOL, None)
        half = self.orders.start(TOOL, self.orders.publish_version(HALF_OPEN), (_only(mine), ALL))
        await sleep_until(9.5)
        self._pin(mine, OPEN, 3.0)
        self.orders.open_next(self.orders.order(half))
        await sleep_until(10.5)
        await self._put(gone, say=f"{gone}: a moment, please")
        await self.clinic.save(second)
        await sleep_until(14.5)
        self.orders.roll_back(self.orders.order(half))
        self._put_aside(mine, suffix=f"{mine}: at last", say=f"{mine}: soon")
        await sleep_until(16.5)
        self._order(published(NEWER, TOOL))
        await sleep_until(18.5)
        await self._put(mine, suffix=f"{mine}: too late")  # of these none is open any more
        await asyncio.gather(self.words.delete(other, TOOL), self.words.put(gone, TOOL, {}))
        self._order(OPEN)
        await sleep_until(21.5)  # by now nobody sends any more what was read before that
        for org_id in (other, gone):
            await self._put(org_id, suffix=f"{org_id}: anew", greeting=f"{org_id}: good day")
        await sleep_until(22.5)
        await self._put(mine, suffix=f"{mine}: for once", greeting="Moin")
        self.words.lose(other)
        self._order(HALF_OPEN)
        await sleep_until(23.1)  # whoever has looked for the texts may not have said yet that they are lost
        await self._put(other, suffix=f"{other}: anew")
        self._order(OPEN)
        await sleep_until(24.5)
        await self.words.delete(mine, TOOL)
        self._put_aside(gone, suffix=f"{gone}: never")
        self.clinic.close(gone)
        await sleep_until(27.5)

    def _put_aside(self, org_id: UUID, **parts: str) -> None:
        outside(self._put(org_id, **parts))

    async def _put(self, org_id: UUID, *, suffix: str = "", say: str = "", greeting: str = "") -> None:
        """These parts and no others."""
        config: dict[str, Any] = {"description_suffix": suffix} if suffix else {}
        if say:
            config["messages"] = [{"type": "request-start", "content": say}]
        if greeting:
            config["static_parameters"] = {"greeting": greeting}
        await self.words.put(org_id, TOOL, config)

    def _order(self, version: BlueprintPublished) -> None:
        """For all, and that is done."""
        rollout_id = self.orders.start(TOOL, self.orders.publish_version(version), (ALL,))
        self.orders.complete(self.orders.order(rollout_id))

    def _pin(self, org_id: UUID, version: BlueprintPublished, seconds: float) -> None:
        self.people.pin(org_id, version, time_of(asyncio.get_running_loop().time() + seconds))


def _only(org_id: UUID) -> RolloutStage:
    return RolloutStage("one", orgs=(str(org_id),))
