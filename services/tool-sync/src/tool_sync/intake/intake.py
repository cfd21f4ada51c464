"""What happens to a batch: every record is decoded, all are appended in one call, poison is set aside; then, and only
then, FastStream commits the offsets.

It never calls Vapi, so no slow call blocks a partition. While the database is away it waits here, with the batch in
hand: nothing is committed and nothing is lost. After two minutes it hands the batch back, which Kafka's client fetches
again: that shows the client as alive.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Final, TypeVar

import structlog
from opentelemetry.trace import Span, SpanKind

from tool_sync import db, telemetry
from tool_sync.db import Pool
from tool_sync.intake.consumer import Batch
from tool_sync.intake.dead_letters import describe, set_aside
from tool_sync.intake.mapping import Poison, Readable, as_poison, read_record
from tool_sync.log import AppendRejected, AppendRequest, AppendResult, EventLog, LogUnavailable
from tool_sync.settings import Settings
from zerotouch_platform.kafka.jumps import Jumps
from zerotouch_platform.loops import pause
from zerotouch_platform.telemetry import LINKS_MAX, Telemetry

log = structlog.get_logger(__name__)

T = TypeVar("T")

_SCHEMA_CLASS: Final = "42"
"""SQLSTATE class of missing tables, functions and rights: the deployment is not finished. No record is to blame."""

_DATABASE_AWAY: Final = (LogUnavailable, *db.TRANSIENT_ERRORS)


class DatabaseAway(Exception):
    """The batch could not be stored in time; it is fetched again. Fields: seconds, reason."""

    def __init__(self, seconds: float, reason: str) -> None:
        self.seconds, self.reason = seconds, reason
        super().__init__(f"intake: not stored within {seconds:.0f} s, the batch is fetched again: {reason}")


class Intake:
    """Handles batches, one at a time. ``busy`` while it does, ``waiting_for`` while the database is away (why)."""

    def __init__(
        self, settings: Settings, event_log: EventLog, pool: Pool, telemetry: Telemetry, service_version: str
    ) -> None:
        self._settings = settings
        self._event_log = event_log
        self.pool = pool
        self._telemetry = telemetry
        self._service_version = service_version
        self._stopping = asyncio.Event()
        self.busy = False
        self.waiting_for: str | None = None
        self.jumps = Jumps()

    def stop(self) -> None:
        """End a wait for the database; its batch is not committed and comes again after the next start."""
        self._stopping.set()

    async def handle(self, batch: Batch) -> None:
        """Take a batch in. When it returns, every record is an event, a duplicate or a dead letter.

        Raises :class:`DatabaseAway` where that could not be had; nothing must be committed then.
        """
        self.busy = True
        self.jumps.read(batch)
        mapped = [read_record(record, self._service_version) for record in batch]
        spans = self._start_spans(mapped) if self._telemetry.enabled else []
        try:
            await self._store(mapped)
        except Exception as error:
            for span in spans:
                span.set_attribute(telemetry.ERROR_TYPE, type(error).__name__)
            raise
        finally:
            self.busy = False
            for span in spans:
                span.end()

    async def _store(self, mapped: Sequence[Readable | Poison]) -> None:
        requests = [item.request for item in mapped if item.request is not None]
        answers = iter(await self._until_back(lambda: self._append(requests)))
        poison = [item for item in mapped if isinstance(item, Poison)]
        refused: list[Poison] = []
        for item in mapped:
            answer = next(answers) if item.request is not None else None
            if isinstance(answer, AppendRejected):
                if not answer.is_poison:
                    log.error("intake: the log refused a record that should fit", reason=str(answer))
                if isinstance(item, Readable):
                    refused.append(as_poison(item, f"the log refuses it: {answer.sqlstate}", self._service_version))
        if refused:
            later = [item.request for item in refused if item.request is not None]
            for answer in await self._until_back(lambda: self._append(later)):
                if isinstance(answer, AppendRejected):
                    log.error("intake: a save gets no outcome", reason=str(answer))
        if poison := [*poison, *refused]:
            await self._until_back(lambda: set_aside(self.pool, poison))
            log.warning("intake: records set aside as dead letters", count=len(poison), records=describe(poison[:10]))

    async def _append(self, requests: Sequence[AppendRequest]) -> list[AppendResult | AppendRejected]:
        answers = await self._event_log.append_all(requests)
        for answer in answers:
            if isinstance(answer, AppendRejected) and (answer.sqlstate or "").startswith(_SCHEMA_CLASS):
                raise LogUnavailable(answer.stream, 0.0, answer.reason)
        return answers

    async def _until_back(self, act: Callable[[], Awaitable[T]]) -> T:
        """Do ``act``, again and again while the database is away; safe, as ids and offsets make repeats harmless."""
        settings, began, failures = self._settings, time.monotonic(), 0
        while True:
            try:
                done = await act()
            except _DATABASE_AWAY as error:
                waited, failures = time.monotonic() - began, failures + 1
                if self.waiting_for is None:
                    log.warning("intake: waiting for the database", reason=f"{type(error).__name__}: {error}")
                self.waiting_for = f"{type(error).__name__}: {error}"
                if waited >= settings.intake_database_wait_seconds_max or self._stopping.is_set():
                    raise DatabaseAway(waited, self.waiting_for) from error
                back_off = settings.intake_retry_seconds_base * 2.0 ** min(failures, 16)
                await pause(self._stopping, min(settings.intake_retry_seconds_max, back_off))
            else:
                if self.waiting_for is not None:
                    log.info("intake: the database is back", seconds=round(time.monotonic() - began, 1))
                    self.waiting_for = None
                return done

    def _start_spans(self, mapped: Sequence[Readable | Poison]) -> list[Span]:
        """One span for the batch, linked to its records, and one per record, in the record's own trace."""
        settings = self._settings
        common = {
            telemetry.MESSAGING_SYSTEM: "kafka",
            telemetry.MESSAGING_DESTINATION: settings.assistants_topic,
            telemetry.MESSAGING_GROUP: settings.consumer_group,
        }
        batch = self._telemetry.start(
            telemetry.batch_span_name(settings.assistants_topic),
            kind=SpanKind.CLIENT,
            linked=[item.traceparent for item in mapped[:LINKS_MAX]],
            attributes={
                **common,
                telemetry.MESSAGING_OPERATION_NAME: "receive",
                telemetry.MESSAGING_OPERATION_TYPE: "receive",
                telemetry.MESSAGING_BATCH_COUNT: len(mapped),
            },
        )
        common |= {telemetry.MESSAGING_OPERATION_NAME: "process", telemetry.MESSAGING_OPERATION_TYPE: "process"}
        name = telemetry.process_span_name(settings.assistants_topic)
        records = [
            self._telemetry.start(
                name,
                kind=SpanKind.CONSUMER,
                traceparent=item.traceparent,
                linked=[item.traceparent],
                attributes={
                    **common,
                    telemetry.MESSAGING_PARTITION: str(item.record.partition),
                    telemetry.MESSAGING_OFFSET: item.record.offset,
                },
            )
            for item in mapped
        ]
        return [*records, batch]
