"""Intake on a real broker and a real database: nothing is lost, nothing comes twice, nothing blocks a partition."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any, TypeAlias
from urllib.parse import urlsplit
from uuid import UUID, uuid4

import asyncpg
import pytest
from aiokafka import ConsumerRecord, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from tests.support.eventually import eventually

from devstack.databases import TestDatabases
from devstack.fixtures import TestKafka
from tool_sync import db, telemetry
from tool_sync.intake.consumer import new_consumer
from tool_sync.intake.dead_letters import set_aside
from tool_sync.intake.intake import Intake
from tool_sync.intake.mapping import Poison
from tool_sync.log import AppendRejected, AppendRequest, AppendResult, EventLog, LogUnavailable
from tool_sync.settings import Settings
from zerotouch_contracts.events import OrganizationSaved
from zerotouch_platform.kafka.consumer import BatchConsumer
from zerotouch_platform.telemetry import off, start_loop

from .topics import Topics

Admin: TypeAlias = "asyncpg.Connection[asyncpg.Record]"


@pytest.fixture
def intake(settings: Settings, event_log: EventLog, pool: db.Pool) -> Intake:
    return Intake(settings, event_log, pool, off())


@asynccontextmanager
async def consuming(settings: Settings, intake: Intake, pool: db.Pool) -> AsyncIterator[BatchConsumer]:
    consumer = new_consumer(settings, intake, pool)
    running = start_loop(consumer.run_forever(), name="consumer under test")
    try:
        yield consumer
    finally:
        consumer.stop()
        await running


def stored(admin: Admin, count: int, table: str = "events") -> Callable[[], Awaitable[bool]]:
    async def check() -> bool:
        return bool(await admin.fetchval(f"SELECT count(*) = $1 FROM {table}", count))  # noqa: S608 - a constant

    return check


async def committed(settings: Settings) -> dict[int, int]:
    """The group's committed offsets by partition."""
    client = AIOKafkaAdminClient(bootstrap_servers=settings.kafka_bootstrap_servers)
    await client.start()
    try:
        offsets: dict[TopicPartition, Any] = await client.list_consumer_group_offsets(settings.consumer_group)
    finally:
        await client.close()
    return {partition.partition: offset.offset for partition, offset in offsets.items() if offset.offset > 0}


async def types_of(admin: Admin, org_id: UUID) -> list[str]:
    rows = await admin.fetch("SELECT type FROM events WHERE org_id = $1 ORDER BY position", org_id)
    return [row["type"] for row in rows]


async def test_records_that_were_there_before_the_group_become_events(
    settings: Settings, intake: Intake, pool: db.Pool, topics: Topics, admin: Admin
) -> None:
    org = uuid4()
    await topics.send([topics.record(OrganizationSaved(org_id=org, revision=1, name="Clinic"), message_id=uuid4())])
    await topics.send([topics.save(org, revision=number) for number in range(1, 4)])
    async with consuming(settings, intake, pool) as consumer:
        await eventually(stored(admin, 4))
        assert consumer.problem is None
    assert await types_of(admin, org) == ["OrgRegistered", "SyncRequested", "SyncRequested", "SyncRequested"]
    rows = await admin.fetch(
        "SELECT data ->> 'revision' AS revision FROM events WHERE type = 'SyncRequested' ORDER BY 1"
    )
    assert [row["revision"] for row in rows] == ["1", "2", "3"]


async def test_redelivering_the_whole_topic_adds_nothing(
    settings: Settings, intake: Intake, pool: db.Pool, topics: Topics, admin: Admin
) -> None:
    orgs = [uuid4() for _ in range(20)]
    await topics.send([topics.save(org) for org in orgs])
    await topics.send_raw(b"no org", b"{", [("ce_type", b"x")])
    async with consuming(settings, intake, pool):
        await eventually(stored(admin, 20))
        await eventually(stored(admin, 1, "dead_letters"))
    again = settings.model_copy(update={"consumer_group": f"again-{uuid4()}"})
    await topics.send([topics.save(orgs[0], revision=2)])  # shows that the second group has read to the end
    async with consuming(again, intake, pool):
        await eventually(stored(admin, 21))
        await eventually(lambda: _sum_is(again, 22))
    assert await admin.fetchval("SELECT count(*) FROM events") == 21
    assert await admin.fetchval("SELECT count(*) FROM dead_letters") == 1


async def test_at_the_same_place_of_a_topic_that_was_made_again_lies_another_record(
    pool: db.Pool, admin: Admin
) -> None:
    for value in (b"one", b"another", None, b"one", None):
        record = ConsumerRecord("saves", 3, 7, 0, 0, b"key", value, None, 0, 0, ())
        await set_aside(pool, [Poison(record, None, "unknown type", None, None)])
    letters = await admin.fetch("SELECT value FROM dead_letters ORDER BY id")
    assert [letter["value"] for letter in letters] == [b"one", b"another", None]


async def _sum_is(settings: Settings, total: int) -> bool:
    return sum((await committed(settings)).values()) == total


async def test_poison_is_set_aside_and_its_neighbours_in_the_batch_are_unharmed(
    settings: Settings, intake: Intake, pool: db.Pool, topics: Topics, admin: Admin
) -> None:
    good = [uuid4() for _ in range(6)]
    bad_org, request = uuid4(), uuid4()
    save = topics.save(bad_org, request_id=request)
    headers: list[tuple[str, Any]] = list(save.headers)
    nul = save.value.replace(b'"agent-1"', b'"agent\\u0000"')
    assert nul != save.value
    forms: list[tuple[bytes | None, bytes | None, list[tuple[str, Any]]]] = [
        (save.key, b'{"broken": ', headers),
        (save.key, save.value, [(name, None if name == "ce_specversion" else value) for name, value in headers]),
        (save.key, None, headers),
        (save.key, save.value, [(name, b"\xff\xfe\x00" if name == "ce_type" else value) for name, value in headers]),
        (save.key, save.value, [(name, b"x.Unknown.v9" if name == "ce_type" else value) for name, value in headers]),
        (save.key, b'{"a": "' + b"x" * 300_000 + b'"}', headers),
        (save.key, nul, headers),
        (None, save.value, []),
        (b"\xff\x00", b"\xff\x00", [("bin", b"\x00\xff")]),
    ]
    await topics.send([topics.save(org) for org in good[:3]], partition=1)
    for key, value, raw_headers in forms:
        await topics.send_raw(key, value, raw_headers, partition=1)
    await topics.send([topics.save(org) for org in good[3:]], partition=1)

    async with consuming(settings, intake, pool):
        await eventually(stored(admin, len(forms), "dead_letters"))
        await eventually(lambda: _sum_is(settings, len(forms) + 6))
    for org in good:
        assert await types_of(admin, org) == ["SyncRequested"]
    letters = await admin.fetch('SELECT * FROM dead_letters ORDER BY "offset"')
    assert [(row["topic"], row["partition"], row["offset"]) for row in letters] == [
        (settings.assistants_topic, 1, 3 + number) for number in range(len(forms))
    ]
    assert [(row["key"], row["value"]) for row in letters] == [(key, value) for key, value, _ in forms]
    assert all(row["reason"] for row in letters)
    # The save that could be told from its headers gets an outcome, once, however often it comes in.
    assert await types_of(admin, bad_org) == ["RequestUnreadable"]
    assert await admin.fetchval("SELECT data ->> 'request_id' FROM events WHERE org_id = $1", bad_org) == str(request)


async def test_a_record_that_the_log_refuses_is_set_aside_alone(
    settings: Settings, intake: Intake, pool: db.Pool, topics: Topics, admin: Admin
) -> None:
    await admin.execute("ALTER TABLE events ADD CHECK (data ->> 'agent_id' IS DISTINCT FROM 'refused')")
    orgs = [uuid4() for _ in range(5)]
    agents = ["a", "b", "refused", "d", "e"]
    await topics.send([topics.save(org, agent) for org, agent in zip(orgs, agents, strict=True)], partition=0)
    async with consuming(settings, intake, pool):
        await eventually(stored(admin, 1, "dead_letters"))
        await eventually(stored(admin, 5))
    assert [await types_of(admin, org) for org in orgs] == [
        ["SyncRequested"],
        ["SyncRequested"],
        ["RequestUnreadable"],
        ["SyncRequested"],
        ["SyncRequested"],
    ]


@asynccontextmanager
async def database_away(databases: TestDatabases, settings: Settings) -> AsyncIterator[None]:
    """Nobody gets into the test's database, and whoever is in it is thrown out."""
    name = urlsplit(settings.database_url).path.strip("/")
    connection = await asyncpg.connect(databases.admin_url)
    try:
        await connection.execute(f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS false')
        await connection.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = $1", name)
        yield
    finally:
        await connection.execute(f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS true')
        await connection.close()


async def test_while_the_database_is_away_the_batch_waits_and_nothing_is_committed(
    settings: Settings, intake: Intake, pool: db.Pool, topics: Topics, postgres: TestDatabases, tool_sync_db: Any
) -> None:
    org = uuid4()
    await topics.send([topics.save(org)], partition=0)

    async def waits() -> bool:
        return consumer.problem is not None and "the database is away" in consumer.problem

    async def works() -> bool:
        return consumer.problem is None

    async with consuming(settings, intake, pool) as consumer:
        await eventually(lambda: _sum_is(settings, 1))
        async with database_away(postgres, settings):
            await topics.send([topics.save(org, revision=number) for number in range(2, 12)], partition=0)
            await eventually(waits)
            assert sum((await committed(settings)).values()) == 1
        await eventually(works)
        await eventually(lambda: _sum_is(settings, 11))
    connection = await asyncpg.connect(tool_sync_db.admin)
    try:
        assert await connection.fetchval("SELECT count(*) FROM events") == 11
        revisions = await connection.fetch("SELECT (data ->> 'revision')::int AS n FROM events ORDER BY position")
        assert [row["n"] for row in revisions] == list(range(1, 12))
    finally:
        await connection.close()


async def test_a_batch_that_is_not_stored_comes_again(
    settings: Settings, intake: Intake, pool: db.Pool, topics: Topics, postgres: TestDatabases,
    tool_sync_db: Any,
) -> None:  # fmt: skip
    refused = asyncio.Event()
    handle = intake.handle

    async def noting(batch: Any) -> None:
        try:
            await handle(batch)
        except Exception:
            refused.set()
            raise

    intake.handle = noting  # type: ignore[method-assign]
    async with consuming(settings, intake, pool):
        await topics.send([topics.save(uuid4())], partition=0)
        await eventually(lambda: _sum_is(settings, 1))
        async with database_away(postgres, settings):
            await topics.send([topics.save(uuid4()) for _ in range(3)], partition=0)
            async with asyncio.timeout(20):
                await refused.wait()
        await eventually(lambda: _sum_is(settings, 4))
    connection = await asyncpg.connect(tool_sync_db.admin)
    assert await connection.fetchval("SELECT count(*) FROM events") == 4
    await connection.close()


async def test_a_missing_topic_is_said_and_not_created(
    settings: Settings, intake: Intake, pool: db.Pool, kafka: TestKafka, topics: Topics, admin: Admin
) -> None:
    missing = f"missing-{uuid4()}"
    lost = settings.model_copy(update={"assistants_topic": missing})

    async def says_so() -> bool:
        return consumer.problem is not None and missing in consumer.problem

    async with consuming(lost, intake, pool) as consumer:
        await eventually(says_so)
    client = AIOKafkaAdminClient(bootstrap_servers=kafka.bootstrap_servers)
    await client.start()
    assert missing not in await client.list_topics()
    await client.close()


async def test_two_members_of_the_group_share_the_work_and_lose_nothing_when_one_leaves(
    settings: Settings, intake: Intake, event_log: EventLog, pool: db.Pool, topics: Topics, admin: Admin
) -> None:
    second = Intake(settings, event_log, pool, off())
    async with consuming(settings, intake, pool):
        async with consuming(settings, second, pool):
            await topics.send([topics.save(uuid4()) for _ in range(200)])
            await eventually(stored(admin, 200))
        await topics.send([topics.save(uuid4()) for _ in range(200)])
        await eventually(stored(admin, 400), within_seconds=40)
    kinds = await admin.fetch("SELECT DISTINCT type FROM events")
    assert [row["type"] for row in kinds] == ["SyncRequested"]


async def test_each_record_is_a_span_in_its_own_trace(
    settings: Settings, event_log: EventLog, pool: db.Pool, topics: Topics, admin: Admin
) -> None:
    exporter = InMemorySpanExporter()
    tracing = telemetry.set_up(None, exporter=exporter)
    traces = [f"{number:032x}" for number in range(1, 4)]
    saves = [topics.save(uuid4(), traceparent=f"00-{trace}-b7ad6b7169203331-01") for trace in traces]
    await topics.send(saves, partition=2)
    async with consuming(settings, Intake(settings, event_log, pool, tracing), pool):
        await eventually(stored(admin, 3))
    await tracing.shutdown()
    spans = [s for s in exporter.get_finished_spans() if s.name == f"process {settings.assistants_topic}"]
    assert [f"{s.context.trace_id:032x}" for s in spans if s.context] == traces
    assert all(s.parent is not None and f"{s.parent.span_id:016x}" == "b7ad6b7169203331" for s in spans)
    assert [(s.attributes or {})["messaging.kafka.offset"] for s in spans] == [0, 1, 2]
    stored_traces = await admin.fetch("SELECT data ->> 'trace_id' AS trace_id FROM events ORDER BY position")
    assert [row["trace_id"] for row in stored_traces] == traces


async def test_an_outage_of_the_database_is_one_span_of_the_batch_however_often_it_is_retried(
    settings: Settings,
    event_log: EventLog,
    pool: db.Pool,
    topics: Topics,
    admin: Admin,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    append_all, refused = event_log.append_all, 0

    async def away_at_first(requests: Sequence[AppendRequest]) -> list[AppendResult | AppendRejected]:
        nonlocal refused
        refused += 1
        if refused <= 3:
            raise LogUnavailable("org", 0.0, "away")
        return await append_all(requests)

    monkeypatch.setattr(event_log, "append_all", away_at_first)
    exporter = InMemorySpanExporter()
    tracing = telemetry.set_up(None, exporter=exporter)
    await topics.send([topics.save(uuid4()), topics.save(uuid4())], partition=2)
    async with consuming(settings, Intake(settings, event_log, pool, tracing), pool):
        await eventually(stored(admin, 2))
    await tracing.shutdown()
    spans = exporter.get_finished_spans()
    refusal, *stored_at_last = [(span.name.split()[0], (span.attributes or {}).get("error.type")) for span in spans]
    assert refusal == ("receive", "LogUnavailable")
    assert stored_at_last == [("receive", None), ("process", None), ("process", None)]
