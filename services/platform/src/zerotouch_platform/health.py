"""What ``/livez`` and ``/readyz`` answer from.

Live: the process can do its work or heals by itself; where not, it must be restarted. Ready: it works right now.

    told    what parts say of themselves as it happens: `works`, `fails`
    live    checks that are made when somebody asks: what is wrong, or nothing
    ready   likewise
    notes   what an operator must know although the process is ready

Where several processes serve one port (`siblings`), whoever is asked answers for all of them.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal, TypeVar

import structlog

T = TypeVar("T")

Check = Callable[[], Awaitable[str | None]]
"""Returns the problem in words for an operator, or None."""

Note = Callable[[], Awaitable[object]]
"""Returns what an operator must know; empty where there is nothing."""

OfSiblings = Callable[[Literal["live", "ready"]], Awaitable[dict[str, str]]]
"""Returns what is wrong with the other processes of this port, by name."""

READY_CACHED_SECONDS: Final = 1.0

_log: Final = structlog.get_logger()


async def _nobody(_: Literal["live", "ready"]) -> dict[str, str]:
    return {}


@dataclass(slots=True)
class Health:
    """The health of a process. Checks are added while it starts; every question may be asked at any time.

    ``cached_seconds``: an answer to ``ready`` stands for so long, so that many who ask are no load on the database.
    ``starting`` is what the start waits for; as long as it is set the process is not ready. ``told`` has the parts that
    speak for themselves, in the order in which they are shown, and what is wrong with each to begin with.
    """

    check_seconds_max: float
    starting: str | None = "the process has just started"
    told: dict[str, str | None] = field(default_factory=dict)
    live: dict[str, Check] = field(default_factory=dict)
    ready: dict[str, Check] = field(default_factory=dict)
    notes: dict[str, Note] = field(default_factory=dict)
    of_siblings: OfSiblings = _nobody
    cached_seconds: float = 0.0
    _answers: dict[str, tuple[float, Any]] = field(default_factory=dict, init=False)
    _asking: asyncio.Lock = field(default_factory=asyncio.Lock, init=False)

    def works(self, part: str) -> None:
        """Say that a part works. A change is logged, not every repetition; likewise below."""
        if self.told[part] is not None:
            _log.info("part_ready", part=part)
        self.told[part] = None

    def fails(self, part: str, reason: str) -> None:
        """Say why a part does not work."""
        if self.told[part] != reason:
            _log.warning("part_not_ready", part=part, reason=reason)
        self.told[part] = reason

    def reasons(self) -> dict[str, str]:
        """The parts that do not work as they say, and why."""
        return {part: reason for part, reason in self.told.items() if reason is not None}

    async def live_problems(self) -> dict[str, str]:
        """The failing checks of liveness by name, and siblings that are not live; empty where all are."""
        return await self.own_live_problems() | await self.of_siblings("live")

    async def own_live_problems(self) -> dict[str, str]:
        """The failing checks of liveness by name; empty where the process is live.

        One after another, as they ask nobody: where a loop is busy each task is one turn more of it to wait for.
        """
        found = {name: await self._ask(check, self._late) for name, check in self.live.items()}
        return {name: problem for name, problem in found.items() if problem is not None}

    async def ready_problems(self) -> dict[str, str]:
        """Why the process is not ready, by name, and siblings that are not; empty where all are."""
        return await self._recent("problems", self._ready_problems)

    async def _ready_problems(self) -> dict[str, str]:
        own, siblings = await asyncio.gather(self.own_ready_problems(), self.of_siblings("ready"))
        return own | siblings

    async def own_ready_problems(self) -> dict[str, str]:
        """Why the process is not ready, by name, failing checks of liveness included; empty where it is.

        What a part says of itself is not looked at as well.
        """
        said = {"start": self.starting, **self.reasons()} if self.starting else self.reasons()
        checks = {name: check for name, check in {**self.live, **self.ready}.items() if name not in said}
        return {**said, **await self._failing(checks)}

    async def ready_notes(self) -> dict[str, object]:
        """What holds work up although the process itself is ready, by name. A note that does not come is left out."""
        return await self._recent("notes", self._ready_notes)

    async def _ready_notes(self) -> dict[str, object]:
        answers = await asyncio.gather(*(self._ask(note, None) for note in self.notes.values()))
        return {name: answer for name, answer in zip(self.notes, answers, strict=True) if answer}

    async def _recent(self, of: str, ask: Callable[[], Awaitable[T]]) -> T:
        """What was answered a moment ago, else asked anew: by one for all who ask meanwhile."""
        async with self._asking:
            at, answer = self._answers.get(of, (float("-inf"), None))
            if time.monotonic() - at >= self.cached_seconds:
                answer = await ask()
                self._answers[of] = time.monotonic(), answer
            known: T = answer
            return known

    async def _failing(self, checks: Mapping[str, Check]) -> dict[str, str]:
        answers = await asyncio.gather(*(self._ask(check, self._late) for check in checks.values()))
        return {name: answer for name, answer in zip(checks, answers, strict=True) if answer is not None}

    @property
    def _late(self) -> str | None:
        return f"did not answer within {self.check_seconds_max:g} s"

    async def _ask(self, question: Callable[[], Awaitable[T]], late: T) -> T:
        try:
            async with asyncio.timeout(self.check_seconds_max):
                return await question()
        except TimeoutError:
            return late
