"""The peer: what one would write first. It does the same work and survives nothing.

    record → POST /tool, GET /assistant, PATCH /assistant → one row → one outcome

A task per record, at most 1,000 at once; offsets are committed by the client's timer. No log, no fence, no look for
duplicates, no retry, no order: a crash loses what was in flight, a repeated record makes a second tool. HTTP client,
event loop, garbage collector, tracing and pool size are as in tool-sync, with one span per record, call and outcome.
"""

import asyncio
import gc
import os
import signal
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import uvloop
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, ConsumerRecord
from opentelemetry.trace import SpanKind

from tool_sync import telemetry
from tool_sync.cli.run import GARBAGE_ALLOCATIONS
from tool_sync.vapi.client import VapiClient
from zerotouch_contracts.envelope import Attributes, from_record, to_record
from zerotouch_contracts.events import AssistantSaved, SettledRequest, SyncedTool, ToolsSynced
from zerotouch_contracts.tools import BOOK_CLINIC_APPOINTMENT_V2, ORGANIZATION_PARAMETER, VERSION_PARAMETER
from zerotouch_platform.telemetry import Telemetry, context_of
from zerotouch_platform.traceparent import trace_id_of, traceparent_of
from zerotouch_platform.vapi.transport import PooledTransport

IN_FLIGHT_MAX = 1_000
RECORDS_MAX = 500
POLL_MS = 20
POOL_SIZE = 10
CREATE = """
    CREATE TABLE org_tools (
        org_id uuid NOT NULL, tool_name varchar(255) NOT NULL, vapi_tool_id varchar(255) NOT NULL,
        updated_at timestamptz NOT NULL DEFAULT now(), PRIMARY KEY (org_id, tool_name)
    )
"""
INSERT = "INSERT INTO org_tools (org_id, tool_name, vapi_tool_id) VALUES ($1, $2, $3)"


@dataclass(frozen=True, slots=True)
class Handler:
    """Does the work of one record at a time, many at once."""

    pool: "asyncpg.Pool[asyncpg.Record]"
    producer: AIOKafkaProducer
    vapi: VapiClient
    tracing: Telemetry
    outcomes_topic: str
    template: Mapping[str, Any]
    log_id: UUID

    async def handle(self, message: AssistantSaved, attributes: Attributes) -> None:
        """Register the tool, link it, write the row, publish the outcome."""
        tool = await self.vapi.create_tool(_payload(self.template, message.org_id))
        assistant = await self.vapi.get_assistant(message.assistant_id)
        model = dict(assistant["model"])
        model["toolIds"] = [*model.get("toolIds", ()), tool["id"]]
        await self.vapi.update_assistant(message.assistant_id, {"model": model})
        await self.pool.execute(INSERT, message.org_id, BOOK_CLINIC_APPOINTMENT_V2.name, tool["id"])
        await self._publish(message, attributes, tool["id"])

    async def _publish(self, message: AssistantSaved, attributes: Attributes, tool_id: str) -> None:
        outcome = ToolsSynced(
            org_id=message.org_id,
            sequence=1,
            agent_id=message.agent_id,
            assistant_id=message.assistant_id,
            revision=message.revision,
            tools=(
                SyncedTool(
                    name=BOOK_CLINIC_APPOINTMENT_V2.name,
                    vapi_tool_id=tool_id,
                    definition_version=BOOK_CLINIC_APPOINTMENT_V2.version,
                ),
            ),
            requests=(SettledRequest(request_id=message.request_id, trace_id=trace_id_of(attributes.traceparent)),),
        )
        span = self.tracing.start_child(
            telemetry.send_span_name(self.outcomes_topic),
            kind=SpanKind.PRODUCER,
            attributes={telemetry.MESSAGING_SYSTEM: "kafka", telemetry.MESSAGING_DESTINATION: self.outcomes_topic},
        )
        record = to_record(
            outcome,
            id=uuid4(),
            time=datetime.now(UTC),
            log_id=self.log_id,
            traceparent=traceparent_of(span),
        )
        await self.producer.send_and_wait(
            self.outcomes_topic, record.value, key=record.key, headers=list(record.headers)
        )
        span.end()


def _payload(template: Mapping[str, Any], org_id: UUID) -> dict[str, Any]:
    """The tool of one org: all but its static parameters is the same for every org, and is made once."""
    return {
        **template,
        "parameters": [
            {"key": ORGANIZATION_PARAMETER, "value": str(org_id)},
            {"key": VERSION_PARAMETER, "value": BOOK_CLINIC_APPOINTMENT_V2.version},
        ],
    }


class Loop:
    """Takes records and starts a task for each; the first failure ends the process."""

    def __init__(self, consumer: AIOKafkaConsumer, handler: Handler, topic: str) -> None:
        self._consumer, self._handler, self._topic = consumer, handler, topic
        self._slots = asyncio.Semaphore(IN_FLIGHT_MAX)
        self._tasks: set[asyncio.Task[None]] = set()
        self.stopping = asyncio.Event()
        self.failure: BaseException | None = None

    async def run(self) -> None:
        """Consume until stopped."""
        while not self.stopping.is_set():
            batches = await self._consumer.getmany(timeout_ms=POLL_MS, max_records=RECORDS_MAX)
            for batch in batches.values():
                for record in batch:
                    await self._slots.acquire()
                    self._start(record)
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self.failure is not None:
            raise self.failure

    def _start(self, record: "ConsumerRecord[bytes, bytes]") -> None:
        message, attributes = from_record(record.key, record.value, record.headers)
        assert isinstance(message, AssistantSaved), f"the topic holds saves only, found {type(message).__name__}"
        span = self._handler.tracing.start(
            telemetry.process_span_name(self._topic),
            kind=SpanKind.CONSUMER,
            traceparent=attributes.traceparent,
            linked=(attributes.traceparent,),
            attributes={
                telemetry.MESSAGING_SYSTEM: "kafka",
                telemetry.MESSAGING_DESTINATION: self._topic,
                telemetry.MESSAGING_MESSAGE_ID: attributes.id,
            },
        )
        task = asyncio.create_task(self._handler.handle(message, attributes), context=context_of(span))
        self._tasks.add(task)

        def ended(done: asyncio.Task[None]) -> None:
            span.end()
            self._tasks.discard(done)
            self._slots.release()
            if not done.cancelled() and (error := done.exception()) is not None:
                self.failure = self.failure or error
                self.stopping.set()

        task.add_done_callback(ended)


async def _nothing_to_reset(_: object) -> None:
    """No session state is used; tool-sync's pool saves the same round trip."""


async def main() -> None:
    """Build, consume, close."""
    env = os.environ
    servers, topic = env["KAFKA_BOOTSTRAP_SERVERS"], env["ASSISTANTS_TOPIC"]
    tracing = telemetry.set_up(env["OTEL_EXPORTER_OTLP_ENDPOINT"])
    pool = await asyncpg.create_pool(
        env["DATABASE_URL"], min_size=POOL_SIZE, max_size=POOL_SIZE, reset=_nothing_to_reset
    )
    await pool.execute(CREATE)
    producer = AIOKafkaProducer(bootstrap_servers=servers, linger_ms=5, max_batch_size=256 * 1024)
    await producer.start()
    vapi = VapiClient(
        env["VAPI_BASE_URL"],
        lambda: env["VAPI_API_KEY"],
        account="platform",
        deadline_seconds=10,
        transport=PooledTransport(IN_FLIGHT_MAX),
        telemetry=tracing,
    )
    consumer: Any = AIOKafkaConsumer(
        topic, bootstrap_servers=servers, group_id=env["CONSUMER_GROUP"], auto_offset_reset="earliest"
    )
    await consumer.start()
    template = BOOK_CLINIC_APPOINTMENT_V2.vapi_payload(
        UUID(int=0), server_url=env["TOOL_SERVER_URL"], installation_id=UUID(env["INSTALLATION_ID"])
    )
    handler = Handler(pool, producer, vapi, tracing, env["OUTCOMES_TOPIC"], template, log_id=uuid4())
    loop = Loop(consumer, handler, topic)
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, loop.stopping.set)
    try:
        await loop.run()
    finally:
        await consumer.stop()
        await producer.stop()
        await vapi.close()
        await pool.close()
        await tracing.shutdown()


def tune_garbage_collection() -> None:
    """As `tool-sync run` does it."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(GARBAGE_ALLOCATIONS, 20, 100)


if __name__ == "__main__":
    tune_garbage_collection()
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        sys.exit(runner.run(main()))
