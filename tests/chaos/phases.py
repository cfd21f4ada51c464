"""What is measured before the nemesis comes: healthy, with Vapi failing half of the time, without any tool-sync."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tests.chaos.client import Answer
from tests.chaos.desk import Desk
from tests.chaos.load import Load
from tests.chaos.quiet import come_to_rest
from tests.chaos.world import World
from tests.checker.collect import Sources, collect
from tests.checker.dump import Dump
from tests.checker.history import History
from tests.checker.rules import load as calls

HEALTHY_SECONDS: Final = 20.0
DOWN_SECONDS: Final = 20.0
FLAP_SECONDS: Final = 3.0
FLAPS: Final = 4
REST_SECONDS_MAX: Final = 90.0


@dataclass(frozen=True, slots=True)
class Phase:
    """A stretch of the run under one condition. `amplification`: Vapi calls per needed one, where it was counted."""

    name: str
    saves: int
    not_served: int
    p50_ms: float
    p99_ms: float
    amplification: float | None
    left: dict[str, int]
    """What was still open when it should have come to rest."""


@dataclass(slots=True)
class Phases:
    """Runs the phases one after the other; each comes to rest before it is counted."""

    world: World
    load: Load
    desk: Desk
    sources: Sources
    folder: Path
    answers: list[Answer]
    _calls: int = 0
    _needed: int = 0

    async def all(self) -> list[Phase]:
        """The three phases."""
        return [
            await self._phase("healthy", lambda: asyncio.sleep(HEALTHY_SECONDS)),
            await self._phase("Vapi refuses all, half of the time", self._flap),
            await self._phase("no tool-sync", self._without_tool_sync, counted=False),
        ]

    async def _phase(self, name: str, condition: Callable[[], Awaitable[None]], *, counted: bool = True) -> Phase:
        began, first = time.time(), len(self.answers)
        async with self.load.coming():
            await condition()
            ended = time.time()
        answers = [answer for answer in self.answers[first:] if began <= answer.started < ended]
        left = await come_to_rest(self.world, REST_SECONDS_MAX) if counted else {}
        amplification = await self._amplification(name) if counted else None
        served = sorted(answer.seconds for answer in answers if answer.state == "ok")
        return Phase(
            name=name,
            saves=len(served),
            not_served=sum(answer.status is None or answer.status >= 500 for answer in answers),
            p50_ms=percentile(served, 0.5) * 1000,
            p99_ms=percentile(served, 0.99) * 1000,
            amplification=amplification,
            left=left,
        )

    async def _flap(self) -> None:
        for _ in range(FLAPS):
            await self.desk.put("flapping", ["*"], {"kind": "status", "status": 503})
            await asyncio.sleep(FLAP_SECONDS)
            await self.desk.take("flapping")
            await asyncio.sleep(FLAP_SECONDS)

    async def _without_tool_sync(self) -> None:
        replicas = self.world.of("tool_sync")
        for replica in replicas:
            replica.held = True
        await asyncio.gather(*(replica.child.kill() for replica in replicas if replica.child is not None))
        try:
            await asyncio.sleep(DOWN_SECONDS)
        finally:
            for replica in replicas:
                replica.held = False

    async def _amplification(self, name: str) -> float:
        folder = self.folder / name.replace(" ", "-")
        await collect(folder, self.sources)
        figures = calls.check(History(Dump.read(folder))).figures
        made, needed = figures["Vapi calls"], figures["needed calls"]
        found: float = (made - self._calls) / max(1, needed - self._needed)
        self._calls, self._needed = made, needed
        return round(found, 3)


def percentile(ordered: Sequence[float], share: float) -> float:
    """The value below which this share of ordered values lies; 0 without any."""
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else 0.0
