"""A partition with much to read does not hold up the others."""

from collections.abc import Mapping
from types import SimpleNamespace
from typing import Any, cast

from aiokafka import AIOKafkaConsumer, TopicPartition

from tool_sync.intake.consumer import Batch, FairSubscriber, build
from zerotouch_contracts.kafka.clients import SteadyClient

A, B, C, D = (TopicPartition("t", number) for number in range(4))
MOST = 3


class Fetched:
    """Hands out what it has as aiokafka does: partition after partition, the first one as long as it has anything."""

    def __init__(self, records: Mapping[TopicPartition, int]) -> None:
        self.left = {partition: list(range(count)) for partition, count in records.items()}

    def assignment(self) -> set[TopicPartition]:
        return set(self.left)

    async def getmany(
        self, *partitions: TopicPartition, timeout_ms: int = 0, max_records: int = MOST
    ) -> dict[TopicPartition, list[str]]:
        found: dict[TopicPartition, list[str]] = {}
        for partition, waiting in self.left.items():
            if waiting and max_records and (not partitions or partition in partitions):
                taken, self.left[partition] = waiting[:max_records], waiting[max_records:]
                found[partition] = [f"{partition.partition}.{number}" for number in taken]
                max_records -= len(taken)
        return found


async def order_of(fetched: Fetched, batches: int) -> list[str]:
    subscriber = object.__new__(FairSubscriber)
    subscriber.max_records, subscriber.batch_timeout_ms = MOST, 1
    seen: list[Batch] = [await subscriber.get_msg(cast(AIOKafkaConsumer, fetched)) for _ in range(batches)]
    return [" ".join(map(str, batch)) for batch in seen]


async def test_after_a_full_batch_the_others_have_their_turn() -> None:
    fetched = Fetched({A: 7, B: 1, C: 0, D: 1})
    assert await order_of(fetched, 5) == ["0.0 0.1 0.2", "1.0 3.0", "0.3 0.4 0.5", "0.6", ""]


async def test_three_that_fill_every_batch_take_turns() -> None:
    fetched = Fetched({A: 6, B: 6, C: 6, D: 1})
    assert await order_of(fetched, 7) == [
        "0.0 0.1 0.2", "1.0 1.1 1.2", "2.0 2.1 2.2", "3.0", "0.3 0.4 0.5", "1.3 1.4 1.5", "2.3 2.4 2.5",
    ]  # fmt: skip


async def test_what_is_given_away_meanwhile_is_not_asked_for() -> None:
    fetched = Fetched({A: 9, B: 3})
    subscriber = object.__new__(FairSubscriber)
    subscriber.max_records, subscriber.batch_timeout_ms = MOST, 1
    await subscriber.get_msg(cast(AIOKafkaConsumer, fetched))
    del fetched.left[B]
    assert cast(Any, await subscriber.get_msg(cast(AIOKafkaConsumer, fetched))) == ("0.3", "0.4", "0.5")


async def test_the_subscriber_of_the_process_is_one() -> None:
    settings: Any = SimpleNamespace(
        kafka_bootstrap_servers="h:1", assistants_topic="t", intake_records_max=MOST, intake_poll_seconds=0.02,
        consumer_group="g", intake_session_seconds=10, intake_heartbeat_seconds=2,
        intake_database_wait_seconds_max=120,
    )  # fmt: skip

    async def handle(_: Batch) -> None:
        return

    _, subscriber = build(settings, handle)
    assert isinstance(subscriber, FairSubscriber)
    consumer = subscriber.builder(group_id="group")
    assert consumer._client._bootstrap_servers == ["h:1"]
    assert isinstance(consumer._client, SteadyClient)
    await consumer.stop()
