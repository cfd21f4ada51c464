"""What ``/livez`` and ``/readyz`` answer from: named checks that say what is wrong, or nothing.

Live: the process can do its work or heals by itself; where not, it must be restarted. Ready: it works right now.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field

Check = Callable[[], Awaitable[str | None]]
"""Returns the problem in words for an operator, or None."""

Note = Callable[[], Awaitable[Sequence[Mapping[str, object]]]]
"""Returns what an operator must know although the process is ready; empty where there is nothing."""


@dataclass(slots=True)
class Health:
    """The checks of a process. They are added while it starts; both questions may be asked at any time.

    ``starting`` is what the start waits for; as long as it is set the process is not ready.
    """

    check_seconds_max: float
    starting: str | None = "the process has just started"
    live: dict[str, Check] = field(default_factory=dict)
    ready: dict[str, Check] = field(default_factory=dict)
    notes: dict[str, Note] = field(default_factory=dict)

    async def live_problems(self) -> dict[str, str]:
        """The failing checks of liveness by name; empty where the process is live."""
        return await self._failing(self.live)

    async def ready_problems(self) -> dict[str, str]:
        """The failing checks of readiness by name, those of liveness included; empty where the process is ready."""
        problems = await self._failing({**self.live, **self.ready})
        return {"start": self.starting, **problems} if self.starting else problems

    async def ready_notes(self) -> dict[str, Sequence[Mapping[str, object]]]:
        """What holds work up although the process itself is ready, by name. A note that does not come is left out."""
        answers = await asyncio.gather(*(self._note(note) for note in self.notes.values()))
        return {name: answer for name, answer in zip(self.notes, answers, strict=True) if answer}

    async def _note(self, note: Note) -> Sequence[Mapping[str, object]]:
        try:
            async with asyncio.timeout(self.check_seconds_max):
                return await note()
        except TimeoutError:
            return ()

    async def _failing(self, checks: Mapping[str, Check]) -> dict[str, str]:
        answers = await asyncio.gather(*(self._ask(check) for check in checks.values()))
        return {name: answer for name, answer in zip(checks, answers, strict=True) if answer is not None}

    async def _ask(self, check: Check) -> str | None:
        try:
            async with asyncio.timeout(self.check_seconds_max):
                return await check()
        except TimeoutError:
            return f"does not answer within {self.check_seconds_max:g} s"
