"""The loop: claims what is due, a few at a time, and waits for a wake-up or its next look."""

import asyncio
from collections.abc import Callable, Sequence
from typing import Final

import structlog

from assistant_api.db import DATABASE_AWAY
from assistant_api.removals.step import RemovalSteps
from assistant_api.removals.store import Removal, claim
from assistant_api.vapi.claims import Claims, Clinics
from zerotouch_platform.loops import Wake, in_one_line

_log: Final = structlog.get_logger()


class Remover:
    """Runs removals, at most `removal_concurrency_max` at a time: they never take much of what saves need."""

    def __init__(self, steps: RemovalSteps, claims: Claims, *, writes_suspended: Callable[[], bool]) -> None:
        self._steps, self._database, self._settings = steps, steps.database, steps.settings
        self._claims, self._writes_suspended = claims, writes_suspended
        self._running: set[asyncio.Task[None]] = set()
        self.wake: Final = Wake()

    async def run_once(self) -> int:
        """Claim what is due and run a step for each, to their ends; how many."""
        if self._writes_suspended():
            return 0
        async with self._database.connection() as connection:

            async def take(limit: int, clinics: Clinics) -> Sequence[Removal]:
                return await claim(
                    connection,
                    clinics,
                    limit=limit,
                    lease_seconds=self._settings.removal_lease_seconds,
                    settle_seconds=self._settings.settle_seconds,
                )

            limit = self._settings.removal_concurrency_max
            removals = await self._claims.of(connection, limit, take)
        self._running = {asyncio.create_task(self._step(removal), name="remove") for removal in removals}
        if self._running:
            await asyncio.wait(self._running)
        return len(removals)

    async def cut_off(self) -> None:
        """End the steps that have not ended; what is cut off is done again, which changes nothing."""
        for task in self._running:
            task.cancel()

    async def _step(self, removal: Removal) -> None:
        try:
            await self._steps.run(removal)
        except DATABASE_AWAY as error:
            _log.warning("removal_interrupted", agent_id=removal.agent_id, reason=in_one_line(error))
        except Exception:
            # One removal's bug must not end the others' work. The lease is the back-off.
            _log.exception("removal_failed", org_id=str(removal.org_id), agent_id=removal.agent_id, alarm=True)
