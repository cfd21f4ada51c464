"""The loop: become the leader, send page after page, resign at the first doubt.

A page has one total deadline. After it, and after any error, the producer is dropped and the lock with it: whoever
leads next sends the page again.
"""

import asyncio
from collections.abc import Sequence
from typing import Any, Final
from uuid import UUID

import structlog
from aiokafka import AIOKafkaProducer
from opentelemetry.trace import SpanKind

from assistant_api.db import DATABASE_AWAY, Database
from assistant_api.relay.page import Row, delete_page, read_page
from assistant_api.restore.guard import TopicAhead, TopicGuard
from assistant_api.settings import Settings
from assistant_api.telemetry import own_traceparent
from zerotouch_platform.cooperative import ITEMS_AT_ONCE, yielding_every
from zerotouch_platform.health import Health
from zerotouch_platform.kafka.producer import producing
from zerotouch_platform.kafka.topics import KAFKA_AWAY, require_topics
from zerotouch_platform.loops import Wake, cut_off, in_one_line
from zerotouch_platform.postgres.leader import LeadershipLost, candidate
from zerotouch_platform.telemetry import Telemetry

_log: Final = structlog.get_logger()

ADVISORY_LOCK: Final = 0x7A74_0002
CONNECT_SECONDS_MAX: Final = 5.0
TOUCH_SECONDS: Final = 1.0
SILENCE_SECONDS_MAX: Final = 4.0


class Relay:
    """Sends the outbox while it leads. ``log_id`` names the log that the messages form.

    ``wake`` says that the outbox has something. ``leads``: this one sends.
    """

    def __init__(
        self,
        settings: Settings,
        database: Database,
        telemetry: Telemetry,
        health: Health,
        log_id: UUID,
        *,
        wake: Wake,
        guard: TopicGuard,
    ) -> None:
        self._settings, self._database, self._health = settings, database, health
        self._telemetry, self._log_id, self._guard = telemetry, log_id, guard
        self._stopping = False
        self.wake: Final = wake
        self.leads = False

    async def run_forever(self) -> None:
        """Lead or wait to lead, until :meth:`stop`."""
        delay_seconds = self._settings.relay_candidate_seconds
        while not self._stopping:
            try:
                await self._lead()
                delay_seconds = self._settings.relay_candidate_seconds
            except (TopicAhead, LeadershipLost, *KAFKA_AWAY, *DATABASE_AWAY) as error:
                self._health.fails("relay", in_one_line(error))
                delay_seconds = min(delay_seconds * 2, self._settings.reconnect_seconds_max)
            if not self._stopping:
                await self.wake.wait(delay_seconds)

    def stop(self) -> None:
        """Send no further page."""
        self._stopping = True
        self.wake()

    async def _lead(self) -> None:
        """One term as the leader; returns at once where somebody else leads."""
        await require_topics(self._settings.kafka_bootstrap_servers, self._settings.topics)
        async with candidate(
            self._settings.database_url.get_secret_value(),
            application_name="assistant-api relay",
            connect_seconds=CONNECT_SECONDS_MAX,
            idle_session_seconds=SILENCE_SECONDS_MAX,
        ) as leader:
            if not await leader.try_lock(ADVISORY_LOCK):
                self._health.works("relay")  # somebody relays
                return
            keeper = asyncio.create_task(leader.touch_forever(TOUCH_SECONDS), name="relay lock")
            try:
                await self._guard.require_not_ahead()
                await self._send_pages(keeper)
            finally:
                await cut_off(keeper)

    async def _send_pages(self, keeper: "asyncio.Task[None]") -> None:
        async with producing(
            self._settings.kafka_bootstrap_servers,
            "assistant-api",
            seconds_max=self._settings.relay_send_timeout_seconds,
            cut_off="producer_cut_off",
        ) as producer:
            _log.info("relay_leads")
            # So that it resigns now, not at its next page.
            keeper.add_done_callback(lambda ended: None if ended.cancelled() else self.wake())
            self.leads = True
            try:
                while not self._stopping:
                    self._health.works("relay")
                    if keeper.done() and (error := keeper.exception()):
                        raise LeadershipLost(in_one_line(error)) from error
                    if not await self.run_once(producer):
                        await self.wake.wait(self._settings.poll_seconds_max)
            finally:
                self.leads = False

    async def run_once(self, producer: AIOKafkaProducer) -> int:
        """Send the oldest page and forget it; how many messages. Raises where Kafka does not confirm in time."""
        async with self._database.connection() as connection:
            rows = await read_page(connection, self._settings.relay_page_rows)
        if rows:
            async with asyncio.timeout(self._settings.relay_send_timeout_seconds):
                await self._send(producer, rows)
            async with self._database.connection() as connection:
                await delete_page(connection, rows)
        return len(rows)

    async def _send(self, producer: AIOKafkaProducer, rows: Sequence[Row]) -> None:
        spans = []
        try:
            confirmations: list[asyncio.Future[Any]] = []
            async for row in yielding_every(ITEMS_AT_ONCE, rows):
                topic = row.topic(self._settings)
                span = self._telemetry.start(
                    f"send {topic}",
                    kind=SpanKind.PRODUCER,
                    traceparent=row.traceparent,
                    attributes={
                        "messaging.system": "kafka",
                        "messaging.operation.name": "send",
                        "messaging.operation.type": "send",
                        "messaging.destination.name": topic,
                        "messaging.message.id": str(row.message_id),
                    },
                )
                spans.append(span)
                record = row.record(topic=topic, log_id=self._log_id, traceparent=own_traceparent(span))
                confirmations.append(
                    await producer.send(record.topic, record.value, record.key, headers=list(record.headers))
                )
            await asyncio.gather(*confirmations)
        finally:
            for span in spans:
                span.end()
