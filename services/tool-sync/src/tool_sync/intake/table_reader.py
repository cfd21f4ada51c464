"""Follows a compacted topic into a table: one process at a time, all of the topic, no group.

    lead ─► everything from the beginning ─► rows that the topic does not have go ─► what comes ─► an hour later
      ▲                                                                                                 │
      └─────────────────────────────────────────────────────────────────────────────────────────────────┘

So the table is what the topic says, whatever happened to either: rows that were lost or restored, a topic that was made
again, a tombstone that nobody read before it was compacted away. What cannot be read is passed over and kept nowhere: a
dead letter would keep the name of a clinic that was deleted, or its sealed key.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Hashable, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Final, Generic, TypeVar

import structlog
from aiokafka import ConsumerRecord

from tool_sync import db
from tool_sync.settings import Settings
from zerotouch_contracts.envelope import Headers, UndecodableRecord
from zerotouch_contracts.kafka import TROUBLE
from zerotouch_platform.cooperative import ITEMS_AT_ONCE, yielding_every
from zerotouch_platform.kafka.compacted import Compacted, compacted
from zerotouch_platform.kafka.topics import KafkaUnavailable
from zerotouch_platform.loops import cut_off, in_one_line, pause
from zerotouch_platform.postgres.leader import Candidate, LeadershipLost, candidate
from zerotouch_platform.postgres.pool import ACQUIRE_SECONDS

SESSION_SECONDS: Final = 3600.0
CANDIDATE_SECONDS: Final = 5.0
TOUCH_SECONDS: Final = 1.0
SILENCE_SECONDS_MAX: Final = 5.0
ROWS_MAX: Final = 500
PAGE_ROWS_MAX: Final = 5000

S = TypeVar("S")
K = TypeVar("K", bound=Hashable)

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Forgetting(Generic[K]):
    """How rows go that the topic does not have. ``page``: of whom there are rows, after one of them."""

    page: Callable[[db.Pool, K | None, int], Awaitable[Sequence[K]]]
    forget: Callable[[Candidate, Sequence[K]], Awaitable[int]]


@dataclass(frozen=True, slots=True)
class Followed(Generic[S, K]):
    """A topic and its table. ``lock`` is of who reads it, ``name`` what its session is called.

    ``read`` says what a record says, and ``about`` whom that is about: None where it says that there is nothing any
    more. ``keep`` and what forgets write on the session that holds the lock: whoever has lost it writes nothing more.
    ``forgetting`` None: what the topic does not have stays.
    """

    topic: str
    lock: int
    name: str
    read: Callable[[bytes | None, bytes | None, Headers], S]
    about: Callable[[S], K | None]
    keep: Callable[[Candidate, Sequence[S]], Awaitable[int]]
    forgetting: Forgetting[K] | None


class TableReader(Generic[S, K]):
    """``problem`` is why the topic is not read, or None; ``passed_over`` what of it could not be read, since it was
    read from the beginning. ``session_seconds``: so that tests can decide it."""

    def __init__(
        self, settings: Settings, pool: db.Pool, followed: Followed[S, K], *, session_seconds: float = SESSION_SECONDS
    ) -> None:
        self._settings, self._pool, self._session_seconds = settings, pool, session_seconds
        self._followed = followed
        self._stopping = asyncio.Event()
        self.problem: str | None = None
        self.passed_over: str | None = None

    async def run_forever(self) -> None:
        """Read, or wait to, until :meth:`stop`; what hinders it is logged once per reason."""
        while not self._stopping.is_set():
            try:
                async with self._leading() as leader:
                    if leader is not None:
                        await self._session(leader)
                        continue
                self.problem = None  # another process reads
            except (KafkaUnavailable, LeadershipLost, *TROUBLE, *db.WAITED_OUT_ERRORS) as error:
                reason = in_one_line(error)
                if reason != self.problem:
                    log.warning("A topic is not read into its table", topic=self._followed.topic, reason=reason)
                self.problem = reason
            except Exception as error:  # no record is worth a process
                self.problem = f"a fault of ours: {in_one_line(error)}"
                log.exception(
                    "A topic is not read into its table for a fault of ours", topic=self._followed.topic, alarm=True
                )
            await pause(self._stopping, CANDIDATE_SECONDS)

    def stop(self) -> None:
        """End :meth:`run_forever` after the records at hand."""
        self._stopping.set()

    @asynccontextmanager
    async def _leading(self) -> AsyncIterator[Candidate | None]:
        """The session that holds the lock while the block runs; None where another process has it."""
        async with candidate(
            self._settings.database_url,
            application_name=self._followed.name,
            connect_seconds=ACQUIRE_SECONDS,
            idle_session_seconds=SILENCE_SECONDS_MAX,
        ) as leader:
            if not await leader.try_lock(self._followed.lock):
                yield None
                return
            keeper = asyncio.create_task(leader.touch_forever(TOUCH_SECONDS), name=f"{self._followed.name} lock")
            try:
                yield leader
            finally:
                await cut_off(keeper)

    async def _session(self, leader: Candidate) -> None:
        """Everything that is there, and what comes for an hour."""
        now = asyncio.get_running_loop().time
        ends_at = now() + self._session_seconds
        servers, followed = self._settings.kafka_bootstrap_servers, self._followed
        async with compacted(servers, followed.topic, followed.name) as reading:
            self.passed_over = None
            await self._read_again(leader, reading)
            self.problem = None
            while not self._stopping.is_set() and now() < ends_at:
                await self._take_in(leader, (await reading.news()).values())
                await leader.fetchval("SELECT 1")  # or, while nothing comes, nobody would notice that the lock is gone

    async def _read_again(self, leader: Candidate, reading: Compacted) -> None:
        """Make the table what the topic says now. Whom it is about is remembered by a hash, 100,000 in about 8 MB."""
        followed, about = self._followed, set[int]()
        written = gone = 0
        async for newest in reading.partitions():
            said = await self._take_in(leader, newest.values())
            about |= {hash(one) for one in map(followed.about, said) if one is not None}
            written += len(said)
        after: K | None = None
        rows = followed.forgetting
        while rows is not None and (page := await rows.page(self._pool, after, PAGE_ROWS_MAX)):
            after = page[-1]
            unsaid = [one for one in page if hash(one) not in about]
            for first in range(0, len(unsaid), ROWS_MAX):
                gone += await rows.forget(leader, unsaid[first : first + ROWS_MAX])
        log.info("A topic is read into its table", topic=followed.topic, keys=written, rows=len(about), forgotten=gone)

    async def _take_in(self, leader: Candidate, records: Iterable[ConsumerRecord]) -> list[S]:
        """Keep what can be read of records, each of another key; what that was."""
        followed = self._followed
        said: list[S] = []
        unreadable: list[str] = []
        async for record in yielding_every(ITEMS_AT_ONCE, list(records)):
            try:
                said.append(followed.read(record.key, record.value, record.headers))
            except UndecodableRecord as error:
                unreadable.append(f"{record.topic}/{record.partition}/{record.offset}: {error.reason}")
        if unreadable:
            self.passed_over = f"{len(unreadable)} record(s), the first {unreadable[0]}"
            log.error("A record is passed over", topic=followed.topic, records=len(unreadable), first=unreadable[0])
        for first in range(0, len(said), ROWS_MAX):
            await followed.keep(leader, said[first : first + ROWS_MAX])
        return said
