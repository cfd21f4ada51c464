"""The kit on the fleet's topic and a real broker: follow it, rebuild from it or from the feed, go on, miss nothing."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from uuid import UUID, uuid4

import pytest
from faststream.kafka import KafkaBroker
from tests.support.eventually import eventually

from devstack.fixtures import TestKafka
from zerotouch_contracts.fleet import ToolRetired, ToolUpdated, rollout_key
from zerotouch_contracts.subscriber import FleetDelivered, FleetReader, Marks
from zerotouch_contracts.subscriber.faststream import follow_fleet
from zerotouch_contracts.testing import FleetMemoryFeed, FleetSamples, record_of
from zerotouch_contracts.testing.fixtures import fleet_feed as fleet_feed
from zerotouch_contracts.testing.fixtures import fleet_samples as fleet_samples

from .test_faststream_subscriber import send


class Notices:
    """What each clinic has of its tool, as it was told, in memory."""

    def __init__(self) -> None:
        self.versions: dict[UUID, int | None] = {}
        self.marks = Marks()

    async def load(self) -> Marks:
        return self.marks

    async def apply(self, batch: Sequence[FleetDelivered], marks: Marks) -> None:
        for one in batch:
            match one.message:
                case ToolUpdated(version=version):
                    self.versions[one.key] = version
                case ToolRetired():
                    self.versions[one.key] = None
        self.marks = Marks(marks.log_id, {**self.marks.last, **marks.last}, marks.position)

    async def wipe(self) -> None:
        self.versions, self.marks = {}, Marks()


@pytest.fixture
async def topic(kafka: TestKafka) -> str:
    return await kafka.create_topic("fleet", partitions=3)


def made(samples: FleetSamples) -> list[FleetDelivered]:
    samples.rollout_started()
    for org in ("a", "b"):
        samples.announced(org)
        samples.updated(org)
    samples.rollout_ended()
    samples.retired("a")
    return samples.made


def expected(samples: FleetSamples) -> dict[UUID, int | None]:
    return {samples.org("a"): None, samples.org("b"): 2}


@asynccontextmanager
async def running(reader: FleetReader) -> AsyncIterator[None]:
    following = asyncio.create_task(reader.run_forever())
    try:
        yield
    finally:
        await reader.stop()
        await following


async def has(state: Notices, versions: dict[UUID, int | None], rollout: int) -> bool:
    last = state.marks.last.get(rollout_key("3f9c1a2b"))
    return state.versions == versions and last is not None and last.sequence == rollout


@pytest.mark.parametrize("way", ["topic", "feed"])
async def test_it_is_rebuilt_either_way_and_goes_on_with_the_topic(
    kafka: TestKafka, topic: str, fleet_samples: FleetSamples, fleet_feed: FleetMemoryFeed, way: str
) -> None:
    await send(kafka, topic, *(record_of(one) for one in made(fleet_samples)))
    state, group = Notices(), f"group-{uuid4()}"
    reader = FleetReader(kafka.bootstrap_servers, group, state=state, feed=fleet_feed, topic=topic)
    await (reader.rebuild_from_topic() if way == "topic" else reader.rebuild_from_feed())
    assert await has(state, expected(fleet_samples), 2)
    later = [fleet_samples.updated("a", version=3), fleet_samples.rollout_ended(how="rolled_back")]
    await send(kafka, topic, *(record_of(one) for one in later))
    async with running(reader):
        await eventually(lambda: has(state, {**expected(fleet_samples), fleet_samples.org("a"): 3}, 3))


async def test_what_was_lost_on_the_way_is_filled_in_and_repeats_are_left_out(
    kafka: TestKafka, topic: str, fleet_samples: FleetSamples, fleet_feed: FleetMemoryFeed
) -> None:
    all_of_it = made(fleet_samples)
    kept = [one for one in all_of_it if one.sequence not in (1, 2) or one.key == rollout_key("3f9c1a2b")]
    await send(kafka, topic, *(record_of(one) for one in [*kept, *kept]))  # of clinic a its newest alone, of b nothing
    state = Notices()
    reader = FleetReader(kafka.bootstrap_servers, f"group-{uuid4()}", state=state, feed=fleet_feed, topic=topic)
    async with running(reader):
        await eventually(lambda: has(state, {fleet_samples.org("a"): None}, 2))
    assert state.marks.last[fleet_samples.org("a")].sequence == 3


async def test_a_faststream_application_follows_it_too(
    kafka: TestKafka, topic: str, fleet_samples: FleetSamples, fleet_feed: FleetMemoryFeed
) -> None:
    await send(kafka, topic, *(record_of(one) for one in made(fleet_samples)))
    state, broker = Notices(), KafkaBroker(kafka.bootstrap_servers)
    follow_fleet(broker, f"group-{uuid4()}", state=state, feed=fleet_feed, topic=topic)
    await broker.start()
    try:
        await eventually(lambda: has(state, expected(fleet_samples), 2))
    finally:
        await broker.stop()
