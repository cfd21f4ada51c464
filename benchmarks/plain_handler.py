"""The peer: what one would write first. It does the same work and survives nothing.

    record → POST /tool, GET /assistant, PATCH /assistant → one row → one outcome

A task per record, at most 1,000 at once; offsets are committed by the client's timer. No log, no fence, no look for
duplicates, no retry, no order: a crash loses what was in flight, a repeated record makes a second tool. Event loop,
garbage collector and pool size are as in tool-sync, with one span per record, call and outcome. The argument names
the client and the spans (`plain_clients`): `httpx` or `ours`.
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
from opentelemetry.trace import SpanKind, Tracer

from benchmarks.plain_clients import CLIENTS, Client, Vapi
from tool_sync import telemetry
from tool_sync.cli.run import GARBAGE_ALLOCATIONS
from zerotouch_contracts.envelope import Attributes, from_record, to_record
from zerotouch_contracts.events import AssistantSaved, SettledRequest, SyncedTool, ToolsSynced
from zerotouch_contracts.tools import BOOK_CLINIC_APPOINTMENT_V2, ORGANIZATION_PARAMETER, VERSION_PARAMETER
from zerotouch_platform.traceparent import parent_context, trace_id_of, traceparent_of

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
    vapi: Vapi
    tracer: Tracer
    outcomes_topic: str
    template: Mapping[str, Any]
    log_id: UUID

    async def handle(self, message: AssistantSaved, attributes: Attributes) -> None:
        """Register the tool, link it, write the row, publish the outcome."""
        tool_id = await self.register(message.org_id)
        await self.link(message.assistant_id, await self.model_of(message.assistant_id), tool_id)
        await self.pool.execute(INSERT, message.org_id, BOOK_CLINIC_APPOINTMENT_V2.name, tool_id)
        await self.publish(message, attributes, tool_id)

    async def register(self, org_id: UUID) -> str:
        """Make the clinic's tool; returns its id."""
        tool_id = (await self.vapi.create_tool(_payload(self.template, org_id)))["id"]
        assert isinstance(tool_id, str)
        return tool_id

    async def model_of(self, assistant_id: str) -> dict[str, Any]:
        """The assistant's model as it is now."""
        model: dict[str, Any] = (await self.vapi.get_assistant(assistant_id))["model"]
        return model

    async def link(self, assistant_id: str, model: Mapping[str, Any], tool_id: str) -> None:
        """Write the model with the tool in it."""
        linked = {**model, "toolIds": [*model.get("toolIds", ()), tool_id]}
        await self.vapi.update_assistant(assistant_id, {"model": linked})

    async def publish(self, message: AssistantSaved, attributes: Attributes, tool_id: str) -> None:
        """Send the outcome; returns once the broker has it."""
        with self.tracer.start_as_current_span(
            telemetry.send_span_name(self.outcomes_topic),
            kind=SpanKind.PRODUCER,
            attributes={telemetry.MESSAGING_SYSTEM: "kafka", telemetry.MESSAGING_DESTINATION: self.outcomes_topic},
        ) as span:
            record = to_record(
                _outcome(message, attributes, tool_id),
                id=uuid4(),
                time=datetime.now(UTC),
                log_id=self.log_id,
                traceparent=traceparent_of(span),
            )
            await self.producer.send_and_wait(
                self.outcomes_topic, record.value, key=record.key, headers=list(record.headers)
            )


def _outcome(message: AssistantSaved, attributes: Attributes, tool_id: str) -> ToolsSynced:
    return ToolsSynced(
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
        task = asyncio.create_task(self._process(record))
        self._tasks.add(task)
        task.add_done_callback(self._ended)

    async def _process(self, record: "ConsumerRecord[bytes, bytes]") -> None:
        message, attributes = read(record)
        with self._handler.tracer.start_as_current_span(
            telemetry.process_span_name(self._topic),
            context=parent_context(attributes.traceparent),
            kind=SpanKind.CONSUMER,
            attributes={
                telemetry.MESSAGING_SYSTEM: "kafka",
                telemetry.MESSAGING_DESTINATION: self._topic,
                telemetry.MESSAGING_MESSAGE_ID: attributes.id,
            },
        ):
            await self._handler.handle(message, attributes)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        self._slots.release()
        if not task.cancelled() and (error := task.exception()) is not None:
            self.failure = self.failure or error
            self.stopping.set()


def read(record: "ConsumerRecord[bytes, bytes]") -> tuple[AssistantSaved, Attributes]:
    """The save in a record."""
    message, attributes = from_record(record.key, record.value, record.headers)
    assert isinstance(message, AssistantSaved), f"the topic holds saves only, found {type(message).__name__}"
    return message, attributes


async def _nothing_to_reset(_: object) -> None:
    """No session state is used; tool-sync's pool saves the same round trip."""


async def new_handler(client: Client) -> Handler:
    """A handler with its pool and its producer, started, over its own new table."""
    env = os.environ
    pool = await asyncpg.create_pool(
        env["DATABASE_URL"], min_size=POOL_SIZE, max_size=POOL_SIZE, reset=_nothing_to_reset
    )
    await pool.execute(CREATE)
    producer = AIOKafkaProducer(
        bootstrap_servers=env["KAFKA_BOOTSTRAP_SERVERS"], linger_ms=5, max_batch_size=256 * 1024
    )
    await producer.start()
    template = BOOK_CLINIC_APPOINTMENT_V2.vapi_payload(
        UUID(int=0), server_url=env["TOOL_SERVER_URL"], installation_id=UUID(env["INSTALLATION_ID"])
    )
    return Handler(pool, producer, client.vapi, client.tracer, env["OUTCOMES_TOPIC"], template, log_id=uuid4())


async def new_consumer(*, auto_commit: bool) -> AIOKafkaConsumer:
    """A consumer of the saves, started."""
    env = os.environ
    consumer: Any = AIOKafkaConsumer(
        env["ASSISTANTS_TOPIC"],
        bootstrap_servers=env["KAFKA_BOOTSTRAP_SERVERS"],
        group_id=env["CONSUMER_GROUP"],
        auto_offset_reset="earliest",
        enable_auto_commit=auto_commit,
    )
    await consumer.start()
    return consumer


async def main(client: Client) -> None:
    """Build, consume, close."""
    handler = await new_handler(client)
    consumer = await new_consumer(auto_commit=True)
    loop = Loop(consumer, handler, os.environ["ASSISTANTS_TOPIC"])
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, loop.stopping.set)
    try:
        await loop.run()
    finally:
        await consumer.stop()
        await handler.producer.stop()
        await handler.vapi.close()
        await handler.pool.close()
        await client.flush()


def tune_garbage_collection() -> None:
    """As `tool-sync run` does it."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(GARBAGE_ALLOCATIONS, 20, 100)


async def start(name: str) -> None:
    """Run with the client of this name, which belongs to the event loop that it is made in."""
    await main(CLIENTS[name]())


if __name__ == "__main__":
    tune_garbage_collection()
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        sys.exit(runner.run(start(sys.argv[1])))
