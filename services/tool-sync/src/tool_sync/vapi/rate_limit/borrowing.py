"""What assistant-api does not need of the key's running minute, for bulk work that waits (ADR 51).

    bulk work had to wait ─► one replica asks, once a minute ─► so many are lent ─► the minute's row ─► all replicas

Nothing is taken that was not given by name: an answer that is lost, late or not understood lends nothing. What was lent
and is not known here is lost with its minute; no minute has more than the key's limit because of it. The platform's key
alone borrows: of a clinic's own each service has its share (ADR 76).
"""

from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Final

import structlog

from tool_sync import db
from tool_sync.vapi.rate_limit.durations import minute_of
from tool_sync.vapi.rate_limit.table import KeyTable
from tool_sync.vapi.rate_limit.tokens import Tokens
from zerotouch_platform.loops import Loop

Lend = Callable[[int, int], Awaitable[int]]
"""``(minute since 1970, requests that could be used) -> those that are lent``; 0 where nobody says so."""

LOOK_SECONDS: Final = 0.5

log = structlog.get_logger(__name__)


class Borrower:
    """Any number of replicas may run it."""

    def __init__(self, table: KeyTable, tokens: Tokens, lend: Lend, now: Callable[[], datetime]) -> None:
        self._table, self._tokens, self._lend, self._now = table, tokens, lend, now
        self.loop: Final = Loop(
            self.run_once,
            LOOK_SECONDS,
            "Nothing of the key's minute is borrowed",
            db.WAITED_OUT_ERRORS,
            fault="Borrowing of the key's minute failed for a fault of ours",
        )

    async def run_once(self) -> bool:
        """Ask, where bulk work waits and nobody has asked in this minute; True where something was lent."""
        now = self._now()
        minute, wanted = minute_of(now), self._tokens.wants_more(now)
        if not wanted or not await self._table.ask(minute):
            return False
        lent = await self._lend(minute, wanted)
        if not 0 < lent <= wanted:
            return False
        self._tokens.borrow(minute, await self._table.borrow(minute, lent))
        log.debug("Requests were borrowed", minute=minute, requests=lent)
        return True
