"""The peer that promises something: the same job as a durable workflow of DBOS, one per record, on the same PostgreSQL.

    record → workflow, its id the event's → steps: POST /tool, GET /assistant, PATCH /assistant, one row, one outcome

What a workflow takes and what each step returns is committed before the next begins (`synchronous_commit`, fsync on);
offsets are committed once the workflows of a batch are in the database. A crash repeats a step whose result was not
stored, so a lost answer to `POST /tool` makes a second tool. It has our HTTP client and no spans, both in its favour.
"""

import asyncio
import os
import signal
import sys
from collections.abc import Callable, Coroutine
from typing import Any

import uvloop
from aiokafka import ConsumerRecord
from dbos import DBOS, DBOSConfig, SetWorkflowID

from benchmarks import plain_clients
from benchmarks.plain_handler import (
    IN_FLIGHT_MAX,
    INSERT,
    POLL_MS,
    RECORDS_MAX,
    Handler,
    new_consumer,
    new_handler,
    tune_garbage_collection,
)
from benchmarks.plain_handler import read as read_record
from zerotouch_contracts.envelope import Attributes
from zerotouch_contracts.events import AssistantSaved
from zerotouch_contracts.tools import BOOK_CLINIC_APPOINTMENT_V2

STORE = f"{INSERT} ON CONFLICT DO NOTHING"
"""A step may run twice."""
Equip = Callable[[AssistantSaved, Attributes], Coroutine[Any, Any, None]]


def durable(handler: Handler) -> Equip:
    """The workflow over this handler; registered with DBOS, which must not be launched yet."""

    async def store(message: AssistantSaved, tool_id: str) -> None:
        await handler.pool.execute(STORE, message.org_id, BOOK_CLINIC_APPOINTMENT_V2.name, tool_id)

    @DBOS.workflow(name="equip")
    async def equip(message: AssistantSaved, attributes: Attributes) -> None:
        tool_id = await DBOS.run_step_async({"name": "register"}, handler.register, message.org_id)
        model = await DBOS.run_step_async({"name": "read"}, handler.model_of, message.assistant_id)
        await DBOS.run_step_async({"name": "link"}, handler.link, message.assistant_id, model, tool_id)
        await DBOS.run_step_async({"name": "store"}, store, message, tool_id)
        await DBOS.run_step_async({"name": "publish"}, handler.publish, message, attributes, tool_id)

    return equip


class Workflows:
    """Starts a workflow for each record, at most :data:`IN_FLIGHT_MAX` at once; the first failure ends the process."""

    def __init__(self, equip: Equip) -> None:
        self._equip = equip
        self._slots = asyncio.Semaphore(IN_FLIGHT_MAX)
        self._waiting: set[asyncio.Task[None]] = set()
        self.stopping = asyncio.Event()
        self.failure: BaseException | None = None

    async def start(self, record: "ConsumerRecord[bytes, bytes]") -> None:
        """Returns once the workflow is in the database."""
        await self._slots.acquire()
        message, attributes = read_record(record)
        with SetWorkflowID(str(attributes.id)):
            handle = await DBOS.start_workflow_async(self._equip, message, attributes)
        task = asyncio.create_task(handle.get_result())
        self._waiting.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._waiting.discard(task)
        self._slots.release()
        if not task.cancelled() and (error := task.exception()) is not None:
            self.failure = self.failure or error
            self.stopping.set()


async def main() -> None:
    """Build, launch, consume; DBOS has its defaults but for the spans and its log lines."""
    client = plain_clients.ours(traced=False)
    handler = await new_handler(client)
    config: DBOSConfig = {
        "name": "plain-handler",
        "system_database_url": os.environ["DATABASE_URL"],
        "log_level": "WARNING",
    }
    DBOS(config=config)
    workflows = Workflows(durable(handler))
    DBOS.launch()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, workflows.stopping.set)
    consumer: Any = await new_consumer(auto_commit=False)
    try:
        while not workflows.stopping.is_set():
            batches = await consumer.getmany(timeout_ms=POLL_MS, max_records=RECORDS_MAX)
            await asyncio.gather(*(workflows.start(record) for batch in batches.values() for record in batch))
            if batches:
                await consumer.commit()
        if workflows.failure is not None:
            raise workflows.failure
    finally:
        await consumer.stop()
        await handler.producer.stop()
        await handler.vapi.close()
        await handler.pool.close()
        DBOS.destroy()


if __name__ == "__main__":
    tune_garbage_collection()
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        sys.exit(runner.run(main()))
