"""The loop that deletes what Vapi said once it is 30 days old."""

import asyncio
from dataclasses import dataclass, field
from typing import Final

import structlog

from tool_sync import db
from tool_sync.db import Pool
from tool_sync.vapi.words import forget_words

LOOK_SECONDS: Final = 3600.0

log = structlog.get_logger(__name__)


@dataclass(slots=True)
class Forgetting:
    """Any number of processes may run one."""

    pool: Pool
    _stopping: asyncio.Event = field(default_factory=asyncio.Event)

    async def run_once(self) -> int:
        """Delete what is too old; returns how many. Raises what the database raises."""
        return await forget_words(self.pool)

    async def run_forever(self) -> None:
        """Delete until :meth:`stop`; while the database is away, an hour later."""
        while not self._stopping.is_set():
            try:
                await self.run_once()
            except db.TRANSIENT_ERRORS as error:
                log.debug("Vapi's words: nothing was deleted", reason=type(error).__name__)
            try:
                async with asyncio.timeout(LOOK_SECONDS):
                    await self._stopping.wait()
            except TimeoutError:
                continue

    def stop(self) -> None:
        """End :meth:`run_forever`."""
        self._stopping.set()
