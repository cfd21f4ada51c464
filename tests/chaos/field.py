"""What a fault has in its hands: the world, seeded dice, the ledger, and a place for what was measured."""

import asyncio
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from random import Random
from typing import Any, Final, TypeAlias

from tests.chaos.desk import Desk
from tests.chaos.outcomes import Outcomes
from tests.chaos.replica import Replica
from tests.chaos.world import World
from tests.checker.ledger import Ledger
from tests.support.eventually import until

from devstack.databases import Service

RECOVERY_SECONDS_MAX: Final = 60.0
BEFORE_SECONDS: Final = 3.0
"""What was broken so short a time before may still be felt."""
RUNNING_SECONDS_MAX: Final = 30.0


@dataclass(frozen=True, slots=True)
class Recovery:
    """How long the first outcome took after something was there again; None: too long to wait for.

    `alone`: no other fault was under way, so the time is the system's own.
    """

    what: str
    at: float
    seconds: float | None
    alone: bool


@dataclass(slots=True)
class Field:
    """Shared by all faults of a run. A thing that can be broken only once at a time has a lock under its name."""

    world: World
    dice: Random
    ledger: Ledger
    desk: Desk
    outcomes: Outcomes
    recoveries: list[Recovery] = field(default_factory=list)
    fired: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    windows: list[tuple[str, float, float]] = field(default_factory=list)
    under_way: set[tuple[str, float]] = field(default_factory=set)
    locks: dict[str, asyncio.Lock] = field(default_factory=lambda: defaultdict(asyncio.Lock))
    measuring: set[asyncio.Task[None]] = field(default_factory=set)

    def note(self, fault_class: str, target: str, *, pause: bool = False, **more: Any) -> None:
        """A fault takes place now."""
        self.fired[fault_class] += 1
        self.ledger.fault(fault_class, target, pause=pause, **more)

    @asynccontextmanager
    async def window(self, name: str) -> AsyncIterator[None]:
        """The time in which a fault may be felt."""
        began = time.time()
        self.under_way.add((name, began))
        try:
            yield
        finally:
            self.under_way.remove((name, began))
            self.windows.append((name, began, time.time()))

    @asynccontextmanager
    async def replica(self, service: Service | None = None) -> AsyncIterator[Replica]:
        """A replica that runs and that no other fault holds."""
        choice = self.world.replicas if service is None else self.world.of(service)
        replica = self.dice.choice(choice)
        async with self.locks[replica.name]:

            async def runs() -> bool:
                return replica.running

            await until(runs, RUNNING_SECONDS_MAX)
            yield replica

    def measure(self, what: str, moment: float, *, fault_class: str) -> None:
        """Look in the background how soon the first outcome comes after a moment, which a fault of this class made."""
        task = asyncio.create_task(self._measure(what, moment, fault_class))
        self.measuring.add(task)
        task.add_done_callback(self.measuring.discard)

    async def _measure(self, what: str, moment: float, fault_class: str) -> None:
        seconds = await self.outcomes.first_after(moment, RECOVERY_SECONDS_MAX)
        end = moment + (RECOVERY_SECONDS_MAX if seconds is None else seconds)
        windows = [*self.windows, *((name, began, end) for name, began in self.under_way)]
        others = [name for name, a, b in windows if a < end and b > moment - BEFORE_SECONDS and name != fault_class]
        self.recoveries.append(Recovery(what, moment, seconds, not others))


Act: TypeAlias = Callable[[Field], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Fault:
    """A class of faults: its name in the ledger, and what injects one. It returns when the fault is over.

    `times_max`: how often it may come in a run; None: as often as there is time for.
    """

    name: str
    act: Act
    times_max: int | None = None
