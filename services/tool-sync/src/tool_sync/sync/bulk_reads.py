"""Reads of Vapi off the path of saves: as bulk, no faster than a pace. What they find is told to the org's stream."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TypeVar
from uuid import UUID

from tool_sync.domain.events import OrgEvent
from tool_sync.log import fact, org_stream
from tool_sync.sync.asking import KeyHeld, Turn, ask
from tool_sync.sync.context import Context

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class BulkReads:
    """``source`` names the teller in the log. ``stopping``: the process ends, so that nothing more is asked."""

    context: Context
    source: str
    per_second: float
    stopping: Callable[[], bool]

    async def ask(self, call: Callable[[], Awaitable[T]]) -> T:
        """One read. Raises `KeyHeld`, also where the process ends, and :class:`VapiFailure`."""
        await asyncio.sleep(1 / self.per_second)
        if self.stopping():
            raise KeyHeld(self.context.clock.now())
        return await ask(self.context, call, Turn("bulk"))

    async def tell(self, org_id: UUID, event: OrgEvent) -> None:
        """Append what was found to the org's stream."""
        await self.context.log.append(
            fact(
                org_stream(org_id),
                org_id,
                event,
                source=self.source,
                cause=str(self.context.new_id()),
                actor="tool-sync",
                service_version=self.context.service_version,
            )
        )
