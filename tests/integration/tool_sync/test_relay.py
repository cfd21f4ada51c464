"""The relay on a real broker and a real database: in order, at least once, one leader, never past a riddle.

Each test runs for every topic that is published, as there is one relay.
"""

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from itertools import pairwise
from typing import Any, TypeAlias
from uuid import UUID, uuid4

import asyncpg
import pytest
from aiokafka.admin import AIOKafkaAdminClient
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from tests.support.eventually import eventually

from tool_sync import db, telemetry
from tool_sync.domain import events
from tool_sync.log import Appended, AppendRequest, EventLog, Meta, NewEvent, org_stream, toolset_stream
from tool_sync.outcomes.published import ALL, FLEET, OUTCOMES, PublishedTopic
from tool_sync.outcomes.relay import Relay
from tool_sync.settings import Settings
from zerotouch_contracts.envelope import from_fleet_record, from_record, subject_of
from zerotouch_contracts.events import ToolsSynced, ToolSyncFailed
from zerotouch_platform.telemetry import Telemetry, off, start_loop

from .topics import LOG_ID, Topics

Admin: TypeAlias = "asyncpg.Connection[asyncpg.Record]"
TRACE = "0af7651916cd43dd8448eb211c80319c"
TOOL = events.ToolRef("bookClinicAppointment", "tool-1", 1, "a" * 64)


def synced(sequence: int | None) -> events.AssistantSynced:
    return events.AssistantSynced(
        agent_id="agent-1",
        assistant_id="assistant-1",
        revision=1,
        account="platform",
        tools=(TOOL,),
        requests=(),
        settled_through=1,
        cause=None,
        sequence=sequence,
    )


def failed(sequence: int) -> events.AssistantSyncFailed:
    return events.AssistantSyncFailed(
        agent_id="agent-1",
        assistant_id="assistant-1",
        revision=1,
        account="platform",
        tools=(),
        failed_tools=(),
        code="TS-301",
        requests=(),
        settled_through=1,
        look_at=None,
        sequence=sequence,
    )


DRIFT = events.DriftDetected("agent-1", "assistant-1", "b" * 64)


def announced(number: int | None) -> events.ToolUpdateStarted:
    return events.ToolUpdateStarted(
        uuid4(), "platform", *TOOL.fields[:2], 2, "b" * 64, "r-1", 7, "shorter", "rollout", 1, "a" * 64, number
    )


def updated(number: int | None) -> events.ToolUpdated:
    tool = (*TOOL.fields[:2], 2, "b" * 64)
    return events.ToolUpdated(
        uuid4(), "platform", *tool, "c" * 64, None, "r-1", "shorter", "rollout", 1, "a" * 64, number
    )


def said(published: PublishedTopic, number: int | None) -> events.Event:
    """An event that is published under this number, or under none: then it is not."""
    return synced(number) if published is OUTCOMES else announced(number)


@pytest.fixture(params=ALL, ids=lambda topic: topic.name)
def published(request: pytest.FixtureRequest) -> PublishedTopic:
    """The topic that is published on."""
    topic: PublishedTopic = request.param
    return topic


async def append(log: EventLog, org_id: UUID, *new: events.Event, trace: str | None = None) -> int:
    """Appends to the org's toolset stream; returns the last position."""
    request = AppendRequest(
        stream=toolset_stream(org_id),
        org_id=org_id,
        expected_version=None,
        events=tuple(NewEvent(uuid4(), event) for event in new),
        meta=Meta("cause", "correlation", trace, "test", "1"),
    )
    answer = await log.append(request)
    assert isinstance(answer, Appended)
    return answer.first_position + len(new) - 1


async def registered(log: EventLog, org_id: UUID) -> None:
    """The org is known: its tools have rows."""
    event = NewEvent(uuid4(), events.OrgRegistered("basic"))
    meta = Meta("cause", "correlation", None, "test", "1")
    await log.append(AppendRequest(org_stream(org_id), org_id, None, (event,), meta))


@asynccontextmanager
async def relaying(
    settings: Settings, pool: db.Pool, published: PublishedTopic = OUTCOMES, tracing: Telemetry | None = None
) -> AsyncIterator[Relay]:
    relay = Relay(settings, pool, LOG_ID, tracing or off(), published=published)
    running = start_loop(relay.run_forever(), name="relay under test")
    try:
        yield relay
    finally:
        relay.stop()
        await running


def cursor_is(admin: Admin, position: int, published: PublishedTopic = OUTCOMES) -> Callable[[], Awaitable[bool]]:
    async def check() -> bool:
        return await admin.fetchval("SELECT position FROM cursors WHERE name = $1", published.cursor) == position  # type: ignore[no-any-return]

    return check


def leads(*relays: Relay) -> Callable[[], Awaitable[bool]]:
    async def check() -> bool:
        return any(relay.leads for relay in relays)

    return check


def by_org(records: list[Any], published: PublishedTopic = OUTCOMES) -> dict[str, list[int]]:
    """The sequences of each org in the order in which they stand on the topic."""
    sequences: dict[str, list[int]] = defaultdict(list)
    for record in records:
        message, attributes = published.read(record.key, record.value, record.headers)
        assert attributes.sequence is not None
        sequences[subject_of(message)[1]].append(attributes.sequence)
    return sequences


async def test_outcomes_are_published_in_order_with_what_their_events_say(
    settings: Settings, pool: db.Pool, event_log: EventLog, topics: Topics, admin: Admin
) -> None:
    org = uuid4()
    await append(event_log, org, DRIFT, synced(1), synced(None), failed(2))
    last = await append(event_log, org, synced(3), DRIFT)
    async with relaying(settings, pool):
        await eventually(cursor_is(admin, last))
    records = await topics.outcomes()
    messages = [from_record(record.key, record.value, record.headers) for record in records]
    assert [(type(m).__name__, m.sequence) for m, _ in messages if isinstance(m, ToolsSynced | ToolSyncFailed)] == [
        ("ToolsSynced", 1),
        ("ToolSyncFailed", 2),
        ("ToolsSynced", 3),
    ]
    ids = await admin.fetch(
        "SELECT event_id, recorded_at FROM events WHERE data ->> 'sequence' IS NOT NULL ORDER BY position"
    )
    assert [(a.id, a.time) for _, a in messages] == [(str(row["event_id"]), row["recorded_at"]) for row in ids]
    assert {a.log_id for _, a in messages} == {LOG_ID}
    assert {record.key for record in records} == {str(org).encode()}


async def test_a_sending_span_continues_the_events_trace(
    settings: Settings, pool: db.Pool, event_log: EventLog, topics: Topics, admin: Admin, published: PublishedTopic
) -> None:
    last = await append(event_log, uuid4(), said(published, 1), trace=f"00-{TRACE}-b7ad6b7169203331-01")
    exporter = InMemorySpanExporter()
    tracing = telemetry.set_up(None, exporter=exporter)
    async with relaying(settings, pool, published, tracing):
        await eventually(cursor_is(admin, last, published))
    await tracing.shutdown()
    (span,) = exporter.get_finished_spans()
    assert span.name == f"send {settings.topic_of(published.topic)}"
    assert span.parent is not None
    assert (f"{span.parent.trace_id:032x}", f"{span.parent.span_id:016x}") == (TRACE, "b7ad6b7169203331")
    (record,) = await topics.records(settings.topic_of(published.topic))
    assert dict(record.headers)["traceparent"].decode() == f"00-{TRACE}-{span.context.span_id:016x}-01"


async def test_without_tracing_the_trace_is_passed_on(
    settings: Settings, pool: db.Pool, event_log: EventLog, topics: Topics, admin: Admin, published: PublishedTopic
) -> None:
    traceparent = f"00-{TRACE}-b7ad6b7169203331-01"
    last = await append(event_log, uuid4(), said(published, 1), trace=traceparent)
    async with relaying(settings, pool, published):
        await eventually(cursor_is(admin, last, published))
    (record,) = await topics.records(settings.topic_of(published.topic))
    assert dict(record.headers)["traceparent"].decode() == traceparent


async def test_more_than_a_page_keeps_its_order_per_org(
    settings: Settings, pool: db.Pool, event_log: EventLog, topics: Topics, admin: Admin, published: PublishedTopic
) -> None:
    small = settings.model_copy(update={"relay_page_events_max": 7, "relay_scan_events_max": 20})
    orgs = [uuid4() for _ in range(5)]
    last = 0
    for sequence in range(1, 31):
        for org in orgs:
            last = await append(event_log, org, DRIFT, said(published, sequence))
    async with relaying(small, pool, published):
        await eventually(cursor_is(admin, last, published))
    assert by_org(await topics.records(settings.topic_of(published.topic)), published) == {
        str(org): list(range(1, 31)) for org in orgs
    }


async def test_another_relay_takes_over_and_nothing_is_missing(
    settings: Settings, pool: db.Pool, event_log: EventLog, topics: Topics, admin: Admin, published: PublishedTopic
) -> None:
    org = uuid4()
    first = Relay(settings, pool, LOG_ID, off(), published=published)
    crashing = start_loop(first.run_forever(), name="relay that dies")
    await eventually(leads(first))
    async with relaying(settings, pool, published) as second:
        await append(event_log, org, said(published, 1))
        await eventually(cursor_is(admin, await append(event_log, org, said(published, 2)), published))
        assert first.leads
        assert not second.leads
        crashing.cancel()
        with pytest.raises(asyncio.CancelledError):
            await crashing
        await eventually(leads(second))
        await eventually(cursor_is(admin, await append(event_log, org, said(published, 3)), published))
    assert by_org(await topics.records(settings.topic_of(published.topic)), published) == {str(org): [1, 2, 3]}


async def test_a_leader_whose_session_ends_resigns(
    settings: Settings, pool: db.Pool, event_log: EventLog, topics: Topics, admin: Admin, published: PublishedTopic
) -> None:
    quick = settings.model_copy(update={"relay_touch_seconds": 0.05})
    async with relaying(quick, pool, published) as relay:
        await eventually(leads(relay))
        ended = await admin.fetchval(
            "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE application_name = 'tool-sync relay'"
        )
        assert ended == 1

        async def resigned() -> bool:
            return not relay.leads

        await eventually(resigned, every_seconds=0.005)
        await eventually(leads(relay))
        await eventually(cursor_is(admin, await append(event_log, uuid4(), said(published, 1)), published))
    assert len(await topics.records(settings.topic_of(published.topic))) == 1


async def test_what_was_sent_before_the_cursor_moved_is_sent_again_as_the_same_record(
    settings: Settings, pool: db.Pool, event_log: EventLog, topics: Topics, admin: Admin, published: PublishedTopic
) -> None:
    org = uuid4()
    async with relaying(settings, pool, published) as relay:
        await eventually(leads(relay))
        await eventually(cursor_is(admin, await append(event_log, org, said(published, 1)), published))

        async def sent() -> bool:
            return len(await topics.records(settings.topic_of(published.topic))) >= 3

        async def resigned() -> bool:
            return not relay.leads

        async with admin.transaction():  # the cursor cannot be moved: a crash between sending and moving it
            await admin.execute("SELECT position FROM cursors WHERE name = $1 FOR UPDATE", published.cursor)
            last = await append(event_log, org, said(published, 2), said(published, 3))
            await eventually(sent)
            await eventually(resigned)
        await eventually(cursor_is(admin, last, published))
    records = await topics.records(settings.topic_of(published.topic))
    sequences = by_org(records, published)[str(org)]
    assert sequences[:3] == [1, 2, 3]
    assert len(sequences) > 3
    assert all(later in (earlier + 1, 2) for earlier, later in pairwise(sequences))
    same = {(dict(r.headers)["ce_sequence"], dict(r.headers)["ce_id"], r.value) for r in records}
    assert len(same) == 3


async def test_an_event_that_this_release_does_not_know_is_never_passed(
    settings: Settings, pool: db.Pool, event_log: EventLog, topics: Topics, admin: Admin, published: PublishedTopic
) -> None:
    org = uuid4()
    before = await append(event_log, org, said(published, 1))
    await admin.execute(
        """SELECT append(ARRAY[$1], ARRAY[$2::uuid], ARRAY[NULL::int], ARRAY['{}'], ARRAY[1],
                         ARRAY[gen_random_uuid()], ARRAY['FromTheFuture'], ARRAY[1::smallint], ARRAY['{}'],
                         ARRAY[NULL::uuid])""",
        toolset_stream(org),
        org,
    )
    await append(event_log, org, said(published, 2))

    async def says_so() -> bool:
        return relay.problem is not None and f"position {before + 1}" in relay.problem

    async with relaying(settings.model_copy(update={"relay_idle_session_seconds": 1.0}), pool, published) as relay:
        await eventually(says_so)
        assert not relay.leads
    assert all(
        sequence < 2
        for sequences in by_org(await topics.records(settings.topic_of(published.topic)), published).values()
        for sequence in sequences
    )
    assert await admin.fetchval("SELECT position FROM cursors WHERE name = $1", published.cursor) < before + 1


async def test_a_missing_topic_is_said_and_not_created(
    settings: Settings, pool: db.Pool, event_log: EventLog, admin: Admin, published: PublishedTopic
) -> None:
    missing = f"missing-{uuid4()}"
    await append(event_log, uuid4(), said(published, 1))

    async def says_so() -> bool:
        return relay.problem is not None and missing in relay.problem

    async with relaying(settings.model_copy(update={f"{published.name}_topic": missing}), pool, published) as relay:
        await eventually(says_so)
    client = AIOKafkaAdminClient(bootstrap_servers=settings.kafka_bootstrap_servers)
    await client.start()
    assert missing not in await client.list_topics()
    await client.close()
    assert not await admin.fetchval("SELECT position FROM cursors WHERE name = $1", published.cursor)


async def test_while_kafka_is_away_the_relay_waits_and_holds_no_lock(
    settings: Settings, pool: db.Pool, event_log: EventLog, topics: Topics, admin: Admin, published: PublishedTopic
) -> None:
    last = await append(event_log, uuid4(), said(published, 1))
    away = settings.model_copy(update={"kafka_bootstrap_servers": "127.0.0.1:1"})

    async def says_so() -> bool:
        return relay.problem is not None and "127.0.0.1:1" in relay.problem

    async with relaying(away, pool, published) as relay:
        await eventually(says_so)
        async with relaying(settings, pool, published):
            await eventually(cursor_is(admin, last, published))
    assert len(await topics.records(settings.topic_of(published.topic))) == 1


async def test_each_topic_brings_its_own_messages_alone_under_its_own_numbers(
    settings: Settings, pool: db.Pool, event_log: EventLog, topics: Topics, admin: Admin
) -> None:
    org = uuid4()
    await registered(event_log, org)
    last = await append(event_log, org, announced(1), synced(1), updated(2), updated(None), failed(2), synced(None))
    async with relaying(settings, pool), relaying(settings, pool, FLEET):
        for published in ALL:
            await eventually(cursor_is(admin, last, published))
    outcomes, fleet = [await topics.records(settings.topic_of(published.topic)) for published in ALL]
    assert [type(from_record(r.key, r.value, r.headers)[0]).__name__ for r in outcomes] == [
        "ToolsSynced", "ToolSyncFailed",
    ]  # fmt: skip
    assert [type(from_fleet_record(r.key, r.value, r.headers)[0]).__name__ for r in fleet] == [
        "ToolChangeAnnounced", "ToolUpdated",
    ]  # fmt: skip
    assert by_org(outcomes) == by_org(fleet, FLEET) == {str(org): [1, 2]}


async def test_a_rollout_is_published_under_its_own_key_in_order(
    settings: Settings, pool: db.Pool, event_log: EventLog, topics: Topics, admin: Admin
) -> None:
    stages = (events.RolloutStage("1 %", 100), events.RolloutStage("all", 10_000))
    about = ("3f9c1a2b", "bookClinicAppointment")
    happened: tuple[events.Event, ...] = (
        events.RolloutStarted(*about, 2, stages, "shorter", None, fleet_sequence=1),
        events.RolloutStageOpened(*about, 1, "gate"),
        events.RolloutCompleted(*about, "gate", fleet_sequence=2),
        events.RolloutRolledBack(*about, "too short", 3),
    )
    last = 0
    for event in happened:
        new = (NewEvent(uuid4(), event),)
        meta = Meta("cause", "correlation", None, "test", "1")
        answer = await event_log.append(AppendRequest("rollout-3f9c1a2b", None, None, new, meta))
        assert isinstance(answer, Appended)
        last = answer.first_position
    async with relaying(settings, pool, FLEET):
        await eventually(cursor_is(admin, last, FLEET))
    records = await topics.records(settings.fleet_topic)
    assert {(record.key, dict(record.headers)["ce_rolloutid"]) for record in records} == {(b"3f9c1a2b", b"3f9c1a2b")}
    messages = [from_fleet_record(record.key, record.value, record.headers)[0] for record in records]
    assert [(type(message).__name__, message.sequence) for message in messages] == [
        ("RolloutStarted", 1), ("RolloutEnded", 2), ("RolloutEnded", 3),
    ]  # fmt: skip


async def test_a_missing_fleet_topic_holds_up_no_outcome(
    settings: Settings, pool: db.Pool, event_log: EventLog, topics: Topics, admin: Admin
) -> None:
    missing = settings.model_copy(update={"fleet_topic": f"missing-{uuid4()}"})
    last = await append(event_log, uuid4(), announced(1), synced(1))

    async def says_so() -> bool:
        return fleet.problem is not None and missing.fleet_topic in fleet.problem

    async with relaying(missing, pool), relaying(missing, pool, FLEET) as fleet:
        await eventually(cursor_is(admin, last))
        await eventually(says_so)
    assert len(await topics.outcomes()) == 1
    async with relaying(settings, pool, FLEET):  # nothing was lost meanwhile
        await eventually(cursor_is(admin, last, FLEET))
    assert len(await topics.records(settings.fleet_topic)) == 1
