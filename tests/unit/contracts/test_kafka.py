"""Kafka's clients, while the broker is away: they end when they are told to, and do not ask as fast as they can."""

import asyncio
import inspect
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio
from aiokafka import AIOKafkaProducer, TopicPartition
from aiokafka.client import AIOKafkaClient
from aiokafka.conn import AIOKafkaConnection
from aiokafka.errors import KafkaConnectionError
from aiokafka.protocol.metadata import MetadataRequest, MetadataResponse_v0
from tests.support.eventually import eventually

from zerotouch_contracts.kafka import drop_consumer, drop_producer, new_admin, new_consumer, new_producer
from zerotouch_contracts.kafka.clients import SteadyConnection

pytestmark = pytest.mark.asyncio(loop_scope="function")  # other tests' clients have tasks in the session's loop

PARTITION = TopicPartition("topic", 0)
BROKER, NOBODY = 1, -1


class Refusing:
    """A port where a broker was: whoever connects is cut off at once."""

    def __init__(self) -> None:
        self.port, self.connections = 0, 0
        self.was_asked = asyncio.Event()

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    def connected(self, _: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self.was_asked.set()
        writer.close()


@pytest_asyncio.fixture(loop_scope="function")
async def gone() -> AsyncIterator[Refusing]:
    refusing = Refusing()
    async with await asyncio.start_server(refusing.connected, "127.0.0.1", 0) as server:
        refusing.port = server.sockets[0].getsockname()[1]
        yield refusing


@pytest_asyncio.fixture(loop_scope="function")
async def tasks() -> set["asyncio.Task[object]"]:
    """Those that run before the test."""
    return asyncio.all_tasks()


async def left(tasks: set["asyncio.Task[object]"]) -> set["asyncio.Task[object]"]:
    """Those that run now and did not run then, without the port's own ends; what was cancelled is let through first."""
    await asyncio.sleep(0)
    others = asyncio.all_tasks() - tasks - {asyncio.current_task()}
    return {task for task in others if innermost(task) != "_accept_connection2"}


def has_known(client: AIOKafkaClient, gone: Refusing, leader: int) -> None:
    """Let a client be as if it had been connected to the broker before it went away."""

    async def bootstrapped() -> None:
        client._sync_task = asyncio.create_task(client._md_synchronizer())

    metadata = MetadataResponse_v0([(BROKER, "127.0.0.1", gone.port)], [(0, "topic", [(0, 0, leader, [1], [1])])])
    client.cluster.update_metadata(metadata)
    client.bootstrap = bootstrapped


async def sending(gone: Refusing, leader: int) -> AIOKafkaProducer:
    """A producer with a record that it cannot send."""
    producer = new_producer(gone.address, "test", batch_bytes=1000, linger_ms=0, request_seconds_max=5)
    has_known(producer.client, gone, leader)
    producer._txn_manager.set_pid_and_epoch(1, 0)
    await producer.start()
    await producer.send(PARTITION.topic, b"value", partition=PARTITION.partition)
    return producer


def innermost(task: "asyncio.Task[object]") -> str:
    """The coroutine that a task waits in."""
    inner: Any = task.get_coro()
    while inspect.iscoroutine(waited_for := inner.cr_await):
        inner = waited_for
    return str(inner.__name__)


async def never() -> None:
    """An end that does not come."""
    await asyncio.Event().wait()


@pytest.mark.parametrize("leader", [BROKER, NOBODY])
async def test_a_producer_asks_ten_times_a_second_at_most(gone: Refusing, leader: int) -> None:
    producer = await sending(gone, leader)
    await asyncio.sleep(0.5)  # the time in which it must not ask more often
    assert 0 < gone.connections <= 2 * 6, "a request and a question for the leader each time"
    await drop_producer(producer)


class Closed:
    """The writer of a connection that uvloop has closed."""

    def write(self, _: bytes) -> None:
        raise RuntimeError("unable to perform operation on <TCPTransport closed=True>; the handler is closed")

    def close(self) -> None:
        return


async def test_a_connection_that_is_gone_for_uvloop_is_gone() -> None:
    connection = SteadyConnection("127.0.0.1", 1)
    connection._reader, connection._writer = asyncio.StreamReader(), Closed()
    connection._read_task = asyncio.create_task(asyncio.sleep(0))
    connection._versions = {MetadataRequest.API_KEY: (0, 0)}
    assert connection.connected()
    with pytest.raises(KafkaConnectionError, match="the handler is closed"):
        connection.send(MetadataRequest([]))
    assert not connection.connected()


async def test_every_connection_is_of_that_kind(monkeypatch: pytest.MonkeyPatch) -> None:
    made = AIOKafkaConnection("127.0.0.1", 1)

    async def connected(*_: object, **__: object) -> AIOKafkaConnection:
        return made

    monkeypatch.setattr(AIOKafkaClient, "_get_conn", connected)
    consumer = new_consumer(bootstrap_servers="127.0.0.1:1", group_id=None)
    assert type(await consumer._client._get_conn(BROKER)) is SteadyConnection
    await consumer.stop()


@pytest.mark.parametrize("leader", [BROKER, NOBODY])
async def test_a_dropped_producer_leaves_nothing(
    gone: Refusing, leader: int, tasks: set["asyncio.Task[object]"]
) -> None:
    producer = await sending(gone, leader)
    await gone.was_asked.wait()
    assert await drop_producer(producer) is None
    assert not await left(tasks)


async def test_a_dropped_consumer_leaves_nothing(gone: Refusing, tasks: set["asyncio.Task[object]"]) -> None:
    consumer = new_consumer(bootstrap_servers=gone.address, group_id=None, retry_backoff_ms=60_000)
    has_known(consumer._client, gone, BROKER)
    await consumer.start()
    consumer.assign([PARTITION])
    consumer.seek(PARTITION, 0)

    async def waits_before_its_next_request() -> bool:
        return any(innermost(task) == "sleep" for task in consumer._fetcher._pending_tasks)

    await eventually(waits_before_its_next_request)  # where its own stop() would raise CancelledError
    assert await drop_consumer(consumer, seconds_max=1) == "it was in the middle of a request"
    assert not await left(tasks)


async def test_a_consumer_that_does_not_end_in_time_is_cut_off(
    gone: Refusing, tasks: set["asyncio.Task[object]"]
) -> None:
    consumer = new_consumer(PARTITION.topic, bootstrap_servers=gone.address, group_id="group")
    has_known(consumer._client, gone, BROKER)
    starting = asyncio.create_task(consumer.start())
    await gone.was_asked.wait()  # it looks for its group's coordinator
    consumer.stop = never
    assert await drop_consumer(consumer, 0.1) == "no answer in time"
    starting.cancel()
    await asyncio.wait([starting])
    assert not await left(tasks)


async def test_whoever_drops_a_client_can_be_cancelled(gone: Refusing) -> None:
    consumer = new_consumer(bootstrap_servers=gone.address, group_id=None)
    consumer.stop = never
    dropping = asyncio.create_task(drop_consumer(consumer, 60))
    await asyncio.sleep(0)  # it begins to wait for an end
    dropping.cancel()
    with pytest.raises(asyncio.CancelledError):
        await dropping


async def test_who_is_cancelled_while_it_closes_a_client_is_cancelled(gone: Refusing) -> None:
    admin, ends = new_admin(gone.address), asyncio.Event()

    async def ending_slowly() -> None:
        try:
            await never()
        finally:
            ends.set()
            await asyncio.sleep(0)

    admin._client._sync_task = asyncio.create_task(ending_slowly())
    await asyncio.sleep(0)  # it has begun
    closing = asyncio.create_task(admin.close())
    await ends.wait()
    closing.cancel()
    await asyncio.wait([closing])
    assert closing.cancelled()
