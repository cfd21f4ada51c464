"""What was seen of clinics just now, for a page that strangers load: it costs one connection of a process at a time."""

import asyncio
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from typing import Final
from uuid import UUID

from tool_sync.http.problems import Problem
from tool_sync.queries.status_shown import StatusShown
from zerotouch_contracts.errors import ErrorCode

KEPT_SECONDS: Final = 5.0
"""So old what is shown may be: the visitors of a site ask at once, and a look costs some twenty statements."""
WAIT_SECONDS_MAX: Final = 3.0
KEPT_MAX: Final = 200
"""Clinics."""

Look = Callable[[], Awaitable[StatusShown | None]]


class Glances:
    """``clock`` is monotonic, in seconds."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock, self._looking = clock, asyncio.Lock()
        self._kept: OrderedDict[UUID, tuple[float, StatusShown | None]] = OrderedDict()

    async def of(self, org_id: UUID, look: Look) -> StatusShown | None:
        """What was seen a moment ago, or what ``look`` sees. Raises a 503 problem where others look for too long."""
        if (kept := self._fresh(org_id)) is not None:
            return kept[1]
        try:
            async with asyncio.timeout(WAIT_SECONDS_MAX):
                await self._looking.acquire()
        except TimeoutError as error:
            raise Problem(503, ErrorCode.NOT_READY) from error
        try:
            return kept[1] if (kept := self._fresh(org_id)) is not None else await self._look(org_id, look)
        finally:
            self._looking.release()

    async def _look(self, org_id: UUID, look: Look) -> StatusShown | None:
        began_at, shown = self._clock(), await look()
        self._kept[org_id] = began_at, shown
        self._kept.move_to_end(org_id)
        while len(self._kept) > KEPT_MAX:
            self._kept.popitem(last=False)
        return shown

    def _fresh(self, org_id: UUID) -> tuple[float, StatusShown | None] | None:
        kept = self._kept.get(org_id)
        return kept if kept is not None and self._clock() - kept[0] <= KEPT_SECONDS else None
