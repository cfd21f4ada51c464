"""The loop: claims what is due, a few at a time, and waits for a wake-up or its next look."""

import asyncio
from collections.abc import Callable, Sequence
from typing import Final

import structlog

from assistant_api.db import TRANSIENT_ERRORS, Database, DatabaseUnavailable, describe
from assistant_api.removals.step import RemovalSteps
from assistant_api.removals.store import Removal, claim
from assistant_api.settings import Settings
from assistant_api.wake import Wake

_log: Final = structlog.get_logger()


class Remover:
    """Runs removals, at most `removal_concurrency_max` at a time: they never take much of what saves need."""

    def __init__(
        self,
        steps: RemovalSteps,
        database: Database,
        settings: Settings,
        stands_aside: Callable[[], bool] = lambda: False,
    ) -> None:
        self._steps, self._database, self._settings = steps, database, settings
        self._stands_aside = stands_aside
        self._running: set[asyncio.Task[None]] = set()
        self._stopping = False
        self.wake: Final = Wake()

    async def run_once(self) -> int:
        """Claim what is due and run a step for each, to their ends; how many."""
        if self._stands_aside():
            return 0
        async with self._database.connection() as connection:

            async def take(limit: int) -> Sequence[Removal]:
                return await claim(
                    connection,
                    limit=limit,
                    lease_seconds=self._settings.removal_lease_seconds,
                    settle_seconds=self._settings.settle_seconds,
                )

            limit = self._settings.removal_concurrency_max
            removals = await self._steps.vapi.key.claim(connection, limit, take)
        self._running = {asyncio.create_task(self._step(removal), name="remove") for removal in removals}
        if self._running:
            await asyncio.wait(self._running)
        return len(removals)

    async def run_forever(self) -> None:
        """Run until :meth:`stop`. A database that is away is waited for."""
        while not self._stopping:
            try:
                claimed = await self.run_once()
            except (DatabaseUnavailable, *TRANSIENT_ERRORS) as error:
                _log.warning("remover_waits", reason=describe(error))
                claimed = 0
            if not claimed:
                await self.wake.wait(self._settings.removal_poll_seconds)

    async def stop(self, timeout_seconds: float) -> None:
        """Take nothing more and let the steps end; one that is cut off is done again, which changes nothing."""
        self._stopping = True
        self.wake()
        if self._running:
            _, late = await asyncio.wait(self._running, timeout=timeout_seconds)
            for task in late:
                task.cancel()

    async def _step(self, removal: Removal) -> None:
        try:
            await self._steps.run(removal)
        except (DatabaseUnavailable, *TRANSIENT_ERRORS) as error:
            _log.warning("removal_interrupted", agent_id=removal.agent_id, reason=describe(error))
        except Exception:
            # One removal's bug must not end the others' work. The lease is the back-off.
            _log.exception("removal_failed", org_id=str(removal.org_id), agent_id=removal.agent_id, alarm=True)
