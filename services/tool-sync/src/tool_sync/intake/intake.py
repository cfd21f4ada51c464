"""What happens to a batch: every record is decoded, all are appended in one call, poison is set aside; then, and only
then, the offsets are committed.

It never calls Vapi, so no slow call blocks a partition. While the database is away the batch is refused: nothing is
committed, it comes again, and as ids and offsets make repeats harmless, nothing is lost or stored twice.
"""

import time
from collections.abc import Sequence
from typing import Final

import structlog
from opentelemetry.trace import Span, SpanKind

from tool_sync import db, telemetry
from tool_sync.db import Pool
from tool_sync.intake.dead_letters import describe, set_aside
from tool_sync.intake.mapping import Poison, Readable, as_poison, read_record
from tool_sync.log import AppendRejected, AppendRequest, AppendResult, EventLog, LogUnavailable
from tool_sync.settings import Settings
from zerotouch_platform.kafka.consumer import Batch
from zerotouch_platform.loops import in_one_line
from zerotouch_platform.telemetry import LINKS_MAX, Telemetry

log = structlog.get_logger(__name__)

_SCHEMA_CLASS: Final = "42"
"""SQLSTATE class of missing tables, functions and rights: the deployment is not finished. No record is to blame."""

_DATABASE_AWAY: Final = (LogUnavailable, *db.WAITED_OUT_ERRORS)


class DatabaseAway(Exception):
    """The batch could not be stored; the message says why."""


class Intake:
    """Handles batches, one at a time."""

    def __init__(self, settings: Settings, event_log: EventLog, pool: Pool, telemetry: Telemetry) -> None:
        self._settings, self._event_log, self._pool, self._telemetry = settings, event_log, pool, telemetry
        self._is_refused = False

    async def handle(self, batch: Batch) -> None:
        """Take a batch in. When it returns, every record is an event, a duplicate or a dead letter.

        Raises :class:`DatabaseAway` where that could not be had; nothing must be committed then.
        """
        began_ns = time.time_ns()
        mapped = [read_record(record) for record in batch]
        try:
            await self._store(mapped)
        except Exception as error:
            self._trace_refusal(mapped, began_ns, error)
            if isinstance(error, _DATABASE_AWAY):
                raise DatabaseAway(f"the database is away: {in_one_line(error)}") from error
            raise
        self._is_refused = False
        if self._telemetry.enabled:
            self._batch_span(mapped, began_ns).end()
            self._trace_records(mapped, began_ns)

    async def _store(self, mapped: Sequence[Readable | Poison]) -> None:
        requests = [item.request for item in mapped if item.request is not None]
        answers = iter(await self._append(requests))
        poison = [item for item in mapped if isinstance(item, Poison)]
        refused: list[Poison] = []
        for item in mapped:
            answer = next(answers) if item.request is not None else None
            if isinstance(answer, AppendRejected):
                if not answer.is_poison:
                    log.error("intake: the log refused a record that should fit", reason=str(answer))
                if isinstance(item, Readable):
                    refused.append(as_poison(item, f"the log refuses it: {answer.sqlstate}"))
        if refused:
            later = [item.request for item in refused if item.request is not None]
            for answer in await self._append(later):
                if isinstance(answer, AppendRejected):
                    log.error("intake: a save gets no outcome", reason=str(answer))
        if poison := [*poison, *refused]:
            await set_aside(self._pool, poison)
            log.warning("intake: records set aside as dead letters", count=len(poison), records=describe(poison[:10]))

    async def _append(self, requests: Sequence[AppendRequest]) -> list[AppendResult | AppendRejected]:
        answers = await self._event_log.append_all(requests)
        for answer in answers:
            if isinstance(answer, AppendRejected) and (answer.sqlstate or "").startswith(_SCHEMA_CLASS):
                raise LogUnavailable(answer.stream, 0.0, answer.reason)
        return answers

    def _trace_refusal(self, mapped: Sequence[Readable | Poison], began_ns: int, error: Exception) -> None:
        """One span of the batch, not one at each retry: an outage would fill the collector with the same records."""
        if self._telemetry.enabled and not self._is_refused:
            span = self._batch_span(mapped, began_ns)
            span.set_attribute(telemetry.ERROR_TYPE, type(error).__name__)
            span.end()
        self._is_refused = True

    def _batch_span(self, mapped: Sequence[Readable | Poison], began_ns: int) -> Span:
        """The span of a batch, linked to its records."""
        return self._telemetry.start(
            telemetry.batch_span_name(self._settings.assistants_topic),
            kind=SpanKind.CLIENT,
            linked=[item.traceparent for item in mapped[:LINKS_MAX]],
            attributes={
                **self._attributes("receive"),
                telemetry.MESSAGING_BATCH_COUNT: len(mapped),
            },
            start_time_ns=began_ns,
        )

    def _trace_records(self, mapped: Sequence[Readable | Poison], began_ns: int) -> None:
        """A span per record, in the record's own trace."""
        common, name = self._attributes("process"), telemetry.process_span_name(self._settings.assistants_topic)
        for item in mapped:
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
                start_time_ns=began_ns,
            ).end()

    def _attributes(self, operation: str) -> dict[str, str]:
        return {
            telemetry.MESSAGING_SYSTEM: "kafka",
            telemetry.MESSAGING_DESTINATION: self._settings.assistants_topic,
            telemetry.MESSAGING_GROUP: self._settings.consumer_group,
            telemetry.MESSAGING_OPERATION_NAME: operation,
            telemetry.MESSAGING_OPERATION_TYPE: operation,
        }
