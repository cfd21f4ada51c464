"""The subscriber's life: wait until Kafka and the topic are there, consume, watch, and connect anew when it is wedged.

aiokafka's consumer can stop for good without an exception; what it shows of that is looked at (`Progress`).
"""

import asyncio
from typing import Any, Final

import structlog

from tool_sync import broker, db
from tool_sync.intake.consumer import build
from tool_sync.intake.intake import Intake
from tool_sync.settings import Settings
from zerotouch_contracts.kafka import TROUBLE, Progress, described, drop_owner
from zerotouch_platform.kafka.watch import TopicWatch
from zerotouch_platform.loops import pause

log = structlog.get_logger(__name__)

START_SECONDS_MAX: Final = 60.0
STOP_SECONDS_MAX: Final = 4.0
NOT_LIVE_AFTER_STUCK: Final = 3
"""Connecting anew did not help for so many times the stuck limit: the process should be replaced."""


class Subscriber:
    """Runs :class:`Intake` on the assistants topic. ``problem`` says why nothing is consumed now, or None."""

    def __init__(self, settings: Settings, intake: Intake) -> None:
        self._settings = settings
        self._intake = intake
        self._topic_watch = TopicWatch(
            settings.kafka_bootstrap_servers,
            settings.assistants_topic,
            settings.consumer_group,
            lambda: db.transaction(intake.pool),
            intake.jumps,
        )
        self._stopping = asyncio.Event()
        self._progress = Progress()
        self._problem: str | None = "not connected yet"

    @property
    def problem(self) -> str | None:
        """Why records are not being taken in at this moment."""
        if self._problem is None and self._intake.waiting_for is not None:
            return f"the database is away: {self._intake.waiting_for}"
        return self._problem

    @property
    def wedged(self) -> str | None:
        """Set where consuming stands still and connecting anew does not help."""
        still = self._progress.still_seconds()
        if still < NOT_LIVE_AFTER_STUCK * self._settings.intake_stuck_seconds_max:
            return None
        return f"records are waiting, and none was taken in for {still:.0f} s"

    def stop(self) -> None:
        """End :meth:`run_forever`: the batch at hand is finished or handed back."""
        self._stopping.set()
        self._intake.stop()

    async def run_forever(self) -> None:
        """Consume until :meth:`stop`; trouble is logged once per reason, and retried."""
        while not self._stopping.is_set():
            reason = (
                await broker.problem_of(self._settings.kafka_bootstrap_servers, [self._settings.assistants_topic])
                or await self._consume()
            )
            if self._stopping.is_set():
                break
            if reason != self._problem:
                log.warning("intake: waiting for Kafka", reason=reason)
            self._problem = reason
            await pause(self._stopping, self._settings.start_retry_seconds)
        self._problem = "stopped"

    async def _consume(self) -> str:
        """Connect and consume until it is stopped or wedged; returns why it ended."""
        if reason := await self._look_for_losses():  # before anything is read: the group's next commit would hide it
            return reason
        client, subscriber = build(self._settings, self._intake.handle)
        try:
            async with asyncio.timeout(START_SECONDS_MAX):
                await client.start()
            log.info("intake: consuming", topic=self._settings.assistants_topic, group=self._settings.consumer_group)
            self._problem = None
            return await self._watch(subscriber.consumer)
        except TimeoutError:
            return f"no partitions were assigned within {START_SECONDS_MAX:g} s"
        except TROUBLE as error:
            return described(error)
        finally:
            await _close(client, subscriber)

    async def _watch(self, consumer: Any) -> str:
        while not self._stopping.is_set():
            await pause(self._stopping, self._settings.intake_watch_seconds)
            stuck = self._settings.intake_stuck_seconds_max
            if reason := await self._progress.problem_of(consumer, stuck, busy=self._intake.busy):
                return reason
            if reason := await self._look_for_losses():
                log.warning("intake: the topic was not looked at", reason=reason)
        return "stopped"

    async def _look_for_losses(self) -> str | None:
        """Why it could not be looked, or None."""
        try:
            await self._topic_watch.run_once()
        except (*TROUBLE, *db.TRANSIENT_ERRORS) as error:
            return described(error)
        return None


async def _close(client: Any, subscriber: Any) -> None:
    if reason := await drop_owner(client.stop, subscriber.consumer, STOP_SECONDS_MAX):
        log.warning("intake: Kafka's client did not close cleanly", reason=reason)
