"""Announces on `assistant-api.contracts.v1` which contracts this process answers: at its start, then every 15 s.

An orderly stop says goodbye; who is killed is taken for dead after a minute, by the reader. While Kafka or the database
is away it waits: a process without its database answers no call, so it has nothing to announce.
"""

import asyncio
from typing import Final
from uuid import UUID

import structlog
import uuid_utils.compat as uuids
from aiokafka import AIOKafkaProducer

from assistant_api.db import DATABASE_AWAY, Database
from assistant_api.settings import Settings
from zerotouch_contracts.answering import ANNOUNCE_SECONDS, announcement, announcement_record, key_of
from zerotouch_platform.kafka.producer import producing
from zerotouch_platform.kafka.topics import KAFKA_AWAY, require_topics
from zerotouch_platform.loops import Wake, in_one_line

SEND_SECONDS_MAX: Final = 5.0
GOODBYE_SECONDS_MAX: Final = 1.0
"""A stop takes two seconds at most; without a goodbye the reader's minute does."""

_log: Final = structlog.get_logger()


class Announcer:
    """One process's announcements, under an id of its own: ``replica``."""

    def __init__(self, settings: Settings, database: Database, *, every_seconds: float = ANNOUNCE_SECONDS) -> None:
        self._settings, self._database, self._every_seconds = settings, database, every_seconds
        self._wake, self._stopping = Wake(), False
        self.replica: Final[UUID] = uuids.uuid4()

    async def run_forever(self) -> None:
        """Announce until :meth:`stop`. What hinders it is logged once, and again after it worked in between."""
        told = False
        while not self._stopping:
            try:
                await require_topics(self._settings.kafka_bootstrap_servers, (self._settings.contracts_topic,))
                async with producing(
                    self._settings.kafka_bootstrap_servers,
                    "assistant-api contracts",
                    seconds_max=SEND_SECONDS_MAX,
                    cut_off="announcer_cut_off",
                ) as producer:
                    await self.run_once(producer)
                    told = False
                    await self._announce_until_stopped(producer)
            except (*KAFKA_AWAY, *DATABASE_AWAY) as error:
                if not told:
                    _log.warning("contracts_not_announced", reason=in_one_line(error))
                told = True
                await self._wake.wait(self._settings.reconnect_seconds_max)

    def stop(self) -> None:
        """Say goodbye and end."""
        self._stopping = True
        self._wake()

    async def run_once(self, producer: AIOKafkaProducer) -> None:
        """Announce. Raises where the database or Kafka does not answer in time."""
        record = announcement_record(announcement(self.replica, await self._database.now()), id=uuids.uuid7())
        async with asyncio.timeout(SEND_SECONDS_MAX):
            await producer.send_and_wait(
                self._settings.contracts_topic, record.value, record.key, headers=list(record.headers)
            )

    async def _announce_until_stopped(self, producer: AIOKafkaProducer) -> None:
        while not self._stopping:
            await self._wake.wait(self._every_seconds)
            if not self._stopping:
                await self.run_once(producer)
        # After the last announcement on the same producer: nothing can overtake it.
        async with asyncio.timeout(GOODBYE_SECONDS_MAX):
            await producer.send_and_wait(self._settings.contracts_topic, None, key_of(self.replica))
