"""The relay's loop: become a topic's leader, walk the log from its cursor, publish, move the cursor.

candidate ──lock──► leader: read page ► send all ► advance ─┐        at least once, in order per key:
    ▲                          ▲─────────────────────────────┘        a crash between send and advance
    └── timeout, refusal, lost connection, unknown event: resign      repeats at most one page
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from contextlib import AsyncExitStack, contextmanager
from typing import Final
from uuid import UUID

import structlog
from opentelemetry.trace import Span, SpanKind
from pydantic import ValidationError

from tool_sync import db, telemetry
from tool_sync.db import Pool
from tool_sync.log.codec import UnknownEvent
from tool_sync.log.head import read_head
from tool_sync.outcomes.batches import Batches, Outgoing, new_batches
from tool_sync.outcomes.filters import Filter
from tool_sync.outcomes.pages import Published, PublishedPage, read_page
from tool_sync.outcomes.published import OUTCOMES, PublishedTopic
from tool_sync.outcomes.relay import cursor
from tool_sync.settings import Settings
from zerotouch_contracts.envelope import subject_of
from zerotouch_contracts.kafka import TROUBLE, described
from zerotouch_platform.kafka.producer import producing
from zerotouch_platform.kafka.topics import KafkaUnavailable, require_topics
from zerotouch_platform.loops import Wake, pause
from zerotouch_platform.postgres.leader import ANSWER_SECONDS_MAX, Candidate, LeadershipLost, candidate
from zerotouch_platform.telemetry import Telemetry
from zerotouch_platform.traceparent import traceparent_of

log = structlog.get_logger(__name__)


class PublishFailed(Exception):
    """Kafka did not take the records; the message says how many of which topic, and why."""


class TopicUnusable(Exception):
    """Nothing may be published; the message says why."""


_TRANSIENT_ERRORS: Final = (*db.WAITED_OUT_ERRORS, PublishFailed, LeadershipLost, KafkaUnavailable, TopicUnusable)


ALL_OUTCOMES: Final = Filter.of()


async def next_page(
    pool: Pool, *, after: int, limit: int, scan_max: int, wanted: Filter = ALL_OUTCOMES
) -> PublishedPage:
    """The next page above position ``after``; ``scanned_through == after`` where the log has nothing more.

    Raises `UnknownEvent` where the next event is one that this release cannot read: to skip it would lose it.
    """
    head = await read_head(pool)
    page = await read_page(pool, after=after, head=head, wanted=wanted, limit=limit, scan_max=scan_max)
    if page.stopped_by is not None and page.scanned_through == after:
        raise page.stopped_by
    return page


@contextmanager
def publishing(topic: str, count: int = 0) -> Iterator[None]:
    """Within it Kafka's absence is :class:`PublishFailed`."""
    try:
        yield
    except TROUBLE as error:
        said = f"{topic}: {count} record(s) were not taken by Kafka: {described(error)}; the relay resigns and retries"
        raise PublishFailed(said) from error


async def _nothing_to_say() -> str | None:
    return None


class Relay:
    """Publishes the log on one topic; one of all replicas does, the others stand by. :meth:`wake` it after an append.

    ``look``: why nothing may be published now; asked whenever it begins to lead.
    ``problem``: why it could not publish when it last tried; None where it leads or another one does.
    """

    def __init__(
        self,
        settings: Settings,
        pool: Pool,
        log_id: UUID,
        telemetry: Telemetry,
        look: Callable[[], Awaitable[str | None]] = _nothing_to_say,
        published: PublishedTopic = OUTCOMES,
    ) -> None:
        self._published, self._wanted = published, Filter.of(published=published)
        self._topic: Final = settings.topic_of(published.topic)
        self._settings = settings
        self._pool = pool
        self._log_id = log_id
        self._look = look
        self._telemetry = telemetry
        self._stopping = asyncio.Event()
        self.wake: Final = Wake()
        self.problem: str | None = None
        self.leads = False

    def stop(self) -> None:
        """End :meth:`run_forever` after the page at hand; the lock is released."""
        self._stopping.set()
        self.wake()

    async def run_forever(self) -> None:
        """Stand for the lead again and again until :meth:`stop`; trouble is logged once per reason, then retried."""
        while not self._stopping.is_set():
            wait_seconds = self._settings.relay_candidate_seconds
            try:
                await self._stand_and_lead()
            except* _TRANSIENT_ERRORS as trouble:
                self._say_once(_first_of(trouble))
            except* (UnknownEvent, ValidationError) as bug:
                # Another replica of a newer release may lead meanwhile; this one must not get in its way at once.
                wait_seconds = self._settings.relay_idle_session_seconds
                self.problem = str(_first_of(bug))
                log.error(
                    "relay: stopped at an event that cannot be published",
                    topic=self._topic, reason=self.problem, alarm=True,
                )  # fmt: skip
            if not self._stopping.is_set():
                await pause(self._stopping, wait_seconds)

    async def run_once(self, leader: Candidate, batches: Batches) -> bool:
        """Publish the next page; False where there was none."""
        position, head = await cursor.read(leader, self._published.cursor)
        if position >= head:
            return False
        page = await next_page(
            self._pool,
            after=position,
            limit=self._settings.relay_page_events_max,
            scan_max=self._settings.relay_scan_events_max,
            wanted=self._wanted,
        )
        if page.scanned_through == position:
            return False
        await self._publish(page, batches)
        await cursor.advance(leader, self._published.cursor, old=position, new=page.scanned_through)
        return True

    async def _stand_and_lead(self) -> None:
        async with candidate(
            self._settings.database_url,
            application_name="tool-sync relay",
            connect_seconds=ANSWER_SECONDS_MAX,
            idle_session_seconds=self._settings.relay_idle_session_seconds,
        ) as leader:
            while not self._stopping.is_set():
                if await leader.try_lock(self._published.lock_key):
                    await self._lead(leader)
                    return
                self.problem = None
                await pause(self._stopping, self._settings.relay_candidate_seconds)

    async def _lead(self, leader: Candidate) -> None:
        async with asyncio.TaskGroup() as group:
            # From here on, also while Kafka is being connected to: an untouched session loses the lock.
            touching = group.create_task(leader.touch_forever(self._settings.relay_touch_seconds))
            try:
                await self._publish_forever(leader)
            finally:
                touching.cancel()

    async def _publish_forever(self, leader: Candidate) -> None:
        settings = self._settings
        await require_topics(settings.kafka_bootstrap_servers, [self._topic])
        if reason := await self._look():
            raise TopicUnusable(reason)
        async with AsyncExitStack() as stack:
            with publishing(self._topic):
                producer = await stack.enter_async_context(
                    producing(
                        settings.kafka_bootstrap_servers,
                        "tool-sync-relay",
                        seconds_max=settings.relay_send_seconds_max,
                        cut_off="relay: a producer did not close cleanly",
                        linger_ms=0,  # its batches are made by hand
                    )
                )
                batches = await new_batches(producer, self._topic)
            log.info("relay: leads", topic=self._topic)
            self.leads, self.problem = True, None
            try:
                while not self._stopping.is_set():
                    self.wake.forget()  # before the look: what is appended after it wakes us again
                    if not await self.run_once(leader, batches):
                        await self.wake.wait(settings.relay_poll_seconds_max)
            finally:
                self.leads = False

    async def _publish(self, page: PublishedPage, batches: Batches) -> None:
        if not page.events:
            return
        spans = [self._span(event) for event in page.events]
        try:
            records = [
                event._replace(traceparent=traceparent_of(span)).record(self._log_id)
                for event, span in zip(page.events, spans, strict=True)
            ]
            # One total timeout for a page; after it, and after any trouble, the producer is dropped, and whoever leads
            # next sends the page again.
            with publishing(self._topic, len(records)):
                async with asyncio.timeout(self._settings.relay_send_seconds_max):
                    await batches.send_all([Outgoing(one.key, one.value, one.headers) for one in records])
        except PublishFailed as error:
            for span in spans:
                span.set_attribute(telemetry.ERROR_TYPE, type(error).__name__)
            raise
        finally:
            for span in spans:
                span.end()

    def _span(self, event: Published) -> Span:
        subject, key = subject_of(event.message)
        return self._telemetry.start(
            telemetry.send_span_name(self._topic),
            kind=SpanKind.PRODUCER,
            traceparent=event.traceparent,
            attributes={
                telemetry.MESSAGING_SYSTEM: "kafka",
                telemetry.MESSAGING_OPERATION_NAME: "send",
                telemetry.MESSAGING_DESTINATION: self._topic,
                telemetry.MESSAGING_MESSAGE_ID: str(event.event_id),
                telemetry.ROLLOUT_ID if subject == "ce_rolloutid" else telemetry.ORG_ID: key,
            },
        )

    def _say_once(self, error: BaseException) -> None:
        reason = f"{type(error).__name__}: {error}"
        if reason != self.problem:
            self.problem = reason
            log.warning("relay: waiting to publish", topic=self._topic, reason=reason)


def _first_of(group: BaseExceptionGroup[BaseException]) -> BaseException:
    first = group.exceptions[0]
    return _first_of(first) if isinstance(first, BaseExceptionGroup) else first
