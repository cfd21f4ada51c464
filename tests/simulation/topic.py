"""`assistants.v1`, and tool-sync's intake of it: what assistant-api said stays, and can be read again.

An event's id is made from its record, so what the log has already is a duplicate and changes nothing.
"""

import asyncio
from random import Random

from tool_sync.log import AppendRequest

from .database import Database

RECORD_SECONDS_MAX = 0.05
"""How long the next record takes where all of them are read again: workers take up what is there meanwhile."""


class Topic:
    """The records in order. Who reads is at the end of it, but while tool-sync is stopped or reads everything again."""

    def __init__(self, database: Database, dice: Random) -> None:
        self._database, self._dice = database, dice
        self._records: list[AppendRequest] = []
        self.is_read = True

    def publish(self, record: AppendRequest) -> None:
        """A record comes; it is in the log at once where somebody reads."""
        self._records.append(record)
        if self.is_read:
            self._take_in(record)

    async def read_again(self) -> None:
        """From the beginning to the end, where new ones are read at once again."""
        position = 0
        while position < len(self._records):
            await asyncio.sleep(RECORD_SECONDS_MAX * self._dice.random())
            self._take_in(self._records[position])
            position += 1
        self.is_read = True

    def _take_in(self, record: AppendRequest) -> None:
        self._database.append(record, asyncio.get_running_loop().time())
