"""Replay to a topic of its own, rewind of the relay, and a topic that is ahead of the log, on a real Kafka."""

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition

from devstack.fixtures import TestKafka
from tool_sync import db
from tool_sync.domain import events as e
from tool_sync.log import AppendRequest, EventLog, Meta, NewEvent, org_stream, toolset_stream
from tool_sync.outcomes.filters import Filter
from tool_sync.outcomes.published import FLEET, OUTCOMES, PublishedTopic
from tool_sync.outcomes.relay import Relay
from tool_sync.outcomes.replay import CannotReplay, Range, Replayed, find_ahead, replay, rewind
from tool_sync.outcomes.topic_guard import TopicGuard
from tool_sync.settings import Settings
from zerotouch_contracts.envelope import from_record
from zerotouch_contracts.events import ToolsSynced
from zerotouch_platform import telemetry
from zerotouch_platform.kafka.topics import KafkaUnavailable

META = Meta("cause", "correlation", None, "test", "1")
ALL = Range(Filter.of())
Eventually = Callable[..., Awaitable[Any]]


def synced(org_id: UUID, sequence: int) -> AppendRequest:
    event = e.AssistantSynced("agent-1", "assistant-1", 1, "platform", (), (), 1, None, sequence)
    return AppendRequest(toolset_stream(org_id), org_id, None, (NewEvent(uuid4(), event),), META)


def failed(org_id: UUID, sequence: int) -> AppendRequest:
    event = e.AssistantSyncFailed("agent-1", "assistant-1", 1, "platform", (), (), "TS-301", (), 1, None, sequence)
    return AppendRequest(toolset_stream(org_id), org_id, None, (NewEvent(uuid4(), event),), META)


async def fill(log: EventLog, number: int = 3) -> list[UUID]:
    """Orgs with an event that is not published and two that are, one after the other."""
    orgs = [uuid4() for _ in range(number)]
    for org in orgs:
        arrived = AppendRequest(org_stream(org), org, None, (NewEvent(uuid4(), e.OrgRegistered("basic")),), META)
        await log.append_all([arrived, synced(org, 1), failed(org, 2)])
    return orgs


async def records(settings: Settings, topic: str) -> list[Any]:
    """Everything on a topic, partition by partition."""
    consumer = AIOKafkaConsumer(bootstrap_servers=settings.kafka_bootstrap_servers, group_id=None)
    await consumer.start()
    try:
        await consumer._client._wait_on_metadata(topic)
        partitions = [TopicPartition(topic, number) for number in sorted(consumer.partitions_for_topic(topic))]
        consumer.assign(partitions)
        await consumer.seek_to_beginning(*partitions)
        ends, found = await consumer.end_offsets(partitions), []
        for partition in partitions:
            while await consumer.position(partition) < ends[partition]:
                found += (await consumer.getmany(partition, timeout_ms=500)).get(partition, [])
        return found
    finally:
        await consumer.stop()


def headers(record: Any) -> dict[str, str]:
    return {name: value.decode() for name, value in record.headers}


async def run(
    pool: db.Pool,
    settings: Settings,
    topic: str,
    range_: Range = ALL,
    *,
    dry_run: bool = False,
    on_progress: Callable[[int, int], None] = lambda _done, _total: None,
) -> Replayed:
    async with pool.acquire() as connection:
        return await replay(
            connection,
            settings.kafka_bootstrap_servers,
            topic,
            range_,
            live_topics=frozenset({settings.outcomes_topic, settings.fleet_topic}),
            dry_run=dry_run,
            on_progress=on_progress,
        )


@pytest.fixture
async def relayed(settings: Settings, pool: db.Pool, event_log: EventLog, eventually: Eventually) -> list[Any]:
    """The live topic after a relay has sent the log of three orgs."""
    await fill(event_log)
    return await relay(settings, pool, eventually, 6)


async def relay(
    settings: Settings, pool: db.Pool, eventually: Eventually, number: int, published: PublishedTopic = OUTCOMES
) -> list[Any]:
    """Run a relay until its topic has that many records, and return them."""
    async with pool.acquire() as connection:
        one = Relay(settings, pool, await db.read_log_id(connection), telemetry.off(), published=published)
    running = telemetry.start_loop(one.run_forever(), name="relay")

    async def sent() -> list[Any]:
        found = await records(settings, settings.topic_of(published.topic))
        return found if len(found) >= number else []

    try:
        found: list[Any] = await eventually(sent)
        return found
    finally:
        one.stop()
        await running


async def test_replayed_records_are_those_of_the_relay_and_name_their_position(
    settings: Settings, pool: db.Pool, kafka: TestKafka, relayed: list[Any]
) -> None:
    topic = await kafka.create_topic("replay", partitions=3)
    done = await run(pool, settings, topic)
    assert done == Replayed(6, 0, 9)
    again = await records(settings, topic)
    assert [(r.partition, r.key, r.value) for r in again] == [(r.partition, r.key, r.value) for r in relayed]
    for live, copy in zip(relayed, again, strict=True):
        assert {name: value for name, value in headers(copy).items() if name != "position"} == headers(live)
        message, attributes = from_record(copy.key, copy.value, copy.headers)
        async with pool.acquire() as connection:
            row = await connection.fetchrow("SELECT * FROM events WHERE position = $1", int(headers(copy)["position"]))
        assert row is not None
        assert (attributes.id, message.org_id) == (str(row["event_id"]), row["org_id"])
        assert copy.timestamp == int(row["recorded_at"].timestamp() * 1000)


async def test_what_is_replayed_can_be_narrowed(
    settings: Settings, pool: db.Pool, kafka: TestKafka, event_log: EventLog, admin: "asyncpg.Connection[Any]"
) -> None:
    _, org, _ = await fill(event_log)
    times = [row["recorded_at"] for row in await admin.fetch("SELECT recorded_at FROM events ORDER BY position")]

    async def positions(range_: Range) -> list[int]:
        topic = await kafka.create_topic("replay", partitions=1)
        said: list[tuple[int, int]] = []
        done = await run(pool, settings, topic, range_, on_progress=lambda at, total: said.append((at, total)))
        found = [int(headers(record)["position"]) for record in await records(settings, topic)]
        assert len(found) == done.events
        assert all(at <= total for at, total in said)
        return found

    assert await positions(ALL) == [2, 3, 5, 6, 8, 9]
    assert await positions(Range(Filter.of((), org))) == [5, 6]
    assert await positions(Range(Filter.of(["ToolSyncFailed"]))) == [3, 6, 9]
    assert await positions(Range(Filter.of(), after=5)) == [6, 8, 9]
    assert await positions(Range(Filter.of(), since=times[3])) == [5, 6, 8, 9]
    assert await positions(Range(Filter.of(), until=times[3])) == [2, 3]
    assert await positions(Range(Filter.of(), after=2, since=times[0], until=times[6])) == [3, 5, 6]
    assert await positions(Range(Filter.of(), until=times[0])) == []
    assert await positions(Range(Filter.of(), since=datetime.now(UTC) + timedelta(days=1))) == []


async def test_a_dry_run_counts_and_sends_nothing(
    settings: Settings, pool: db.Pool, kafka: TestKafka, event_log: EventLog
) -> None:
    await fill(event_log)
    topic = await kafka.create_topic("replay")
    assert (await run(pool, settings, topic, dry_run=True)).events == 6
    assert await records(settings, topic) == []


async def test_live_and_missing_topics_are_refused(settings: Settings, pool: db.Pool, event_log: EventLog) -> None:
    await fill(event_log)
    for live in (
        settings.outcomes_topic,
        settings.fleet_topic,
        "tool-sync.outcomes.v1",
        "tool-sync.fleet.v1",
        "assistants.v1",
        "tool-calls.v1",
    ):
        with pytest.raises(CannotReplay, match="is live"):
            await run(pool, settings, live)
    with pytest.raises(KafkaUnavailable, match="has no topic nothing-here"):
        await run(pool, settings, "nothing-here")
    assert await records(settings, settings.outcomes_topic) == []


async def test_more_records_than_fit_in_one_batch_keep_their_order(
    settings: Settings, pool: db.Pool, kafka: TestKafka, event_log: EventLog
) -> None:
    orgs = [uuid4() for _ in range(5)]
    await event_log.append_all([synced(org, sequence) for sequence in range(1, 901) for org in orgs])
    topic = await kafka.create_topic("replay", partitions=2)
    assert (await run(pool, settings, topic)).events == 4500
    by_org: dict[UUID, list[int]] = {org: [] for org in orgs}
    for record in await records(settings, topic):
        message, _ = from_record(record.key, record.value, record.headers)
        assert isinstance(message, ToolsSynced)
        by_org[message.org_id].append(message.sequence)
    assert all(sequences == list(range(1, 901)) for sequences in by_org.values())


async def test_the_relay_refills_an_empty_topic_after_a_rewind(
    settings: Settings, pool: db.Pool, event_log: EventLog, eventually: Eventually
) -> None:
    await fill(event_log)
    async with pool.acquire() as connection:
        await connection.execute("INSERT INTO cursors (name, position) VALUES ('outcomes-relay', 9)")
        before = await rewind(connection, settings.kafka_bootstrap_servers, settings.outcomes_topic, 3)
    assert before == 9
    sent = await relay(settings, pool, eventually, 4)
    assert sorted(headers(record)["ce_sequence"][-1] for record in sent) == ["1", "1", "2", "2"]


async def test_a_topic_with_records_and_a_position_beyond_the_log_are_refused(
    settings: Settings, pool: db.Pool, relayed: list[Any]
) -> None:
    async with pool.acquire() as connection:
        for position, reason in ((0, "holds records"), (10, "is not in the log, which goes from 0 to 9")):
            with pytest.raises(CannotReplay, match=reason):
                await rewind(connection, settings.kafka_bootstrap_servers, settings.outcomes_topic, position)
        assert await connection.fetchval("SELECT position FROM cursors WHERE name = 'outcomes-relay'") == 9


async def forge(settings: Settings, record: Any) -> None:
    """Publish a copy of a record under an id that no event has."""
    producer = AIOKafkaProducer(bootstrap_servers=settings.kafka_bootstrap_servers, acks="all")
    await producer.start()
    try:
        changed = [(name, str(uuid4()).encode() if name == "ce_id" else value) for name, value in record.headers]
        await producer.send_and_wait(settings.outcomes_topic, value=record.value, key=record.key, headers=changed)
    finally:
        await producer.stop()


async def test_a_topic_ahead_of_the_log_is_found_and_after_a_fork_it_is_another_logs_affair(
    settings: Settings, pool: db.Pool, relayed: list[Any], admin: "asyncpg.Connection[Any]"
) -> None:
    async with pool.acquire() as connection:
        log_id = await db.read_log_id(connection)
        asked = (settings.kafka_bootstrap_servers, settings.outcomes_topic)
        assert await find_ahead(connection, log_id, *asked) == []
        await forge(settings, relayed[0])
        assert await find_ahead(connection, log_id, *asked) == [], "a stranger's record repeats a number"
        lost = relayed[-1]
        await admin.execute("ALTER TABLE events DISABLE TRIGGER events_are_final")
        await admin.execute("DELETE FROM events WHERE event_id = $1", UUID(headers(lost)["ce_id"]))  # an older backup
        (ahead,) = await find_ahead(connection, log_id, *asked)
        assert (ahead.partition, ahead.offset) == (lost.partition, lost.offset)
        assert str(ahead.event_id) == headers(lost)["ce_id"]
        assert await find_ahead(connection, uuid4(), *asked) == []


def told(org_id: UUID, number: int) -> AppendRequest:
    tool = ("platform", "bookClinicAppointment", "tool-1", 2, "b" * 64)
    event = e.ToolUpdateStarted(uuid4(), *tool, "r-1", 7, "shorter", "rollout", 1, "a" * 64, number)
    return AppendRequest(toolset_stream(org_id), org_id, None, (NewEvent(uuid4(), event),), META)


def of_rollout(*events: e.FleetEvent) -> AppendRequest:
    return AppendRequest("rollout-r-1", None, None, tuple(NewEvent(uuid4(), event) for event in events), META)


ROLLOUT = of_rollout(
    e.RolloutStarted("r-1", "bookClinicAppointment", 2, (), "shorter", None, fleet_sequence=1),
    e.RolloutCompleted("r-1", "bookClinicAppointment", "gate", fleet_sequence=2),
)


async def fill_both(log: EventLog) -> UUID:
    """A clinic that is told of three changes among its outcomes, and a rollout."""
    org = uuid4()
    await log.append_all([told(org, 1), synced(org, 1), told(org, 2), failed(org, 2), ROLLOUT, told(org, 3)])
    return org


async def test_a_replay_of_the_fleets_topic_sends_the_relays_bytes(
    settings: Settings, pool: db.Pool, kafka: TestKafka, event_log: EventLog, eventually: Eventually
) -> None:
    org = await fill_both(event_log)
    live = await relay(settings, pool, eventually, 5, FLEET)
    topic = await kafka.create_topic("replay", partitions=3)
    assert await run(pool, settings, topic, Range(Filter.of(published=FLEET))) == Replayed(5, 0, 7)
    again = await records(settings, topic)
    assert [(r.partition, r.key, r.value) for r in again] == [(r.partition, r.key, r.value) for r in live]
    for one, copy in zip(live, again, strict=True):
        assert {name: value for name, value in headers(copy).items() if name != "position"} == headers(one)
    mine = [headers(r)["position"] for r in again if r.key == str(org).encode()]
    assert mine == ["1", "3", "7"]
    narrowed = await run(pool, settings, topic, Range(Filter.of(["RolloutEnded"], published=FLEET)), dry_run=True)
    assert narrowed.events == 1


async def test_the_fleets_relay_is_rewound_without_the_others(
    settings: Settings, pool: db.Pool, event_log: EventLog, eventually: Eventually, kafka: TestKafka
) -> None:
    await fill_both(event_log)
    await relay(settings, pool, eventually, 5, FLEET)
    await relay(settings, pool, eventually, 2)
    anew = settings.model_copy(update={"fleet_topic": await kafka.create_topic("fleet", partitions=3)})
    async with pool.acquire() as connection:
        servers = settings.kafka_bootstrap_servers
        with pytest.raises(CannotReplay, match="holds records"):
            await rewind(connection, servers, settings.fleet_topic, 0, FLEET)
        assert await rewind(connection, servers, anew.fleet_topic, 0, FLEET) == 7
        rows = await connection.fetch("SELECT name, position FROM cursors")
        cursors = {row["name"]: row["position"] for row in rows}
    assert cursors == {"outcomes-relay": 7, "fleet-relay": 0}
    assert len(await relay(anew, pool, eventually, 5, FLEET)) == 5


@pytest.mark.parametrize("lost", ["a clinic's", "a rollout's"])
async def test_a_restore_that_lost_only_changes_of_tools_is_found_on_their_topic(
    settings: Settings,
    pool: db.Pool,
    event_log: EventLog,
    eventually: Eventually,
    admin: "asyncpg.Connection[Any]",
    lost: str,
) -> None:
    org = await fill_both(event_log)
    live = await relay(settings, pool, eventually, 5, FLEET)
    await relay(settings, pool, eventually, 2)
    key = str(org) if lost == "a clinic's" else "r-1"
    newest = [r for r in live if r.key == key.encode()][-1]
    async with pool.acquire() as connection:
        log_id = await db.read_log_id(connection)
        asked = (settings.kafka_bootstrap_servers, settings.fleet_topic)
        assert await find_ahead(connection, log_id, *asked, FLEET) == []
        await admin.execute("ALTER TABLE events DISABLE TRIGGER events_are_final")
        await admin.execute("DELETE FROM events WHERE event_id = $1", UUID(headers(newest)["ce_id"]))
        (ahead,) = await find_ahead(connection, log_id, *asked, FLEET)
        assert str(ahead.event_id) == headers(newest)["ce_id"]
        assert await find_ahead(connection, log_id, asked[0], settings.outcomes_topic) == []
    guard = TopicGuard(settings, pool, log_id, on_change=lambda: None)
    assert settings.fleet_topic in (await guard.look() or "")
    assert guard.writes_suspended


async def test_a_fleet_topic_that_was_never_created_suspends_nothing_and_is_said(
    settings: Settings, pool: db.Pool, event_log: EventLog
) -> None:
    await fill_both(event_log)
    async with pool.acquire() as connection:
        log_id = await db.read_log_id(connection)
    missing = settings.model_copy(update={"fleet_topic": f"missing-{uuid4()}"})
    guard = TopicGuard(missing, pool, log_id, on_change=lambda: None)
    assert await guard.look() is None
    assert not guard.writes_suspended
    no_outcomes = settings.model_copy(update={"outcomes_topic": f"missing-{uuid4()}"})
    with pytest.raises(KafkaUnavailable, match="missing-"):
        await TopicGuard(no_outcomes, pool, log_id, on_change=lambda: None).look()
