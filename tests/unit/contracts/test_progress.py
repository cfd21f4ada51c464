"""When a consumer counts as standing still."""

import asyncio

import pytest

from zerotouch_contracts.kafka import ConsumerStuck, Progress, Watch


class Consumer:
    """What is looked at of a consumer: partition -> (position, end)."""

    def __init__(self, **partitions: tuple[int, int | None]) -> None:
        self.partitions = partitions

    def assignment(self) -> set[str]:
        return set(self.partitions)

    def highwater(self, partition: str) -> int | None:
        return self.partitions[partition][1]

    async def position(self, partition: str) -> int:
        return self.partitions[partition][0]


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


async def looks(*consumers: Consumer, busy: bool = False) -> float:
    """Look once every 10 s; returns how long it stands still after the last look."""
    clock = Clock()
    progress = Progress(clock)
    for consumer in consumers:
        clock.now += 10
        await progress.look(consumer, busy=busy)
    return progress.still_seconds()


@pytest.mark.parametrize(
    "consumer", [Consumer(), Consumer(a=(5, 5)), Consumer(a=(0, None)), Consumer(a=(0, 0), b=(7, 7))]
)
async def test_with_nothing_to_fetch_nothing_stands_still(consumer: Consumer) -> None:
    assert await looks(consumer, consumer, consumer) == 0


async def test_waiting_records_at_one_position_stand_still_since_they_were_first_seen() -> None:
    assert await looks(Consumer(a=(5, 9)), Consumer(a=(5, 9)), Consumer(a=(5, 12))) == 20


async def test_a_moving_partition_is_progress() -> None:
    assert await looks(Consumer(a=(5, 9)), Consumer(a=(5, 9)), Consumer(a=(6, 9))) == 0


async def test_a_batch_in_hand_is_not_standing_still() -> None:
    assert await looks(Consumer(a=(5, 9)), Consumer(a=(5, 9)), Consumer(a=(5, 9)), busy=True) == 0


async def test_it_ends_when_the_end_is_reached() -> None:
    assert await looks(Consumer(a=(5, 9)), Consumer(a=(5, 9)), Consumer(a=(9, 9))) == 0


class Owner:
    """Has tasks by name."""

    def __init__(self, **tasks: "asyncio.Future[None] | None") -> None:
        self.__dict__.update(tasks)


def watched(consumer: Consumer, **ended: bool) -> Consumer:
    """The consumer with its three tasks, those that are named ``ended`` done."""

    def task(name: str) -> "asyncio.Future[None]":
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        if ended.get(name):
            future.set_result(None)
        return future

    consumer.__dict__.update(
        _coordinator=Owner(_coordination_task=task("coordination")),
        _fetcher=Owner(_fetch_task=task("fetching")),
        _client=Owner(_sync_task=task("metadata")),
    )
    return consumer


async def look_every_ten_seconds(watch: Watch, clock: Clock, consumer: Consumer, *, times: int) -> None:
    for _ in range(times):
        clock.now += 10
        await watch.look(consumer)


@pytest.mark.parametrize("name", ["coordination", "fetching", "metadata"])
async def test_a_consumer_without_one_of_its_tasks_is_stuck(name: str) -> None:
    clock = Clock()
    watch = Watch(10, 60, clock)
    consumer = watched(Consumer(a=(5, 5)), **{name: True})
    await watch.look(consumer)  # it is not time to look
    clock.now += 10
    with pytest.raises(ConsumerStuck, match=name):
        await watch.look(consumer)


async def test_a_consumer_that_stands_still_is_stuck_after_a_while() -> None:
    clock = Clock()
    watch = Watch(10, 60, clock)
    consumer = watched(Consumer(a=(5, 9)))
    await look_every_ten_seconds(watch, clock, consumer, times=7)
    with pytest.raises(ConsumerStuck, match="70 s"):
        await look_every_ten_seconds(watch, clock, consumer, times=1)


async def test_one_with_nothing_to_read_is_not() -> None:
    clock = Clock()
    watch = Watch(10, 60, clock)
    await look_every_ten_seconds(watch, clock, watched(Consumer(a=(9, 9))), times=20)
