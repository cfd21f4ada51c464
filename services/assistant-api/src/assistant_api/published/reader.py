"""Reads `tool-sync.blueprint.v1`, every process by itself and all of it: no group, no offsets, a few records.

    begin ─► everything from the beginning ─► what comes ─► a minute later
      ▲                                                          │
      └──────────────────────────────────────────────────────────┘

The table says what is newer, so a record may be read a hundred times. A topic that was made again, offsets that moved
and a client that stands still without a word are all over with the next beginning. While Kafka is away what was known
stays.
"""

import asyncio
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from itertools import chain
from typing import Final

import asyncpg
import structlog
from aiokafka import AIOKafkaConsumer, ConsumerRecord

from assistant_api.db import DATABASE_AWAY, Database
from assistant_api.published import store
from assistant_api.published.known import Published
from assistant_api.published.view import PublishedView
from assistant_api.settings import Settings
from zerotouch_contracts.blueprint import BlueprintPlace, Told, place_after, read_published
from zerotouch_contracts.envelope import UndecodableRecord
from zerotouch_contracts.kafka import drop_consumer, new_consumer
from zerotouch_platform.kafka.topics import KAFKA_AWAY, require_topics
from zerotouch_platform.loops import in_one_line, pause

SESSION_SECONDS: Final = 60.0
START_SECONDS_MAX: Final = 30.0
STOP_SECONDS_MAX: Final = 1.0
POLL_MILLISECONDS: Final = 500
RECORDS_MAX: Final = 200
TOLD_OF_MAX: Final = 1000
"""Unreadable records that are remembered, so that each is logged once and not every minute."""
UNSTORABLE: Final = (asyncpg.DataError, asyncpg.IntegrityConstraintViolationError)

_log: Final = structlog.get_logger()


class BlueprintReader:
    """``problem`` is why nothing is read, or None. ``session_seconds`` is an argument so that tests can decide it."""

    def __init__(
        self, settings: Settings, database: Database, view: PublishedView, *, session_seconds: float = SESSION_SECONDS
    ) -> None:
        self._settings, self._database, self._view = settings, database, view
        self._session_seconds = session_seconds
        self._stopping = asyncio.Event()
        self._places: dict[str, BlueprintPlace] = {}
        self._told_of: set[tuple[int, int]] = set()
        self._lacking: Sequence[tuple[str, int]] = ()
        self.problem: str | None = "nothing was read yet"

    async def run_forever(self) -> None:
        """Read until :meth:`stop`; what hinders it is logged once per reason."""
        while not self._stopping.is_set():
            try:
                await self._load()  # also what another replica has read that can reach Kafka
                await self._session()
            except (*KAFKA_AWAY, *DATABASE_AWAY) as error:
                reason = in_one_line(error)
                if reason != self.problem:
                    _log.warning("blueprint_not_read", reason=reason)
                self.problem = reason
                await pause(self._stopping, self._settings.reconnect_seconds_max)

    def stop(self) -> None:
        """End :meth:`run_forever` after the batch at hand."""
        self._stopping.set()

    async def _session(self) -> None:
        """Everything that is there, and what comes for a minute."""
        ends_at = asyncio.get_running_loop().time() + self._session_seconds
        async with self._consumer() as consumer:
            self.problem = None
            while not self._stopping.is_set() and asyncio.get_running_loop().time() < ends_at:
                batches = await consumer.getmany(timeout_ms=POLL_MILLISECONDS, max_records=RECORDS_MAX)
                await self.take_in(tuple(chain.from_iterable(batches.values())))

    @asynccontextmanager
    async def _consumer(self) -> AsyncIterator[AIOKafkaConsumer]:
        servers, topic = self._settings.kafka_bootstrap_servers, self._settings.blueprint_topic
        await require_topics(servers, [topic])  # or asking for it by name might make it
        consumer = new_consumer(
            topic,
            bootstrap_servers=servers,
            client_id="assistant-api blueprint",
            group_id=None,
            enable_auto_commit=False,
            auto_offset_reset="earliest",
        )
        try:
            async with asyncio.timeout(START_SECONDS_MAX):
                await consumer.start()
            yield consumer
        finally:
            if reason := await drop_consumer(consumer, STOP_SECONDS_MAX):
                _log.warning("blueprint_consumer_cut_off", reason=reason)

    async def take_in(self, records: Sequence[ConsumerRecord]) -> None:
        """Keep what is newer than what this process has seen. One that cannot be read leaves what was known."""
        newest = self._newest(records)
        for tool, (told, place) in newest.items():
            try:
                async with self._database.transaction() as connection:
                    is_newer = await store.keep(connection, told)
            except UNSTORABLE as error:
                _log.error("blueprint_unstorable", tool=tool, reason=type(error).__name__, alarm=True)
            else:
                if is_newer:
                    _log.info("tool_published", tool=tool, versions=len(told.message.versions), position=place.position)
            self._places[tool] = place
        if newest:
            await self._load()

    def _newest(self, records: Sequence[ConsumerRecord]) -> Mapping[str, tuple[Told, BlueprintPlace]]:
        """Of each tool the newest record, where it is none that was seen; each log's, as one may follow another."""
        found: dict[str, tuple[Told, BlueprintPlace]] = {}
        for told in self._readable(records):
            tool = told.message.tool
            before = found[tool][1] if tool in found else self._places.get(tool)
            place = place_after(before, told)
            if place is not None and place != before:
                found[tool] = told, place
        return found

    def _readable(self, records: Sequence[ConsumerRecord]) -> Iterator[Told]:
        for record in records:
            try:
                yield read_published(record.key, record.value, record.headers)
            except UndecodableRecord as error:
                place = record.partition, record.offset
                if place not in self._told_of and len(self._told_of) < TOLD_OF_MAX:
                    self._told_of.add(place)
                    where = {"topic": record.topic, "partition": record.partition, "offset": record.offset}
                    _log.error("blueprint_unreadable", **where, reason=error.reason)

    async def _load(self) -> Published:
        published = await self._view.load()
        if published.lacking != self._lacking:
            self._lacking = published.lacking
            if published.lacking:
                _log.error("contracts_lacking", contracts=[f"{n} {c}" for n, c in published.lacking], alarm=True)
        return published
