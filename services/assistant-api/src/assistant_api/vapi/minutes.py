"""Requests of UTC minutes, drawn in batches from the rows of all replicas, so that most calls cost no statement.

A request that leaves near the turn of a minute may be counted in either by Vapi, whose clock is not ours: it is taken
from both. So there is no time at which nothing may be sent, and no minute has more than its share.
"""

import asyncio
from collections.abc import Callable
from typing import Final

from assistant_api.db import Database
from assistant_api.settings import Settings

MINUTES_KEPT: Final = 60

_NOW: Final = "SELECT extract(epoch FROM clock_timestamp())::float8"
_DRAW: Final = "SELECT granted, epoch FROM draw_requests_of($1, $2, $3, $4, $5)"
_FORGET: Final = "DELETE FROM key_minutes WHERE key = $1 AND minute < $2::bigint - $3::int"


class Minutes:
    """This process's share. ``rate`` is that of all replicas of this service; ``monotonic`` is in seconds.

    Times go in and come out by the monotonic clock; minutes are those of the database's.
    """

    def __init__(
        self, settings: Settings, database: Database, key: str, rate: int, monotonic: Callable[[], float]
    ) -> None:
        self._settings, self._database, self._key, self._rate = settings, database, key, rate
        self._monotonic = monotonic
        self._ahead: float | None = None
        """What the database's clock is ahead of the monotonic one, as seen last."""
        self._left: dict[tuple[int, bool], int] = {}
        self._dry: set[tuple[int, bool]] = set()
        self._taking = asyncio.Lock()

    async def take(self, *, save: bool) -> tuple[bool, float]:
        """(True, until when the request may be sent), or (False, when to ask again)."""
        guard = self._settings.vapi_rate_guard_seconds
        async with self._taking:
            if self._ahead is None:
                self._told(await self._database_time(), self._monotonic())
            assert self._ahead is not None
            now = self._monotonic() + self._ahead
            minutes = range(_minute(now - guard), _minute(now + guard) + 1)
            for minute in minutes:
                if self._left.get((minute, save), 0) <= 0 and not await self._draw(minute, save, minutes.start):
                    return False, (minute + 1) * 60 + guard - self._ahead
            for minute in minutes:
                self._left[minute, save] -= 1
            return True, minutes.stop * 60 - guard - self._ahead

    async def _draw(self, minute: int, save: bool, first: int) -> bool:
        if (minute, save) in self._dry:
            return False
        settings = self._settings
        kept = 0.0 if save else settings.vapi_rate_saves_share
        wanted = min(settings.vapi_rate_batch, max(1, self._rate // 10))
        async with self._database.connection() as connection:
            row = await connection.fetchrow(_DRAW, self._key, minute, self._rate, kept, wanted)
            answered_at = self._monotonic()
            await connection.execute(_FORGET, self._key, minute, MINUTES_KEPT)
        assert row is not None
        self._told(row["epoch"], answered_at)
        # What is left of a past minute is void.
        self._left = {of: left for of, left in self._left.items() if of[0] >= first}
        self._dry = {of for of in self._dry if of[0] >= first}
        self._left[minute, save] = row["granted"]
        if not row["granted"]:
            self._dry.add((minute, save))
        return bool(row["granted"])

    async def _database_time(self) -> float:
        async with self._database.connection() as connection:
            seconds: float = await connection.fetchval(_NOW)
            return seconds

    def _told(self, epoch: float, at: float) -> None:
        self._ahead = epoch - at


def _minute(epoch: float) -> int:
    return int(epoch // 60)
