"""Wakes readers that wait for something new: one connection that listens, however many readers a process has.

A notification only says "look". What is new is read once, and only readers that it concerns are woken: with many orgs
waiting, an append for one of them must not make all of them ask the database.
"""

import asyncio
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Final
from uuid import UUID

import structlog

from tool_sync import db
from tool_sync.log.head import read_head
from tool_sync.log.read import read_news
from tool_sync.outcomes.published import ALL, OUTCOMES, PublishedTopic
from zerotouch_platform.loops import pause

log = structlog.get_logger(__name__)

CHANNEL: Final = "tool_sync_events"
POLL_SECONDS: Final = 1.0
"""How often it looks without having been told."""
PAUSE_SECONDS: Final = 0.01
"""Between two looks, so that a busy log wakes readers 100 times a second at most."""
RECONNECT_SECONDS: Final = 0.5

_PUBLISHED: Final = [published.stored_types for published in ALL]


@dataclass(eq=False, slots=True)
class _Reader:
    org_id: UUID | None
    published: PublishedTopic
    woken: asyncio.Event = field(default_factory=asyncio.Event)


class Tail:
    """The end of the log, watched. :meth:`run_forever` must be running for :meth:`beyond` to be woken in time.

    ``on_news`` is called when something was stored that is to be published at once, by whichever process.
    """

    def __init__(self, database_url: str, *, on_news: Callable[[], None] = lambda: None) -> None:
        self._database_url, self._on_news = database_url, on_news
        self._head = 0
        self._readers: set[_Reader] = set()
        self._told = asyncio.Event()
        self._stopping = asyncio.Event()

    @property
    def stopping(self) -> bool:
        """The process stops: readers are to be sent away."""
        return self._stopping.is_set()

    @property
    def waiting(self) -> int:
        """The number of readers that wait now."""
        return len(self._readers)

    def stop(self) -> None:
        """End :meth:`run_forever` and every wait."""
        self._stopping.set()
        self._told.set()
        self._wake(self._readers)

    async def beyond(
        self, position: int, org_id: UUID | None, *, seconds: float, published: PublishedTopic = OUTCOMES
    ) -> bool:
        """Wait until something may have been published above ``position`` (for the org, if one is named).

        False where nothing was in that time, or the process stops.
        """
        if self.stopping:
            return False
        if self._head > position:
            return True
        reader = _Reader(org_id, published)
        self._readers.add(reader)
        try:
            return await pause(reader.woken, seconds) and not self.stopping
        finally:
            self._readers.discard(reader)

    async def run_forever(self) -> None:
        """Listen and look until :meth:`stop`; a lost connection is made anew."""
        said: str | None = None
        while not self.stopping:
            try:
                await self._listen()
                said = None
            except db.WAITED_OUT_ERRORS as error:
                reason = f"{type(error).__name__}: {error}"
                if reason != said:
                    said = reason
                    log.warning("feed: cannot listen for new events", reason=reason)
                await pause(self._stopping, RECONNECT_SECONDS)

    async def _listen(self) -> None:
        connection = await db.SESSIONS.connect(self._database_url, application_name="tool-sync feed")
        try:
            await connection.add_listener(CHANNEL, lambda *_: self._told.set())
            if not self._head:
                self._head = await read_head(connection)
                self._wake(self._readers)
            while not self.stopping:
                self._told.clear()  # before the look: what is told after it makes us look again
                await self._look(connection)
                await pause(self._stopping, PAUSE_SECONDS)
                await pause(self._told, POLL_SECONDS)
        finally:
            connection.terminate()

    async def _look(self, connection: db.Connection) -> None:
        # What this release does not know is news too: at that readers must stop, so they must look.
        self._head, news = await read_news(connection, self._head, _PUBLISHED)
        if any(concerned for published, concerned in zip(ALL, news, strict=True) if published.is_urgent):
            self._on_news()
        for published, concerned in zip(ALL, news, strict=True):
            mine = (reader for reader in self._readers if concerned and reader.published is published)
            self._wake(r for r in mine if r.org_id is None or r.org_id in concerned or None in concerned)

    def _wake(self, readers: Iterable[_Reader]) -> None:
        for reader in readers:
            reader.woken.set()
