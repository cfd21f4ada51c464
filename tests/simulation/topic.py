"""`assistants.v1`, and tool-sync's intake of it: what assistant-api said stays, and can be read again, unless Kafka
lost it.

An event's id is made from its record, so what the log has already is a duplicate and changes nothing. What is gone
before it was read is gone: it gets no outcome, and tool-sync's ledger has to name its place. The ledger is written by
the service's own rules (`zerotouch_platform.kafka.losses`); only the broker and the tables are simulated.
"""

import asyncio
from dataclasses import dataclass, field
from random import Random

from tool_sync.domain.events import RequestUnreadable, SyncRequested
from tool_sync.log import AppendRequest
from zerotouch_platform.kafka import losses
from zerotouch_platform.kafka.losses import Cause, Loss, Seen
from zerotouch_platform.kafka.places import Place

from .database import Database

RECORD_SECONDS_MAX = 0.05
"""How long the next record takes where all of them are read again: workers take up what is there meanwhile."""
PARTITION = 0


@dataclass(slots=True)
class Ledger:
    """The tables ``topic_looks`` and ``lost_records``; a loss is kept with the number of the topic's life."""

    seen: dict[int, Seen] = field(default_factory=dict)
    lost: list[tuple[int, Loss]] = field(default_factory=list)

    def look(self, life: int, place: Place) -> None:
        """What the service does before it begins to read."""
        now = {PARTITION: place}
        for loss in losses.losses(self.seen, now):
            self.lost.append((life - 1 if loss.cause is Cause.MADE_AGAIN else life, loss))
        self.seen = losses.seen_now(self.seen, now)

    def names(self, life: int, offset: int) -> bool:
        """Whether a loss names this offset. Of a topic that is no more it is not known where it ended."""
        return any(
            told == life and loss.first <= offset and (loss.cause is Cause.MADE_AGAIN or offset < loss.end)
            for told, loss in self.lost
        )


class Topic:
    """One partition. Who reads is at the end of it, but while tool-sync is stopped or reads everything again."""

    def __init__(self, database: Database, dice: Random) -> None:
        self._database, self._dice = database, dice
        self._records: list[AppendRequest] = []
        self._begin = self._life = 0
        self._committed: int | None = 0
        self.ledger = Ledger()
        self.gone: list[tuple[int, int, AppendRequest]] = []
        """What was never read, by the topic's life and offset."""
        self.is_read = True

    def publish(self, record: AppendRequest) -> None:
        """A record comes; it is in the log at once where somebody reads."""
        self._records.append(record)
        if self.is_read:
            self._take_in(record)

    async def read_again(self) -> None:
        """From the beginning to the end, where new ones are read at once again."""
        self._committed = self._begin
        await self._read_on()

    async def read_on(self) -> None:
        """tool-sync is started: it looks for what is gone, and goes on where it has stopped."""
        self.look()
        self._committed = max(self._begin, self._committed or 0)
        await self._read_on()

    async def _read_on(self) -> None:
        assert self._committed is not None
        while self._committed < self._end:
            await asyncio.sleep(RECORD_SECONDS_MAX * self._dice.random())
            self._take_in(self._records[self._committed - self._begin])
        self.is_read = True

    @property
    def was_read(self) -> bool:
        """Whether the last look has seen that the group had read anything of this topic."""
        return PARTITION in self.ledger.seen and self.ledger.seen[PARTITION].read_to > 0

    @property
    def _end(self) -> int:
        return self._begin + len(self._records)

    def look(self) -> None:
        """One look of the service at the place of its group."""
        self.ledger.look(self._life, Place(self._begin, self._end, self._committed))

    def delete_unread(self) -> None:
        """Retention takes records that nobody has read yet, and everything before them."""
        assert self._committed is not None
        unread = self._end - self._committed
        if unread > 0:
            self._drop(self._committed - self._begin + self._dice.randint(1, unread))

    def make_again(self) -> None:
        """The topic is deleted and made again; with it the broker forgets what the group has committed."""
        self._drop(len(self._records))
        self._begin, self._committed, self._life = 0, None, self._life + 1

    def _drop(self, count: int) -> None:
        read = (self._committed or 0) - self._begin
        unread = list(enumerate(self._records[:count], self._begin))[max(read, 0) :]
        self.gone += [(self._life, offset, record) for offset, record in unread]
        self._records, self._begin = self._records[count:], self._begin + count
        # The runbook: what no save repeats (a clinic, its tier, a removal) is told again.
        for _, record in unread:
            if not isinstance(record.events[0].event, SyncRequested | RequestUnreadable):
                self._records.append(record)

    def is_gone_and_told(self, request_id: object) -> bool:
        """Whether the record of a save is gone unread, and the ledger says so."""
        return any(
            self.ledger.names(life, offset)
            for life, offset, record in self.gone
            if getattr(record.events[0].event, "request_id", None) == request_id
        )

    def _take_in(self, record: AppendRequest) -> None:
        if self._committed is not None:
            self._committed += 1
        self._database.append(record, asyncio.get_running_loop().time())
