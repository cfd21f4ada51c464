"""What is published reaches the topic within a look, and the topic holds it whatever was there before."""

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass, field
from uuid import UUID, uuid4

import pytest
from aiokafka import AIOKafkaProducer
from tests.support.eventually import eventually

from devstack import topics
from devstack.fixtures import TestKafka
from devstack.topics import TopicSpec
from tool_sync.rollouts import blueprint_topic
from tool_sync.rollouts.blueprint_topic import TOPIC_SECONDS, BlueprintTopic
from tool_sync.rollouts.publish import halted, withdrawn
from tool_sync.rollouts.turns import give_up
from zerotouch_contracts.blueprint import Told, ToolPublished, published_record, read_published
from zerotouch_contracts.envelope import UndecodableRecord
from zerotouch_platform.kafka.reading import newest_records
from zerotouch_platform.kafka.topics import KafkaUnavailable

from .limits import BOOKING, CANCELLING
from .world import World

NAMES = {BOOKING, CANCELLING, "rescheduleAppointment"}


@dataclass
class Settings:
    """What it reads of the service's."""

    kafka_bootstrap_servers: str
    blueprint_topic: str


@dataclass
class Topic:
    """A topic of its own, and processes that tell what is published."""

    world: World
    settings: Settings
    log_id: UUID = field(default_factory=uuid4)
    seconds: float = 0.0
    suspended: bool = False

    def process(self, log_id: UUID | None = None) -> tuple[BlueprintTopic, UUID]:
        """Another process, and the token of its turns."""
        token = uuid4()
        process = BlueprintTopic(
            self.settings,  # type: ignore[arg-type]
            self.world.pool,
            self.world.log,
            log_id or self.log_id,
            token,
            lambda: self.suspended,
            lambda: self.seconds,
        )
        return process, token

    async def records(self) -> list[Told]:
        """Everything readable on the topic, in the order of each tool."""
        found = []
        for partition in await newest_records(
            self.settings.kafka_bootstrap_servers, self.settings.blueprint_topic, 500
        ):
            for record in partition:
                try:
                    found.append(read_published(record.key, record.value, record.headers))
                except UndecodableRecord:
                    continue
        return found

    async def newest(self, name: str = BOOKING) -> ToolPublished:
        """What a reader that begins now learns of a tool."""
        return [told for told in await self.records() if told.message.tool == name][-1].message

    async def send(self, key: bytes, value: bytes | None, headers: Iterable[tuple[str, bytes]] = ()) -> None:
        """What somebody else wrote."""
        producer = AIOKafkaProducer(bootstrap_servers=self.settings.kafka_bootstrap_servers)
        await producer.start()
        try:
            await producer.send_and_wait(self.settings.blueprint_topic, value, key, headers=list(headers))
        finally:
            await producer.stop()


@pytest.fixture
async def topic(world: World, kafka: TestKafka) -> Topic:
    name = await kafka.create_topic("blueprint", cleanup_policy="compact")
    return Topic(world, Settings(kafka.bootstrap_servers, name))


async def test_what_is_published_at_run_time_is_told_at_the_next_look_and_nothing_twice(topic: Topic) -> None:
    await topic.world.clinics(1)
    process, _ = topic.process()
    assert await process.run_once() == len(NAMES)
    assert {told.message.tool for told in await topic.records()} == NAMES
    seeded = await topic.newest()
    assert [(one.version, one.contract, one.ordered, one.held) for one in seeded.versions] == [(2, 2, True, True)]

    number = await topic.world.publish("Say hello first.")
    assert await process.run_once() == 1
    assert await process.run_once() == 0
    said = await topic.newest()
    assert said.position > seeded.position
    assert said.by_version[number].description == "Say hello first."
    assert not said.by_version[number].ordered

    await topic.world.start(number)
    assert await process.run_once() == 1
    assert (await topic.newest()).by_version[number].ordered


async def test_halts_and_withdrawals_are_told(topic: Topic) -> None:
    process, _ = topic.process()
    await topic.world.publish("Say hello first.")
    await topic.world.decide(BOOKING, lambda fleet: withdrawn(fleet, BOOKING, 3, "wrong"))
    await topic.world.decide(BOOKING, lambda fleet: halted(fleet, BOOKING, "wrong"))
    await process.run_once()
    said = await topic.newest()
    assert (said.halted, said.by_version[3].withdrawn) == (True, True)


def current(said: ToolPublished) -> list[tuple[int, bool, bool]]:
    """Of each version whether it is ordered, and held."""
    return [(one.version, one.ordered, one.held) for one in said.versions]


async def test_a_version_that_is_ordered_no_more_is_held_until_the_last_clinic_has_lost_it(topic: Topic) -> None:
    process, _ = topic.process()
    world = topic.world
    await world.clinics(2)
    rollout = await world.complete(await world.publish("Say hello first."))
    await process.run_once()
    assert current(await topic.newest()) == [(2, False, False), (3, True, True)]

    await world.command(rollout, "rollback")
    await process.run_once()
    assert current(await topic.newest()) == [(2, True, False), (3, False, True)]

    await world.rest()
    topic.seconds += blueprint_topic.COUNT_SECONDS + 1
    await process.run_once()
    assert current(await topic.newest()) == [(2, True, True), (3, False, False)]


async def test_a_process_that_starts_sends_only_what_the_topic_lacks(topic: Topic) -> None:
    first, token = topic.process()
    await first.run_once()
    await give_up(topic.world.pool, token)
    second, _ = topic.process()
    assert await second.run_once() == 0
    assert len(await topic.records()) == len(NAMES)


async def test_one_process_tells_at_a_time(topic: Topic) -> None:
    first, second = topic.process()[0], topic.process()[0]
    assert await first.run_once() == len(NAMES)
    await topic.world.publish("Say hello first.")
    assert await second.run_once() == 0, "it is not its turn"
    assert await first.run_once() == 1


async def test_a_process_that_died_between_its_records_has_its_work_ended_by_the_next(
    topic: Topic, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before a send, after it, and between two: what is on the topic is what was sent."""
    dying, token = topic.process()
    send, sent = AIOKafkaProducer.send_and_wait, 0

    async def dies(self: AIOKafkaProducer, *args: object, **options: object) -> object:
        nonlocal sent
        if sent == 1:
            raise asyncio.CancelledError
        sent += 1
        return await send(self, *args, **options)

    monkeypatch.setattr(AIOKafkaProducer, "send_and_wait", dies)
    with pytest.raises(asyncio.CancelledError):
        await dying.run_once()
    monkeypatch.undo()
    assert len(await topic.records()) == 1
    await give_up(topic.world.pool, token)
    assert await topic.process()[0].run_once() == len(NAMES) - 1
    assert {told.message.tool for told in await topic.records()} == NAMES


async def test_what_a_process_sent_that_slept_meanwhile_is_followed_by_what_is_so(topic: Topic) -> None:
    process, _ = topic.process()
    await process.run_once()
    (old,) = [told for told in await topic.records() if told.message.tool == BOOKING]
    await topic.world.publish("Say hello first.")
    await process.run_once()
    late = published_record(old.message, id=uuid4(), log_id=topic.log_id, at=old.at)
    await topic.send(late.key, late.value, late.headers)

    assert await process.run_once() == 0, "it knows what it has sent, for a minute"
    topic.seconds += TOPIC_SECONDS + 1
    assert await process.run_once() == 1
    assert 3 in (await topic.newest()).by_version


@pytest.mark.parametrize("value", [None, b"\xff", b"{}"], ids=["tombstone", "no UTF-8", "no message"])
async def test_over_a_record_that_nobody_can_read_the_tool_is_told_again(topic: Topic, value: bytes | None) -> None:
    process, _ = topic.process()
    await process.run_once()
    await topic.send(BOOKING.encode(), value)
    await topic.send(b"\xff", value)
    topic.seconds += TOPIC_SECONDS + 1
    assert await process.run_once() == 1
    assert (await topic.newest()).by_version.keys() == {2}


async def test_a_topic_that_was_made_again_is_filled_anew(topic: Topic) -> None:
    process, _ = topic.process()
    await process.run_once()
    servers, name = topic.settings.kafka_bootstrap_servers, topic.settings.blueprint_topic
    await topics.delete(servers, [name])

    async def is_gone() -> bool:
        topic.seconds += TOPIC_SECONDS + 1
        try:
            await process.run_once()
        except KafkaUnavailable:
            return True
        return False

    await eventually(is_gone)
    await topics.create(servers, [TopicSpec(name, 3, {"cleanup.policy": "compact"})])
    assert await process.run_once() == len(NAMES)


async def test_a_log_that_goes_on_after_a_restore_tells_everything_anew(topic: Topic) -> None:
    await topic.world.publish("Lost with the database.")
    first, token = topic.process()
    await first.run_once()
    await give_up(topic.world.pool, token)
    forked = uuid4()
    assert await topic.process(forked)[0].run_once() == len(NAMES)
    assert {told.message.tool: told.log_id for told in await topic.records()} == dict.fromkeys(NAMES, forked)


async def test_a_log_that_may_have_been_set_back_is_told_nothing_of(topic: Topic) -> None:
    process, _ = topic.process()
    topic.suspended = True
    assert await process.run_once() == 0
    assert await topic.records() == []
    topic.suspended = False
    assert await process.run_once() == len(NAMES)


async def test_while_kafka_is_away_it_waits_and_afterwards_tells_what_is_so(topic: Topic) -> None:
    there = topic.settings.kafka_bootstrap_servers
    process, _ = topic.process()
    topic.settings.kafka_bootstrap_servers = "127.0.0.1:1"
    with pytest.raises(process.loop.transient):
        await process.run_once()
    await topic.world.publish("Say hello first.")
    topic.settings.kafka_bootstrap_servers = there
    assert await process.run_once() == len(NAMES)
    assert 3 in (await topic.newest()).by_version
