"""Follows `tool-sync.outcomes.v1` with a group of its own: batches into the database, then the offsets.

What was read but not stored is read again, and repeats change nothing.
"""

from collections.abc import Sequence
from typing import Final
from uuid import UUID

import asyncpg
import structlog
from aiokafka import ConsumerRecord
from opentelemetry.trace import SpanKind

from assistant_api.db import DATABASE_AWAY, Database
from assistant_api.outcomes.apply import apply_outcomes, repair
from assistant_api.settings import Settings
from assistant_api.telemetry import own_trace_id
from zerotouch_contracts.envelope import UndecodableRecord
from zerotouch_contracts.events import AssistantDiverged, ToolsSynced, ToolSyncFailed
from zerotouch_contracts.subscriber import Delivered, PassedOver, decode
from zerotouch_platform.cooperative import ITEMS_AT_ONCE, yielding_every
from zerotouch_platform.kafka.consumer import BatchConsumer, Membership
from zerotouch_platform.loops import Wake, in_one_line
from zerotouch_platform.telemetry import Telemetry
from zerotouch_platform.traceparent import links_to, parent_context

_log: Final = structlog.get_logger()

UNSTORABLE: Final = (asyncpg.DataError, asyncpg.IntegrityConstraintViolationError)


class OutcomesHandler:
    """Handles batches, one at a time. ``wake_provisioner`` is called when a repair was asked for."""

    def __init__(self, settings: Settings, database: Database, telemetry: Telemetry, wake_provisioner: Wake) -> None:
        self._settings, self._database, self._telemetry = settings, database, telemetry
        self._wake_provisioner = wake_provisioner
        self._passed_over = PassedOver()

    async def handle(self, records: Sequence[ConsumerRecord]) -> None:
        """Store what the records say. One that cannot be read is logged with its place and passed over."""
        delivered = [
            item
            async for record in yielding_every(ITEMS_AT_ONCE, records)
            if (item := self._delivered(record)) is not None
        ]
        try:
            newest = await self._store(delivered)
        except UNSTORABLE:
            newest = await self._store_one_by_one(delivered)
        async for item in yielding_every(ITEMS_AT_ONCE, delivered):
            match item.message:
                case ToolsSynced() | ToolSyncFailed() as outcome:
                    if (outcome.org_id, outcome.agent_id, outcome.sequence) in newest:
                        self._tell(item, outcome)
                case AssistantDiverged() as diverged:
                    await self._repair(item, diverged)

    def _delivered(self, record: ConsumerRecord) -> Delivered | None:
        try:
            item = decode(record.key, record.value, record.headers)
        except UndecodableRecord as error:
            where = {"topic": record.topic, "partition": record.partition, "offset": record.offset}
            _log.error("outcome_unreadable", **where, reason=error.reason)
            return None
        if isinstance(item, Delivered):
            return item
        # What a newer type says is not shown here. Only the newest outcome counts, so its number may be left out.
        self._passed_over.note(item)
        return None

    async def _store(self, delivered: Sequence[Delivered]) -> set[tuple[UUID, str, int]]:
        async with self._database.transaction() as connection:
            return await apply_outcomes(connection, delivered)

    async def _store_one_by_one(self, delivered: Sequence[Delivered]) -> set[tuple[UUID, str, int]]:
        """The neighbours of one that the database does not take are none the worse for it."""
        newest: set[tuple[UUID, str, int]] = set()
        for item in delivered:
            try:
                newest |= await self._store([item])
            except UNSTORABLE as error:
                _log.error("outcome_unstorable", event_id=item.id, reason=in_one_line(error))
        return newest

    def _tell(self, delivered: Delivered, outcome: ToolsSynced | ToolSyncFailed) -> None:
        topic = self._settings.outcomes_topic
        with self._telemetry.span(
            f"process {topic}",
            parent=parent_context(delivered.traceparent),
            kind=SpanKind.CONSUMER,
            links=links_to([delivered.traceparent]),
            attributes={
                "messaging.system": "kafka",
                "messaging.operation.name": "process",
                "messaging.operation.type": "process",
                "messaging.destination.name": topic,
                "messaging.consumer.group.name": self._settings.consumer_group,
                "messaging.message.id": delivered.id,
            },
        ) as span:
            fields = {
                "org_id": str(outcome.org_id),
                "agent_id": outcome.agent_id,
                "assistant_id": outcome.assistant_id,
                "revision": outcome.revision,
                "sequence": outcome.sequence,
                "request_ids": [str(request.request_id) for request in outcome.requests],
                "trace_id": own_trace_id(span),
                "tools": [tool.name for tool in outcome.tools],
            }
            match outcome:
                case ToolsSynced(tools=()):
                    _log.info("No tools wanted", reason=outcome.reason, **fields)
                case ToolsSynced():
                    _log.info("Tools synced successfully", **fields)
                case ToolSyncFailed(code=code):
                    _log.warning("Tools not synced", code=code, **fields)

    async def _repair(self, delivered: Delivered, diverged: AssistantDiverged) -> None:
        async with self._database.transaction() as connection:
            result = await repair(connection, delivered, diverged, self._settings.heals_per_hour_max)
        fields = {
            "org_id": str(diverged.org_id),
            "agent_id": diverged.agent_id,
            "assistant_id": diverged.assistant_id,
            "revision": diverged.revision,
        }
        if result == "exhausted":
            _log.error("assistant_repair_stopped", per_hour_max=self._settings.heals_per_hour_max, **fields)
        else:
            _log.warning("assistant_diverged", result=result, **fields)
        if result == "healed":
            self._wake_provisioner()


def new_consumer(settings: Settings, database: Database, handler: OutcomesHandler) -> BatchConsumer:
    """A member of assistant-api's group, not connected yet."""
    membership = Membership(
        settings.kafka_bootstrap_servers,
        settings.outcomes_topic,
        settings.consumer_group,
        client_id="assistant-api",
        records_max=settings.outcomes_batch_records,
        retry_seconds_max=settings.reconnect_seconds_max,
    )
    return BatchConsumer(membership, handler.handle, transaction=database.transaction, transient=DATABASE_AWAY)
