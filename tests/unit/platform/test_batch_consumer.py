"""Whose turn it is among partitions, and what a commit that comes too late means."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, cast

import pytest
from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition
from aiokafka.errors import CommitFailedError, IllegalGenerationError, KafkaError, UnknownMemberIdError
from structlog.testing import capture_logs

from zerotouch_contracts.kafka import Progress
from zerotouch_contracts.kafka.clients import SteadyClient
from zerotouch_platform.kafka.consumer import Batch, BatchConsumer, Membership, new_client
from zerotouch_platform.kafka.topics import KafkaUnavailable

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


async def nothing(_: Batch) -> None:
    """Take in whatever comes."""


def consumer(handle: Callable[[Batch], Awaitable[None]] = nothing) -> BatchConsumer:
    membership = Membership("h:1", "t", "g", client_id="test", records_max=MOST, retry_seconds_max=1)
    return BatchConsumer(membership, handle, transaction=cast(Any, None), transient=())


async def order_of(fetched: Fetched, batches: int) -> list[str]:
    reading = consumer()
    seen = [await reading.next_batch(cast(AIOKafkaConsumer, fetched)) for _ in range(batches)]
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
    fetched, reading = Fetched({A: 9, B: 3}), consumer()
    await reading.next_batch(cast(AIOKafkaConsumer, fetched))
    del fetched.left[B]
    assert cast(Any, await reading.next_batch(cast(AIOKafkaConsumer, fetched))) == ("0.3", "0.4", "0.5")


async def test_its_client_commits_nothing_by_itself_and_begins_at_the_beginning() -> None:
    client = new_client(Membership("h:1", "t", "g", client_id="test", records_max=MOST, retry_seconds_max=1))

    assert (client._enable_auto_commit, client._auto_offset_reset) == (False, "earliest")
    assert (client._session_timeout_ms, client._heartbeat_interval_ms) == (10_000, 2_000)
    assert client._client._bootstrap_servers == "h:1"
    assert isinstance(client._client, SteadyClient)
    await client.stop()


class Committing:
    """A client with one batch to read, whose commit ends in an error."""

    def __init__(self, error: Exception) -> None:
        self._error, self._batches = error, [{A: [ConsumerRecord("t", 0, 7, 0, 0, b"", b"", None, 0, 0, ())]}]

    def assignment(self) -> set[TopicPartition]:
        return {A}

    async def getmany(self, **_: Any) -> dict[TopicPartition, list[Any]]:
        return self._batches.pop()

    async def commit(self) -> None:
        raise self._error


@pytest.mark.parametrize("moved", [CommitFailedError(), UnknownMemberIdError(), IllegalGenerationError()])
async def test_a_commit_that_comes_after_the_partitions_have_moved_is_no_failure(moved: Exception) -> None:
    seen: list[Batch] = []

    async def handle(batch: Batch) -> None:
        seen.append(batch)
        reading.stop()

    reading = consumer(handle)
    with capture_logs() as lines:
        await reading._read(cast(AIOKafkaConsumer, Committing(moved)))
    assert [(line["event"], line["log_level"]) for line in lines] == [
        ("consumer_works", "info"), ("partitions_moved", "warning"),
    ]  # fmt: skip
    assert len(seen) == 1
    with pytest.raises(KafkaError):
        await consumer(handle)._read(cast(AIOKafkaConsumer, Committing(KafkaError())))


class Standing:
    """A client whose position stays below the end of its partition."""

    def assignment(self) -> set[TopicPartition]:
        return {A}

    def highwater(self, _: TopicPartition) -> int:
        return 9

    async def position(self, _: TopicPartition) -> int:
        return 4


async def test_who_stands_still_is_to_be_restarted_but_not_while_the_broker_is_down(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    reading, now = consumer(), [0.0]
    progress = Progress(lambda: now[0])
    await progress.look(Standing(), busy=False)
    monkeypatch.setattr(reading, "_progress", progress)
    now[0] = 200.0
    assert reading.wedged == "records are waiting, and none has been read for 200 s"

    async def down(*_: object) -> None:
        reading.stop()
        raise KafkaUnavailable("nobody answers")

    monkeypatch.setattr("zerotouch_platform.kafka.consumer.require_topics", down)
    await reading.run_forever()
    assert reading.wedged is None
