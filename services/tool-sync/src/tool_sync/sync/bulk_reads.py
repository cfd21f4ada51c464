"""Reads of Vapi off the path of saves: as bulk, no faster than a pace. What they find is told to the org's stream."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from typing import TypeVar
from uuid import UUID

from tool_sync.domain.events import OrgEvent
from tool_sync.sync.asking import KeyHeld, Turn, ask
from tool_sync.sync.context import Context
from tool_sync.vapi.accounts import Account, Unusable

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class BulkReads:
    """``source`` names the teller in the log. ``stopping``: the process ends, so that nothing more is asked."""

    context: Context
    source: str
    per_second: float
    stopping: Callable[[], bool]

    async def of(self, org_id: UUID) -> "BulkReads":
        """The same in the account of one clinic. Raises `KeyHeld` where nothing may be sent for it."""
        context = await self.context.of(org_id)
        if isinstance(context, Unusable):
            raise KeyHeld(await self.context.accounts.wait_for(context, self.context.clock.now()))
        return replace(self, context=context)

    def at(self, own: Account) -> "BulkReads":
        """The same in an account of a clinic's own."""
        return replace(self, context=self.context.at(own))

    async def ask(self, call: Callable[[], Awaitable[T]]) -> T:
        """One read. Raises `KeyHeld`, also where the process ends, and :class:`VapiFailure`."""
        await asyncio.sleep(1 / self.per_second)
        if self.stopping():
            raise KeyHeld(self.context.clock.now())
        return await ask(self.context, call, Turn("bulk"))

    async def tell(self, org_id: UUID, event: OrgEvent) -> None:
        """Append what was found to the org's stream."""
        await self.context.log.append(self.context.fact(org_id, event, source=self.source))
